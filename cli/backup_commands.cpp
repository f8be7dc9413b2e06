// backup: copies of the vault's records.
#include "attach.hpp"
#include "backup_output.hpp"
#include "input_file.hpp"
#include "printable_text.hpp"
#include "progress.hpp"
#include "trust_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct BackupCommand {
  std::string place;  // where to, or which
  std::string keep;
  std::string base;
  std::string trust;
};

// The base of an incremental backup, which is none of a complete one.
Result<std::optional<InputFile>> open_base(const BackupCommand& command) {
  if (command.base.empty()) return std::optional<InputFile>();
  QUIETUS_TRY_AS(InputFile file, InputFile::open(command.base));
  return std::optional(std::move(file));
}

constexpr std::string_view kDamagedBackup =
    "do not rely on it: verify another copy of it, or make a new backup";

// Of a backup, not of the vault.
template <class T>
Result<T> blame_base(Result<T> made, Invocation& invocation) {
  if (!made && made.error().context().starts_with("base: "))
    invocation.damage_hint = kDamagedBackup;
  return made;
}

using ShownLines = std::vector<std::vector<std::string>>;

void add_base(ShownLines& lines, const std::string& base) {
  if (!base.empty()) lines.push_back({"changes since", base});
}

// ---- create -----------------------------------------------------------------------------------

Result<BackupInfo> create_file(Vault& vault, const std::filesystem::path& path,
                               BackupOptions options) {
  ProgressLine line("copying", "");
  options.progress = line.callback();
  return create_new_file(
      path, [&](const ByteSink& sink) { return vault.backups().create(sink, options); });
}

Result<ExitCode> create_to_stdout(const BackupCommand& command, Invocation& invocation) {
  if (invocation.terminal.json)
    return Error(ErrorCode::kInvalidArgument, "--json needs a file or a folder");
  if (::isatty(STDOUT_FILENO) == 1)
    return Error(ErrorCode::kInvalidArgument, "a backup is not for a terminal; redirect it");
  QUIETUS_TRY_AS(auto base, open_base(command));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  ProgressLine line("copying", "");
  BackupOptions options;
  options.keep = command.keep;
  if (base) options.base = base->source();
  options.progress = line.callback();
  // Nothing counts as made that the system did not take.
  const ByteSink sink = [&](ByteView piece) -> Result<void> {
    QUIETUS_TRY(invocation.terminal.content(piece));
    return invocation.terminal.finish();
  };
  QUIETUS_TRY_AS(const BackupInfo made,
                 blame_base(vault.backups().create(sink, options), invocation));
  Terminal::message("backup " + made.id + ", to be removed after " +
                    timestamp(made.expires_unix_ms));
  return ExitCode::kDone;
}

Result<ExitCode> run_create(const BackupCommand& command, Invocation& invocation) {
  if (command.place == "-") return create_to_stdout(command, invocation);
  QUIETUS_TRY_AS(auto base, open_base(command));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  const std::filesystem::path path = new_file_for(command.place, ".backup");
  BackupOptions options;
  options.keep = command.keep;
  if (base) options.base = base->source();
  QUIETUS_TRY_AS(const BackupInfo made, blame_base(create_file(vault, path, options), invocation));
  if (invocation.terminal.json) {
    Json document = cli::json_of(made);
    document["file"] = path.string();
    invocation.terminal.document(document);
  } else {
    ShownLines lines = {{"file", path.string()}, {"backup", made.id}};
    add_base(lines, made.base_id);
    if (!made.epoch_id.empty())
      lines.push_back({"key snapshot", "opens until " + timestamp(made.epoch_expires_unix_ms)});
    lines.push_back({"records", grouped(made.records)});
    lines.push_back({"size", byte_size(made.bytes)});
    lines.push_back({"as of", timestamp(made.begun_unix_ms)});
    lines.push_back({"remove after", timestamp(made.expires_unix_ms)});
    invocation.terminal.print(columns(lines));
  }
  return ExitCode::kDone;
}

// ---- verify, list -----------------------------------------------------------------------------

Json json_of(const CheckedBackup& backup) {
  Json document = cli::json_of(backup.info);
  document.erase("made");
  document.erase("needed_until");
  document["base_manifest_hash"] =
      backup.info.base_id.empty() ? Json(nullptr) : Json(backup.base_manifest_sha256);
  document["removed"] = backup.removed;
  document["records_in_all"] = backup.records_in_all == 0 && !backup.info.base_id.empty()
                                   ? Json(nullptr)
                                   : Json(backup.records_in_all);
  document["vault"] = backup.vault_id;
  document["log"] = {
      {"origin", backup.log_origin}, {"size", backup.log_size}, {"root_hash", backup.log_root}};
  document["verifier_key"] = backup.log_vkey;
  document["trusted"] = backup.trusted;
  return document;
}

