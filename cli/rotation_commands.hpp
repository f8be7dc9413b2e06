// `key rotate` stands in the group of key_commands.cpp.
#pragma once

#include "command.hpp"

namespace quietus::cli {

void attach_rotate(CLI::App& group, Action& chosen);

}  // namespace quietus::cli
