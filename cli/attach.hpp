// The one way in which a command group hands its actions over. Only the files that tell CLI11 about
// commands include this: CLI11 is slow to compile.
#pragma once

#include "command.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

namespace quietus::cli {

// Makes `run` the chosen action, with the options as they were parsed, when `command` is chosen.
template <class Options>
void on_chosen(CLI::App& command, Action& chosen, std::shared_ptr<Options> options,
               Result<ExitCode> (*run)(const Options&, Invocation&)) {
  command.callback([&chosen, options = std::move(options), run] {
    chosen = [options, run](Invocation& invocation) { return run(*options, invocation); };
  });
}

// For commands without options.
struct NoOptions {};

inline CLI::App& plain_command(CLI::App& group, const std::string& name, const std::string& help,
                               Action& chosen,
                               Result<ExitCode> (*run)(const NoOptions&, Invocation&)) {
  CLI::App& command = *group.add_subcommand(name, help);
  on_chosen(command, chosen, std::make_shared<NoOptions>(), run);
  return command;
}

// A command that only holds others: `tenant`, `cert`.
inline CLI::App& group_of(CLI::App& app, const std::string& name, const std::string& help) {
  CLI::App& group = *app.add_subcommand(name, help);
  group.require_subcommand(1);
  return group;
}

}  // namespace quietus::cli
