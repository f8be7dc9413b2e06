// Whether a vault is what the model says.
#pragma once

#include <quietus/vault.hpp>

#include <string>

#include "faults/lifecycle_model.hpp"

namespace quietus::test {

// What is read counts as use of its scope, so what ends by inactivity is not looked into each time.
enum class Reading { kAll, kButMail };

// The first thing in which they differ, empty when there is none. What was read is noted in the
// model.
std::string difference(Vault& vault, LifecycleModel& model, Reading reading, std::int64_t now);

// Reads of every scope of the models that is there, so that all of them were used on the same day.
void use_everything(Vault& vault, std::vector<LifecycleModel>& models, std::int64_t now);

}  // namespace quietus::test