std::string shown_records(const CheckedBackup& backup, bool with_base) {
  if (backup.info.base_id.empty()) return grouped(backup.info.records);
  const std::string own =
      grouped(backup.info.records) + " new or changed, " + grouped(backup.removed) + " removed";
  return with_base ? own + "; with its base " + grouped(backup.records_in_all) : own;
}

void print_checked(Terminal& terminal, const CheckedBackup& backup, bool with_base) {
  ShownLines lines = {{"backup", backup.info.id}, {"of vault", backup.vault_id}};
  add_base(lines, backup.info.base_id);
  lines.push_back({"records", shown_records(backup, with_base)});
  lines.push_back({"size", byte_size(backup.info.bytes)});
  lines.push_back({"as of", timestamp(backup.info.begun_unix_ms)});
  lines.push_back({"remove after", timestamp(backup.info.expires_unix_ms)});
  if (!backup.info.epoch_id.empty())
    lines.push_back({"key snapshot", "sealed to epoch " + backup.info.epoch_id});
  lines.push_back({"log", backup.log_origin + " at " + grouped(backup.log_size) + " entries"});
  lines.push_back({"signed by", backup.log_vkey});
  lines.push_back({"checked", with_base
                                  ? "every block of both against the manifests, their signatures"
                                  : "every block against the manifest, the manifest's signature"});
  terminal.print(columns(lines));
}

Result<ExitCode> run_verify_backup(const BackupCommand& command, Invocation& invocation) {
  if (command.place == "-" && command.base == "-")
    return Error(ErrorCode::kInvalidArgument, "only one of the two comes from standard input");
  invocation.damage_hint = kDamagedBackup;
  std::optional<Trust> trust;
  if (!command.trust.empty()) {
    QUIETUS_TRY_AS(trust, read_trust(command.trust));
  }
  QUIETUS_TRY_AS(InputFile file, InputFile::open(command.place));
  QUIETUS_TRY_AS(auto base_file, open_base(command));
  const ByteSource base = base_file ? base_file->source() : ByteSource();
  QUIETUS_TRY_AS(const CheckedBackup backup,
                 check_backup(file.source(), trust ? &*trust : nullptr, base ? &base : nullptr)
                     .within(command.place == "-" ? "standard input" : command.place));
  if (invocation.terminal.json) {
    invocation.terminal.document(json_of(backup));
  } else {
    print_checked(invocation.terminal, backup, base_file.has_value());
  }
  if (!backup.trusted)
    Terminal::message(
        "whose key signed it was not checked: name the log in a trust file (--trust)");
  return ExitCode::kDone;
}

Result<ExitCode> run_backup_list(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::vector<BackupInfo> backups, vault.backups().list());
  if (invocation.terminal.json) {
    Json list = Json::array();
    for (const BackupInfo& backup : backups) list.push_back(cli::json_of(backup));
    invocation.terminal.document({{"backups", std::move(list)}});
    return ExitCode::kDone;
  }
  ShownLines rows = {{"BACKUP", "AS OF", "REMOVE AFTER", "RECORDS", "SIZE", "CHANGES SINCE"}};
  for (const BackupInfo& backup : backups) {
    const bool made = backup.made_unix_ms != 0;
    rows.push_back(
        {backup.id, timestamp(backup.begun_unix_ms), timestamp(backup.needed_until_unix_ms),
         made ? grouped(backup.records) : "not finished", made ? byte_size(backup.bytes) : "-",
         backup.base_id.empty() ? "-" : backup.base_id});
  }
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

}  // namespace

void attach_backup_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = *app.add_subcommand("backup", "Copies of the records, as ciphertext");
  group.require_subcommand(1);

  auto made = std::make_shared<BackupCommand>();
  CLI::App& create = *group.add_subcommand("create", "Write a backup; beside normal work");
  create.add_option("DEST", made->place, "A new file, a folder, or - for standard output")
      ->required();
  create.add_option("--keep", made->keep,
                    "How long it will be kept: 30d, 6m, 1y (default: as the policy says)");
  create.add_option("--incremental", made->base,
                    "Only what changed since this complete backup, which is read");
  on_chosen(create, chosen, std::move(made), run_create);

  auto checked = std::make_shared<BackupCommand>();
  CLI::App& verify =
      *group.add_subcommand("verify", "Whether a backup is whole and signed; needs no vault");
  verify.add_option("FILE", checked->place, "- for standard input")->required();
  verify.add_option("--base", checked->base,
                    "Of an incremental backup: the one that it holds the changes since");
  verify.add_option("--trust", checked->trust, "A trust file that names the log whose key signed");
  on_chosen(verify, chosen, std::move(checked), run_verify_backup);

  attach_restore_command(group, chosen);
  plain_command(group, "list", "The inventory: every backup that was made, and until when", chosen,
                run_backup_list);
}

}  // namespace quietus::cli
