// backup restore: a new instance of the vault, from a backup and the keys of now or of the site.
#include "attach.hpp"
#include "date_option.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"
#include "progress.hpp"
#include "trust_file.hpp"

#include <nlohmann/json.hpp>

#include "vault_making.hpp"

namespace quietus::cli {
namespace {

struct RestoreCommand {
  std::string backup;
  std::string base;
  MakingOptions making;
  std::string new_key_file;
  std::string new_passphrase_file;
  std::string escrow;  // the folder of the recovery site
  std::string snapshot;
  std::string trust;
  std::string log;
  std::string inbox;
  std::string accept_log_as_of;
  std::string takeover;
};

// What the new instance is unlocked with: a secret of its own, or that of the vault.
Result<Secret> secret_of_new(const RestoreCommand& command, const GlobalOptions& options) {
  bool made = false;
  if (command.new_key_file.empty() && command.new_passphrase_file.empty())
    return existing_secret(options);
  auto secret = new_secret(command.new_key_file, command.new_passphrase_file, made);
  if (secret && made)
    Terminal::hint("the key file " + command.new_key_file +
                   " was made; without it nothing in the restored vault can be read");
  return secret;
}

struct Streams {
  InputFile backup;
  std::optional<InputFile> base;
  std::optional<InputFile> keys;  // with --escrow
};

Result<Streams> open_streams(const RestoreCommand& command) {
  QUIETUS_TRY_AS(InputFile backup, InputFile::open(command.backup));
  Streams streams{std::move(backup), {}, {}};
  if (!command.base.empty()) {
    QUIETUS_TRY_AS(InputFile base, InputFile::open(command.base));
    streams.base.emplace(std::move(base));
  }
  if (command.escrow.empty()) return streams;
  const std::string& keys = command.snapshot.empty() ? command.backup : command.snapshot;
  if (keys == "-" || command.backup == "-")
    return Error(ErrorCode::kInvalidArgument,
                 "with --escrow a backup is read twice: it has to be a file");
  QUIETUS_TRY_AS(InputFile opened, InputFile::open(keys));
  streams.keys.emplace(std::move(opened));
  return streams;
}

Result<RestoreReport> restore_live(Vault& vault, Streams& streams, const RestoreCommand& command,
                                   const Unlock& unlock, RestoreOptions options) {
  ByteSource base;
  if (streams.base) base = streams.base->source();
  options.base = base ? &base : nullptr;
  return vault.backups()
      .restore(streams.backup.source(), command.making.folder, unlock, options)
      .within(command.backup);
}

Result<RestoreReport> restore_at_site(Vault& site, Streams& streams, const RestoreCommand& command,
                                      const Unlock& unlock, const RestoreOptions& options) {
  if (command.trust.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "--escrow needs --trust: a file that names the log of the vault that was lost");
  QUIETUS_TRY_AS(const Trust trust, read_trust(command.trust));
  ByteSource base;
  if (streams.base) base = streams.base->source();
  EscrowRecovery from;
  from.keys = streams.keys->source();
  from.backup = streams.backup.source();
  from.base = base ? &base : nullptr;
  from.trust = &trust;
  from.log = command.log;
  from.inbox = command.inbox;
  if (!command.accept_log_as_of.empty()) {
    QUIETUS_TRY_AS(from.accept_log_as_of_unix_ms, parse_date(command.accept_log_as_of));
  }
  return site.escrow().recover(from, command.making.folder, unlock, options);
}

Result<void> check_options(const RestoreCommand& command) {
  const bool of_site = !command.snapshot.empty() || !command.trust.empty() ||
                       !command.log.empty() || !command.inbox.empty() ||
                       !command.accept_log_as_of.empty() || !command.takeover.empty();
  if (command.escrow.empty() && of_site)
    return Error(ErrorCode::kInvalidArgument,
                 "--snapshot, --trust, --log, --inbox, --accept-log-as-of and --takeover are for "
                 "--escrow: here the keys and the log are those that the vault has now");
  return {};
}

Json restore_json(const RestoreReport& report, const std::string& folder) {
  Json damages = Json::array();
  for (const Damage& damage : report.damages)
    damages.push_back({{"where", damage.where}, {"what", damage.what}});
  return {{"vault", folder},
          {"instance", report.instance_id},
          {"backup", report.backup_id},
          {"as_of", timestamp(report.as_of_unix_ms)},
          {"restored", report.restored},
          {"bytes", report.bytes},
          {"erased", report.erased},
          {"purged", report.purged},
          {"missing", report.missing},
          {"damages", std::move(damages)},
          {"takeover", report.takeover.empty() ? Json(nullptr) : Json(report.takeover)}};
}

void print_restore(const RestoreReport& report, const std::string& folder, Terminal& terminal) {
  if (terminal.json) return terminal.document(restore_json(report, folder));
  terminal.print(columns({{"vault", folder},
                          {"instance", report.instance_id},
                          {"backup", report.backup_id},
                          {"as of", timestamp(report.as_of_unix_ms)},
                          {"restored", grouped(report.restored) + ", each was opened"},
                          {"size", byte_size(report.bytes)},
                          {"erased", grouped(report.erased) + ", of scopes that were erased"},
                          {"purged", grouped(report.purged) + ", of keys that were destroyed"},
                          {"missing", grouped(report.missing) + ", whose key nobody knows"}}));
  for (const Damage& damage : report.damages) Terminal::message(damage.where + ": " + damage.what);
}

Result<ExitCode> run_restore(const RestoreCommand& command, Invocation& invocation) {
  QUIETUS_TRY(check_options(command));
  invocation.damage_hint = "`quietus backup verify` says whether the backup itself is whole";
  RestoreOptions options;
  options.create.insecure_root_in_vault = command.making.insecure_root_in_vault;
  options.create.accept_unknown_medium = command.making.accept_unknown_medium;
  QUIETUS_TRY_AS(options.create.root_folder, root_folder(command.making.root));
  ProgressLine line("restoring", "");
  options.progress = line.callback();
  QUIETUS_TRY_AS(Streams streams, open_streams(command));
  std::optional<OutputFile> takeover;
  if (!command.takeover.empty()) {
    QUIETUS_TRY_AS(OutputFile file, OutputFile::create(command.takeover));
    takeover.emplace(std::move(file));
  }
  GlobalOptions source = invocation.options;
  if (!command.escrow.empty()) source.vault = command.escrow;
  QUIETUS_TRY_AS(Vault vault, open_for_writing(source));
  QUIETUS_TRY_AS(const Secret secret, secret_of_new(command, source));
  QUIETUS_TRY_AS(const HeldUnlock held, secret.unlock());
  QUIETUS_TRY_AS(const RestoreReport report,
                 command.escrow.empty()
                     ? restore_live(vault, streams, command, held.unlock(), options)
                     : restore_at_site(vault, streams, command, held.unlock(), options));
  if (takeover) {
    QUIETUS_TRY(takeover->write(as_bytes(report.takeover)));
    QUIETUS_TRY(takeover->commit());
  }
  print_restore(report, command.making.folder, invocation.terminal);
  Terminal::hint(
      "this is a second holder of the keys: an erasure has to be made in each of the two, and "
      "certificates of both name the other, until its certificate is imported (`cert import`)");
  return report.complete() ? ExitCode::kDone : ExitCode::kIntegrity;
}

}  // namespace

void attach_restore_command(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<RestoreCommand>();
  CLI::App& restore =
      *group.add_subcommand("restore", "Make a new instance of the vault with a backup's records");
  restore.add_option("FILE", options->backup, "The backup; - for standard input")->required();
  add_making_options(restore, options->making);
  restore.add_option("--base", options->base, "What an incremental backup holds the changes since");
  restore.add_option("--new-key-file", options->new_key_file,
                     "Unlocks the new instance; made when absent (default: as the vault)");
  restore
      .add_option("--new-passphrase-file", options->new_passphrase_file,
                  "Its first line unlocks the new instance")
      ->excludes("--new-key-file");
  restore.add_option("--escrow", options->escrow,
                     "Folder of the recovery site, when the vault itself is lost");
  restore.add_option("--snapshot", options->snapshot,
                     "A newer backup or key snapshot, for the keys (default: FILE)");
  restore.add_option("--trust", options->trust, "A trust file that names the lost vault's log");
  restore.add_option("--log", options->log, "The newest exported copy of that log: a folder");
  restore.add_option("--inbox", options->inbox,
                     "The site's inbox: what it tells of erasures is received first");
  restore.add_option("--accept-log-as-of", options->accept_log_as_of,
                     "The day of the snapshot: what cannot be replayed since then comes back");
  restore.add_option("--takeover", options->takeover,
                     "Write the site's statement here, for the lost host should it come back");
  on_chosen(restore, chosen, std::move(options), run_restore);
}

}  // namespace quietus::cli
