// Commands of retention that hang below the groups of others.
#pragma once

#include "command.hpp"

namespace quietus::cli {

void attach_terminate(CLI::App& tenant, Action& chosen);
void attach_decisions(CLI::App& scope, Action& chosen);

}  // namespace quietus::cli
