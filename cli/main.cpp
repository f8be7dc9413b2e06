// quietus: the vault from the command line. docs/cli.md describes every command.
#include "attach.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

namespace quietus::cli {
namespace {

// A descriptor 0, 1 or 2 that the caller closed would go to the next file opened, and messages
// would be written into the vault. What stands in fails when it is used.
void occupy_standard_descriptors() {
  for (int wanted = STDIN_FILENO; wanted <= STDERR_FILENO; ++wanted) {
    if (fcntl(wanted, F_GETFD) >= 0) continue;
    (void)open("/dev/null", wanted == STDOUT_FILENO ? O_RDONLY : O_WRONLY);
  }
}

// No core dumps, no tracing by others of the same user, files for the owner only, and write errors
// instead of a silent death.
void harden_process() {
  occupy_standard_descriptors();
  const rlimit none{0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  (void)umask(S_IRWXG | S_IRWXO);
  (void)std::signal(SIGPIPE, SIG_IGN);
}

std::string_view hint_for(ErrorCode code, const Invocation& invocation) {
  switch (code) {
    case ErrorCode::kErased: return "nothing can bring it back; see `quietus cert list`";
    case ErrorCode::kWrongKey:
      return "name the secret with --key-file or --passphrase-file, or with QUIETUS_KEY_FILE or "
             "QUIETUS_PASSPHRASE_FILE";
    case ErrorCode::kCorrupt: return invocation.damage_hint;
    case ErrorCode::kRolledBack: return "put the newest copy back; nothing was touched in this one";
    case ErrorCode::kBusy: return "another process holds it; try again";
    case ErrorCode::kFull: return "nothing was changed; make room and try again";
    case ErrorCode::kErasureIncomplete:
      return "the erasure is recorded and goes on with `quietus erase --resume`";
    case ErrorCode::kInternal: return "this is a defect of quietus; please report it";
    default: return {};
  }
}

int fail(Invocation& invocation, const Error& error, std::string_view hint) {
  if (invocation.terminal.json) invocation.terminal.document(error_document(error));
  Terminal::message(error.context());
  if (!hint.empty()) Terminal::hint(hint);
  // The message is out; that the document may not be changes nothing any more.
  (void)invocation.terminal.finish();
  return static_cast<int>(exit_code(error.code()));
}

int run(const Action& action, Invocation& invocation) {
  Result<void> complete = complete_from_environment(invocation.options);
  if (!complete) return fail(invocation, complete.error(), {});
  const Result<ExitCode> done = action(invocation);
  if (!done) return fail(invocation, done.error(), hint_for(done.error().code(), invocation));
  if (const Result<void> printed = invocation.terminal.finish(); !printed) {
    Terminal::message(printed.error().context());
    if (*done == ExitCode::kDone) return static_cast<int>(ExitCode::kFailure);
  }
  return static_cast<int>(*done);
}

void attach_everything(CLI::App& app, Invocation& invocation, Action& chosen) {
  app.set_version_flag("--version", "quietus " QUIETUS_VERSION);
  app.fallthrough();  // options of the program may also stand behind the command
  app.add_option("--vault", invocation.options.vault, "The vault's folder [$QUIETUS_VAULT]");
  app.add_flag("--json", invocation.terminal.json, "Print one JSON document");
  auto* key = app.add_option("--key-file", invocation.options.key_file,
                             "Unlock with this key file [$QUIETUS_KEY_FILE]");
  app.add_option("--passphrase-file", invocation.options.passphrase_file,
                 "Unlock with the first line of this file [$QUIETUS_PASSPHRASE_FILE]")
      ->excludes(key);
  app.add_option("--as", invocation.options.acting,
                 "Who acts on a governed vault [$QUIETUS_OPERATOR]");
  app.add_option("--identity", invocation.options.identity,
                 "Their SSH key, or its public half with an ssh-agent [$QUIETUS_IDENTITY]");
  app.footer(
      "Without a file, the passphrase is asked for on the terminal.\n"
      "Exit codes: 0 done, 1 failure, 2 usage, 3 not found, 4 erased, 5 refused, 6 cannot unlock,\n"
      "7 integrity, 8 unavailable, 9 erasure incomplete.");
  attach_vault_commands(app, chosen);
  attach_metrics_command(app, chosen);
  attach_scope_commands(app, chosen);
  attach_record_commands(app, chosen);
  attach_token_commands(app, chosen);
  attach_transfer_commands(app, chosen);
  attach_erase_commands(app, chosen);
  attach_key_commands(app, chosen);
  attach_rotation_commands(app, chosen);
  attach_policy_commands(app, chosen);
  attach_backup_commands(app, chosen);
  attach_escrow_commands(app, chosen);
  attach_sweep_commands(app, chosen);
  attach_certificate_commands(app, chosen);
  attach_operator_commands(app, chosen);
  attach_request_commands(app, chosen);
  attach_audit_commands(app, chosen);
  app.require_subcommand(1);
}

// "request approve".
std::string command_of(const CLI::App& app) {
  std::string command;
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    command.append(command.empty() ? "" : " ").append(at->get_name());
  }
  return command;
}

// An invocation that could not be parsed may still have asked for JSON.
bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    if (std::string_view(argv[i]) == "--json") return true;
  return false;
}

int parse_and_run(int argc, char** argv) {
  Invocation invocation;
  Action chosen;
  CLI::App app("An encrypted vault whose keys can be destroyed, with proof.", "quietus");
  attach_everything(app, invocation, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& refused) {
    if (refused.get_exit_code() == 0) return app.exit(refused);  // --help, --version
    invocation.terminal.json = asks_for_json(argc, argv);
    return fail(invocation, Error(ErrorCode::kInvalidArgument, refused.what()),
                "`quietus --help` and `quietus COMMAND --help` say what is possible");
  }
  invocation.options.command = command_of(app);
  return run(chosen, invocation);
}

}  // namespace
}  // namespace quietus::cli

int main(int argc, char** argv) {
  quietus::cli::harden_process();
  try {
    return quietus::cli::parse_and_run(argc, argv);
  } catch (const std::exception& defect) {
    // Memory exhausted, or a defect.
    (void)std::fprintf(stderr, "quietus: internal error: %s\n", defect.what());
    return static_cast<int>(quietus::cli::ExitCode::kFailure);
  }
}
