// backup: copies of the vault's records.
#include "attach.hpp"
#include "backup_output.hpp"
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
  std::string place;
  std::string keep;
  std::string base;
};

// Of a backup, not of the vault.
template <class T>
Result<T> blame_base(Result<T> made, Invocation& invocation) {
  if (!made && made.error().context().starts_with("base: "))
    invocation.damage_hint = kDamagedBackup;
  return made;
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
  QUIETUS_TRY_AS(auto base, open_base(command.base));
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
  QUIETUS_TRY_AS(auto base, open_base(command.base));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  const std::filesystem::path path = new_file_for(command.place, ".backup");
  BackupOptions options;
  options.keep = command.keep;
  if (base) options.base = base->source();
  QUIETUS_TRY_AS(const BackupInfo made, blame_base(create_file(vault, path, options), invocation));
  if (invocation.terminal.json) {
    Json document = json_of(made);
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

// ---- list, forget -----------------------------------------------------------------------------

Result<ExitCode> run_backup_list(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::vector<BackupInfo> backups, vault.backups().list());
  if (invocation.terminal.json) {
    Json list = Json::array();
    for (const BackupInfo& backup : backups) list.push_back(json_of(backup));
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

struct ForgetCommand {
  std::string id;
  bool yes = false;
};

Result<ExitCode> run_forget(const ForgetCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  if (!command.yes) {
    Terminal::plan(
        "This takes a backup out of the inventory. Its file is not touched: remove it, wherever "
        "it\n"
        "is. Keys that a rotation replaced are no longer kept for it, so that they may be "
        "destroyed\n"
        "sooner, and with them what a copy of it still holds under them.\n");
    QUIETUS_TRY(Terminal::confirm("Forget it?", "forget"));
  }
  QUIETUS_TRY_AS(const BackupInfo forgotten, vault.backups().forget(command.id));
  if (invocation.terminal.json)
    invocation.terminal.document(json_of(forgotten));
  else
    invocation.terminal.line("forgot " + forgotten.id);
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

  attach_backup_verify(group, chosen);
  attach_restore_command(group, chosen);
  attach_drill_command(group, chosen);
  plain_command(group, "list", "The inventory: every backup that was made, and until when", chosen,
                run_backup_list);

  auto forgotten = std::make_shared<ForgetCommand>();
  CLI::App& forget =
      *group.add_subcommand("forget", "Take one out of the inventory whose file was removed");
  forget.add_option("ID", forgotten->id, "")->required();
  forget.add_flag("--yes", forgotten->yes, "Do not ask");
  on_chosen(forget, chosen, std::move(forgotten), run_forget);
}

}  // namespace quietus::cli
