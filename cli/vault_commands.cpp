// init, status, doctor, check, unlock change.
#include "attach.hpp"
#include "inbox_output.hpp"
#include "input_file.hpp"
#include "printable_text.hpp"
#include "progress.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "vault_making.hpp"

namespace quietus::cli {
namespace {

constexpr std::size_t kMaxKeysFile = 65536;  // bytes

// ---- init -------------------------------------------------------------------------------------

struct InitOptions {
  MakingOptions making;
  std::string admin;
  std::string admin_key;
  std::vector<std::string> roles;
};

Result<std::optional<OperatorSpec>> first_admin(const InitOptions& command) {
  if (command.admin.empty()) return std::optional<OperatorSpec>();
  QUIETUS_TRY_AS(const Bytes keys, read_file(command.admin_key, kMaxKeysFile));
  OperatorSpec spec{command.admin, command.roles, std::string(as_text(keys))};
  spec.roles.emplace_back("admin");
  return std::optional(std::move(spec));
}

Result<ExitCode> run_init(const InitOptions& command, Invocation& invocation) {
  const std::string& folder = command.making.folder;
  QUIETUS_TRY_AS(const auto first, first_admin(command));
  QUIETUS_TRY_AS(const MadeVault made,
                 make_vault(command.making, invocation.options, first ? &*first : nullptr));
  if (invocation.terminal.json) {
    Json document = place_json(folder, made.status);
    document["key_file_made"] = made.key_file_made;
    document["governed"] = first.has_value();
    invocation.terminal.document(document);
  } else {
    auto rows = place_rows(folder, made.status);
    rows.push_back({"operators", first ? "governed; first admin: " + first->name
                                       : "none: one person may do everything alone"});
    invocation.terminal.print(columns(rows));
  }
  return ExitCode::kDone;
}

void attach_init(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<InitOptions>();
  CLI::App& init = *app.add_subcommand(
      "init", "Make a vault; the file that --key-file names is made when it is not there");
  add_making_options(init, options->making);
  auto* admin = init.add_option("--admin", options->admin,
                                "Make it governed, for ever, with this first admin");
  auto* key = init.add_option("--admin-key", options->admin_key,
                              "A file of their SSH public keys: .pub, authorized_keys or "
                              "allowed_signers");
  admin->needs(key);
  key->needs(admin);
  init.add_option("--role", options->roles,
                  "What they may do besides: operator, approver, verifier, auditor")
      ->needs(admin);
  on_chosen(init, chosen, std::move(options), run_init);
}

// ---- status -----------------------------------------------------------------------------------

std::string stage_of(const RotationInfo& rotation) {
  if (!rotation.moved) return "re-encrypting";
  return rotation.destroys_old ? "old key to be destroyed" : "old key kept";
}

std::string scope_of(const RotationInfo& rotation) {
  return rotation.path.empty() ? hex16(rotation.scope_id) : rotation.path;
}

Json retention_json(const RetentionStatus& retention) {
  if (!retention.known) return nullptr;
  return {{"next_due", retention.next_due ? Json(timestamp(*retention.next_due)) : Json(nullptr)},
          {"due_now", retention.due_now},
          {"overdue", retention.overdue},
          {"kept", retention.kept}};
}

std::string retention_text(const RetentionStatus& retention) {
  if (!retention.known) return "see `quietus policy plan`";
  std::string text =
      retention.next_due ? "next due " + timestamp(*retention.next_due) : "nothing in sight";
  if (retention.due_now > 0) text += ", " + grouped(retention.due_now) + " due now";
  if (retention.overdue > 0) text += ", " + grouped(retention.overdue) + " overdue";
  if (retention.kept > 0) text += ", " + grouped(retention.kept) + " kept beyond their day";
  return text;
}

Json governance_json(const GovernanceStatus& governance) {
  if (!governance.governed) return nullptr;
  return {{"since", timestamp(governance.since_unix_ms)},
          {"operators", governance.operators},
          {"admins", governance.admins},
          {"open_requests", governance.open_requests},
          {"overdue_requests", governance.overdue_requests},
          {"last_review", governance.reviewed_unix_ms == 0
                              ? Json(nullptr)
                              : Json(timestamp(governance.reviewed_unix_ms))},
          {"review_overdue", governance.review_overdue},
          {"break_glass", governance.break_glass_unix_ms == 0
                              ? Json(nullptr)
                              : Json(timestamp(governance.break_glass_unix_ms))}};
}

std::string governance_text(const GovernanceStatus& governance) {
  if (!governance.governed) return "none: one person may do everything alone";
  std::string text =
      grouped(governance.operators) + ", " + counted(governance.open_requests, "request") + " open";
  if (governance.admins <= 1) text += ", one admin, who decides alone who the others are";
  if (governance.overdue_requests > 0)
    text += ", " + grouped(governance.overdue_requests) + " OVERDUE";
  if (governance.review_overdue) text += ", access review OVERDUE";
  if (governance.break_glass_unix_ms != 0)
    text +=
        ", BREAK-GLASS: another admin from " + timestamp(governance.break_glass_unix_ms) + " on";
  return text;
}

// Erasures that were asked for and wait.
std::vector<ScheduleInfo> waiting_erasures(Vault& vault) {
  auto schedules = vault.retention().schedules();
  if (!schedules) return {};
  std::erase_if(*schedules, [](const ScheduleInfo& one) { return !one.erase_at; });
  return std::move(*schedules);
}

struct Upcoming {
  RetentionStatus retention;
  std::vector<ScheduleInfo> erasures;
  InboxInfo inbox;
  GovernanceStatus governance;
};

Json status_json(const std::string& folder, const VaultStatus& status,
                 const std::vector<RotationInfo>& rotations, const Upcoming& upcoming) {
  Json document = place_json(folder, status);
  document["retention"] = retention_json(upcoming.retention);
  document["scheduled_erasures"] = Json::array();
  for (const ScheduleInfo& one : upcoming.erasures)
    document["scheduled_erasures"].push_back(
        {{"scope", one.path}, {"when", timestamp(*one.erase_at)}, {"reason", one.erase_reason}});
  document["root_generation"] = status.root_generation;
  document["tenants"] = status.tenants;
  document["log_size"] = status.log_size;
  document["certificates"] = status.certificates;
  const auto when = [](std::int64_t time) {
    return time == 0 ? Json(nullptr) : Json(timestamp(time));
  };
  document["last_backup"] = when(status.backup_unix_ms);
  document["last_snapshot"] = when(status.snapshot_unix_ms);
  document["last_drill"] = when(status.drill_unix_ms);
  document["last_drill_passed"] =
      status.drill_unix_ms == 0 ? Json(nullptr) : Json(status.drill_passed);
  document["site_inbox"] =
      upcoming.inbox.folder.empty() ? Json(nullptr) : inbox_json(upcoming.inbox);
  document["governance"] = governance_json(upcoming.governance);
  document["processes"] = status.processes;
  document["read_only"] = status.read_only;
  document["key_memory_locked"] = status.key_memory_locked;
  document["pending_erasures"] = Json::array();
  for (const PendingErasure& pending : status.pending)
    document["pending_erasures"].push_back({{"erasure_id", pending.erasure_id},
                                            {"step", pending.step},
                                            {"begun", timestamp(pending.begun_unix_ms)}});
  document["rotations"] = Json::array();
  for (const RotationInfo& rotation : rotations)
    document["rotations"].push_back({{"scope", scope_of(rotation)},
                                     {"generation", rotation.generation},
                                     {"stage", stage_of(rotation)},
                                     {"begun", timestamp(rotation.begun_unix_ms)}});
  return document;
}

// "2 days ago, 2027-03-01T…".
std::string age_text(std::int64_t unix_ms) {
  if (unix_ms == 0) return "none";
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t age =
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count() - unix_ms;
  constexpr std::int64_t kHour = 3'600'000;
  const auto hours = static_cast<std::uint64_t>(std::max<std::int64_t>(age, 0) / kHour);
  const std::string ago = hours < 48 ? counted(hours, "hour") : counted(hours / 24, "day");
  return ago + " ago, " + timestamp(unix_ms);
}

Result<ExitCode> run_status(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const VaultStatus status, vault.status());
  QUIETUS_TRY_AS(const auto rotations, vault.lifecycle().rotations());
  Upcoming upcoming;
  QUIETUS_TRY_AS(upcoming.retention, vault.retention().status());
  upcoming.erasures = waiting_erasures(vault);
  QUIETUS_TRY_AS(upcoming.governance, vault.governance().status());
  // What is damaged there is no reason to show nothing of the rest.
  if (auto inbox = vault.escrow().inbox()) upcoming.inbox = *std::move(inbox);
  if (invocation.terminal.json) {
    invocation.terminal.document(
        status_json(invocation.options.vault, status, rotations, upcoming));
    return ExitCode::kDone;
  }
  auto rows = place_rows(invocation.options.vault, status);
  rows.push_back({"root generation", std::to_string(status.root_generation)});
  rows.push_back({"tenants", grouped(status.tenants)});
  rows.push_back({"log", counted(status.log_size, "line")});
  rows.push_back({"certificates", grouped(status.certificates)});
  rows.push_back({"last backup", age_text(status.backup_unix_ms)});
  rows.push_back({"last snapshot", age_text(status.snapshot_unix_ms)});
  rows.push_back(
      {"last drill", age_text(status.drill_unix_ms) +
                         (status.drill_unix_ms != 0 && !status.drill_passed ? ", FAILED" : "")});
  if (!upcoming.inbox.folder.empty()) rows.push_back({"site's inbox", inbox_text(upcoming.inbox)});
  rows.push_back({"operators", governance_text(upcoming.governance)});
  rows.push_back({"open in", status.processes == 1
                                 ? std::string("this process alone")
                                 : std::to_string(status.processes) + " processes"});
  rows.push_back({"opened", status.read_only ? "read-only" : "for reading and writing"});
  rows.push_back(
      {"key memory", status.key_memory_locked ? "locked" : "not locked: may be swapped"});
  rows.push_back({"retention", retention_text(upcoming.retention)});
  for (const ScheduleInfo& one : upcoming.erasures)
    rows.push_back({"to be erased", one.path + "  " + timestamp(*one.erase_at)});
  for (const RotationInfo& rotation : rotations)
    rows.push_back({"rotation", scope_of(rotation) + "  " + stage_of(rotation)});
  for (const PendingErasure& pending : status.pending)
    rows.push_back({"pending erasure", pending.erasure_id + "  " + pending.step + "  " +
                                           timestamp(pending.begun_unix_ms)});
  invocation.terminal.print(columns(rows));
  if (!status.pending.empty()) Terminal::hint("finish it with `quietus erase --resume`");
  return ExitCode::kDone;
}

// ---- doctor -----------------------------------------------------------------------------------

struct DoctorCommand {
  bool rewrite_anchor = false;
  bool yes = false;
};

std::string_view word_of(Finding::Level level) {
  switch (level) {
    case Finding::Level::kOk: return "ok";
    case Finding::Level::kNote: return "note";
    case Finding::Level::kWarning: return "warning";
    case Finding::Level::kProblem: return "problem";
  }
  return "problem";
}

Result<void> rewrite_anchor(const DoctorCommand& command, const GlobalOptions& options) {
  QUIETUS_TRY_AS(const std::filesystem::path folder, vault_folder(options));
  if (!command.yes)
    QUIETUS_TRY(
        Terminal::confirm("The anchor tells an older copy of the vault from the newest. A new one "
                          "makes this copy the "
                          "newest, whatever it is.",
                          "newest"));
  // Who may say that this copy is the newest shows it before anything is written.
  QUIETUS_TRY(open_read_only(options));
  QUIETUS_TRY_AS(const Secret secret, existing_secret(options));
  QUIETUS_TRY_AS(const HeldUnlock held, secret.unlock());
  return Vault::rewrite_anchor(folder, held.unlock()).within(folder.string());
}

Result<ExitCode> run_doctor(const DoctorCommand& command, Invocation& invocation) {
  if (command.rewrite_anchor) {
    invocation.options.command = "doctor --rewrite-anchor";
    QUIETUS_TRY(rewrite_anchor(command, invocation.options));
  }
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  Json findings = Json::array();
  std::vector<std::vector<std::string>> rows;
  ExitCode exit = ExitCode::kDone;
  for (const Finding& finding : vault.doctor()) {
    const std::string level(word_of(finding.level));
    findings.push_back({{"level", level}, {"subject", finding.subject}, {"text", finding.text}});
    rows.push_back({level, finding.subject, finding.text});
    if (finding.level == Finding::Level::kProblem) exit = ExitCode::kIntegrity;
  }
  if (invocation.terminal.json)
    invocation.terminal.document({{"findings", std::move(findings)}});
  else
    invocation.terminal.print(columns(rows));
  return exit;
}

void attach_doctor(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<DoctorCommand>();
  CLI::App& doctor =
      *app.add_subcommand("doctor", "Look at the medium, the memory and the clock under the vault");
  doctor.add_flag(
      "--rewrite-anchor", options->rewrite_anchor,
      "Write a new anchor, after making sure that this is the newest copy of the vault");
  doctor.add_flag("--yes", options->yes, "Do not ask");
  on_chosen(doctor, chosen, std::move(options), run_doctor);
}

// ---- check ------------------------------------------------------------------------------------

Json check_json(const CheckReport& report) {
  Json damages = Json::array();
  for (const Damage& damage : report.damages)
    damages.push_back({{"where", damage.where}, {"what", damage.what}});
  return {{"scopes", report.scopes},
          {"records", report.records},
          {"bytes", report.bytes},
          {"log_entries", report.log_entries},
          {"erased_records", report.erased_records},
          {"orphaned_rows", report.orphaned_rows},
          {"damages", std::move(damages)}};
}

std::string check_text(const CheckReport& report) {
  std::string text = columns({{"scopes", grouped(report.scopes)},
                              {"records", grouped(report.records)},
                              {"content", byte_size(report.bytes)},
                              {"log", counted(report.log_entries, "line")},
                              {"of erased scopes", counted(report.erased_records, "row")},
                              {"orphaned", counted(report.orphaned_rows, "row")}});
  for (const Damage& damage : report.damages)
    text += printable("damage: " + damage.where + ": " + damage.what) + "\n";
  return text + (report.damages.empty() ? "every stored byte authenticates\n"
                                        : counted(report.damages.size(), "damage") + "\n");
}

Result<CheckReport> check_with_progress(Vault& vault) {
  ProgressLine progress("checking", "rows");
  return vault.check(progress.callback());
}

Result<ExitCode> run_check(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const CheckReport report, check_with_progress(vault));
  if (invocation.terminal.json)
    invocation.terminal.document(check_json(report));
  else
    invocation.terminal.print(check_text(report));
  return report.damages.empty() ? ExitCode::kDone : ExitCode::kIntegrity;
}

