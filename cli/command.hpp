// How a command is made: attach_…() tells CLI11 its name and options and leaves an action behind
// when the command is chosen; main runs that action after parsing is over. So no error of the
// library passes through CLI11, and every exit code is ours.
#pragma once

#include "exit_code.hpp"
#include "terminal.hpp"
#include "vault_access.hpp"

#include <functional>

namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
}

namespace quietus::cli {

struct Invocation {
  GlobalOptions options;
  Terminal terminal;
  // What may help when something is damaged; a command that reads other things than the vault says
  // something else.
  std::string_view damage_hint = "`quietus check` lists every damage it can find";
};

// What a command does. An exit code other than kDone without an Error is an answer that was given
// in full and is not a yes: damage found, a transfer with failures.
using Action = std::function<Result<ExitCode>(Invocation&)>;

void attach_vault_commands(CLI::App& app, Action& chosen);     // init status doctor check unlock
void attach_metrics_command(CLI::App& app, Action& chosen);    // metrics
void attach_scope_commands(CLI::App& app, Action& chosen);     // tenant scope
void attach_record_commands(CLI::App& app, Action& chosen);    // put get ls rm
void attach_token_commands(CLI::App& app, Action& chosen);     // seal open pseudonym
void attach_transfer_commands(CLI::App& app, Action& chosen);  // import export
void attach_erase_commands(CLI::App& app, Action& chosen);     // erase vault
void attach_key_commands(CLI::App& app, Action& chosen);       // key hold
void attach_rotation_commands(CLI::App& app, Action& chosen);  // purge reclaim
void attach_policy_commands(CLI::App& app, Action& chosen);    // policy
void attach_backup_commands(CLI::App& app, Action& chosen);    // backup
void attach_backup_verify(CLI::App& group, Action& chosen);    // backup verify
void attach_restore_command(CLI::App& group, Action& chosen);  // backup restore
void attach_drill_command(CLI::App& group, Action& chosen);    // backup drill
void attach_escrow_commands(CLI::App& app, Action& chosen);    // escrow
void attach_operator_commands(CLI::App& app, Action& chosen);  // operator
void attach_request_commands(CLI::App& app, Action& chosen);   // request
void attach_escrow_vault_commands(CLI::App& group, Action& chosen);  // escrow import-… snapshot
void attach_inbox_commands(CLI::App& group, Action& chosen);         // escrow inbox tell receive
void attach_sweep_commands(CLI::App& app, Action& chosen);           // sweep clock
void attach_certificate_commands(CLI::App& app, Action& chosen);     // cert
void attach_receipt_command(CLI::App& group, Action& chosen);        // cert import
void attach_timestamp_commands(CLI::App& group, Action& chosen);     // cert timestamp-…
void attach_audit_commands(CLI::App& app, Action& chosen);           // audit
void attach_witness_commands(CLI::App& group, Action& chosen);       // audit cosign witness-key

}  // namespace quietus::cli
