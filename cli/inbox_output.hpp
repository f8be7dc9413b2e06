// What is shown of the inbox of a vault's recovery site.
#pragma once

#include "json_output.hpp"

#include <quietus/escrow.hpp>

#include <string>

namespace quietus::cli {

Json inbox_json(const InboxInfo& inbox);
std::string inbox_text(const InboxInfo& inbox);  // "/mnt/site, 2 erasures wait to be told"

}  // namespace quietus::cli