// ---- unlock change ----------------------------------------------------------------------------

struct UnlockChangeCommand {
  std::string key_file;
  std::string passphrase_file;
};

Result<ExitCode> run_unlock_change(const UnlockChangeCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  bool made = false;
  QUIETUS_TRY_AS(const Secret next, new_secret(command.key_file, command.passphrase_file, made));
  if (made) Terminal::hint("the key file " + command.key_file + " was made; keep a copy of it");
  QUIETUS_TRY_AS(const HeldUnlock held, next.unlock());
  QUIETUS_TRY(vault.change_unlock(held.unlock()));
  Terminal::message("the vault opens with the new secret only");
  if (!invocation.terminal.json) return ExitCode::kDone;
  QUIETUS_TRY_AS(const VaultStatus status, vault.status());
  invocation.terminal.document(
      {{"changed", true}, {"root_generation", status.root_generation}, {"key_file_made", made}});
  return ExitCode::kDone;
}

void attach_unlock(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<UnlockChangeCommand>();
  CLI::App& unlock = group_of(app, "unlock", "The secret that opens the vault");
  CLI::App& change = *unlock.add_subcommand(
      "change", "Replace it; the file that --new-key-file names is made when it is not there");
  auto* key = change.add_option("--new-key-file", options->key_file, "The new key file");
  change
      .add_option("--new-passphrase-file", options->passphrase_file,
                  "File whose first line is the new passphrase")
      ->excludes(key);
  on_chosen(change, chosen, std::move(options), run_unlock_change);
}

}  // namespace

void attach_vault_commands(CLI::App& app, Action& chosen) {
  attach_init(app, chosen);
  plain_command(app, "status", "What the vault says about itself", chosen, run_status);
  attach_doctor(app, chosen);
  plain_command(app, "check", "Authenticate every stored byte; exit 7 when something is damaged",
                chosen, run_check);
  attach_unlock(app, chosen);
}

}  // namespace quietus::cli
