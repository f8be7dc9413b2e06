// key rotate, purge, reclaim: keys that are replaced, and room that becomes free.
#include "rotation_commands.hpp"
#include "attach.hpp"
#include "printable_text.hpp"
#include "progress.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct RotateCommand {
  std::string scope;
  std::string reason = "other";
  bool now = false;  // destroy what is replaced
  bool yes = false;
  bool resume = false;
  bool sacrifice = false;  // records that do not open
};

std::string purge_plan(const RotateCommand& command) {
  std::string plan =
      printable("This replaces the key of " + command.scope) +
      " and destroys the one it had, for ever.\n"
      "Records that were removed from it, and old versions of replaced ones, are gone then in "
      "every copy.\n"
      "Of copies and backups of the vault that were made before, nothing of this scope's own "
      "records\n"
      "opens any more; what lies below it is not affected.\n";
  if (command.sacrifice)
    plan +=
        "Records that do not open are removed, logged and listed. A backup that has them whole "
        "is\nworth nothing afterwards.\n";
  return plan;
}

// What of the scope's own records every backup loses that is still to be kept, and until when key
// snapshots have what is destroyed here.
Result<std::string> purge_losses(Vault& vault, const std::string& scope) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  std::string text;
  QUIETUS_TRY_AS(const std::vector<BackupInfo> backups, vault.backups().list());
  for (const BackupInfo& backup : backups)
    if (backup.needed_until_unix_ms > now_ms)
      text += "  " + backup.id + "  as of " + timestamp(backup.begun_unix_ms) + "\n";
  if (!text.empty())
    text =
        "These backups lose all that they hold of its own records; make another one afterwards:\n" +
        text;
  const std::string one[] = {scope};
  QUIETUS_TRY_AS(const ErasePlan plan, vault.plan_erase(one));
  if (plan.snapshots_clear_unix_ms != 0)
    text +=
        "Key snapshots that were made before have the old key: a recovery site can open those "
        "until " +
        timestamp(plan.snapshots_clear_unix_ms) + ".\n";
  return text;
}

Json json_of(const RotationReport& report, const std::string& scope) {
  return {{"scope", scope},
          {"generation", report.generation},
          {"records", report.records},
          {"bytes", report.bytes},
          {"scopes_rewrapped", report.scopes_rewrapped},
          {"keys_destroyed", report.keys_destroyed},
          {"given_up", report.given_up},
          {"given_up_records", report.given_up_records}};
}

void print_report(Terminal& terminal, const RotationReport& report, const std::string& scope) {
  if (terminal.json) return terminal.document(json_of(report, scope));
  std::vector<std::vector<std::string>> rows = {
      {"generation", std::to_string(report.generation)},
      {"re-encrypted", counted(report.records, "record") + ", " + byte_size(report.bytes)},
      {"re-wrapped", counted(report.scopes_rewrapped, "scope")},
      {"destroyed", counted(report.keys_destroyed, "key")}};
  if (report.given_up > 0) rows.push_back({"given up", counted(report.given_up, "record")});
  for (const std::string& record : report.given_up_records) rows.push_back({"", record});
  terminal.print(columns(rows));
}

// The line of progress is gone before anything is printed.
Result<RotationReport> rotate_shown(Vault& vault, const RotateCommand& command) {
  ProgressLine line("re-encrypting", "records");
  RotationOptions options;
  options.destroy_old = command.now;
  options.sacrifice_unreadable = command.sacrifice;
  options.progress = line.callback();
  return vault.lifecycle().rotate(command.scope, command.reason, options).within(command.scope);
}

Result<ExitCode> replace_key(const RotateCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  if (command.now) {
    // Nobody is asked about a scope that is not there.
    QUIETUS_TRY(vault.lifecycle().keys(command.scope).within(command.scope));
    QUIETUS_TRY_AS(const std::string losses, purge_losses(vault, command.scope));
    Terminal::plan(purge_plan(command) + losses);
    if (!command.yes)
      QUIETUS_TRY(Terminal::confirm("Replace the key and destroy the old one?", command.scope));
  }
  QUIETUS_TRY_AS(const RotationReport report, rotate_shown(vault, command));
  print_report(invocation.terminal, report, command.scope);
  return ExitCode::kDone;
}

Result<ExitCode> resume_rotations_of(Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const std::uint64_t finished, vault.lifecycle().resume_rotations());
  if (invocation.terminal.json)
    invocation.terminal.document({{"finished", finished}});
  else
    invocation.terminal.line("finished " + counted(finished, "rotation"));
  return ExitCode::kDone;
}

Result<ExitCode> run_rotate(const RotateCommand& command, Invocation& invocation) {
  if (!command.resume && command.scope.empty())
    return Error(ErrorCode::kInvalidArgument, "key rotate: name a scope, or --resume");
  if (command.resume && !command.scope.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "key rotate --resume finishes what was begun; name no scope");
  return command.resume ? resume_rotations_of(invocation) : replace_key(command, invocation);
}

struct ReclaimCommand {
  std::uint64_t max_bytes = ~std::uint64_t{0};
};

Result<ExitCode> run_reclaim(const ReclaimCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const std::uint64_t bytes, vault.lifecycle().reclaim(command.max_bytes));
  if (invocation.terminal.json)
    invocation.terminal.document({{"bytes", bytes}});
  else
    invocation.terminal.line("freed " + byte_size(bytes) + " of ciphertext that nothing opens");
  return ExitCode::kDone;
}

}  // namespace

void attach_rotate(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<RotateCommand>();
  CLI::App& rotate = *group.add_subcommand(
      "rotate", "Replace the key of a scope's records and re-encrypt them; beside normal work");
  rotate.add_option("SCOPE", options->scope, "");
  auto* reason =
      rotate.add_option("--reason", options->reason, "Why: a code")->capture_default_str();
  auto* now = rotate.add_flag("--now", options->now, "Destroy the old key at once, as purge does");
  auto* yes = rotate.add_flag("--yes", options->yes, "Do not ask");
  // What was begun has its reason, and goes on as what it is.
  rotate.add_flag("--resume", options->resume, "Finish what was interrupted")
      ->excludes(reason)
      ->excludes(now)
      ->excludes(yes);
  on_chosen(rotate, chosen, std::move(options), run_rotate);
}

void attach_rotation_commands(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RotateCommand>();
  options->now = true;
  CLI::App& purge = *app.add_subcommand(
      "purge", "Make removed records and old versions unrecoverable: replace the scope's key");
  purge.add_option("SCOPE", options->scope, "")->required();
  purge.add_option("--reason", options->reason, "Why: a code")->capture_default_str();
  purge.add_flag("--yes", options->yes, "Do not ask");
  purge.add_flag("--sacrifice-unreadable", options->sacrifice,
                 "Remove records that do not open and would keep the old key; lists them");
  on_chosen(purge, chosen, std::move(options), replace_key);

  auto room = std::make_shared<ReclaimCommand>();
  CLI::App& reclaim =
      *app.add_subcommand("reclaim", "Free the room of erased scopes' ciphertext inside the vault");
  reclaim.add_option("--max-bytes", room->max_bytes, "Stop after about so many bytes")
      ->check(CLI::NonNegativeNumber);
  on_chosen(reclaim, chosen, std::move(room), run_reclaim);
}

}  // namespace quietus::cli
