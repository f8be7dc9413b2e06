// backup verify: without keys, and with those of a vault.
#include "attach.hpp"
#include "backup_output.hpp"
#include "printable_text.hpp"
#include "trust_file.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct VerifyBackupCommand {
  std::string place;
  std::string base;
  std::string trust;
};

Json json_of_checked(const CheckedBackup& backup) {
  Json document = json_of(backup.info);
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

std::string shown_place(const VerifyBackupCommand& command) {
  return command.place == "-" ? "standard input" : command.place;
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

Result<ExitCode> verify_without_keys(const VerifyBackupCommand& command, Invocation& invocation) {
  std::optional<Trust> trust;
  if (!command.trust.empty()) {
    QUIETUS_TRY_AS(trust, read_trust(command.trust));
  }
  QUIETUS_TRY_AS(InputFile file, InputFile::open(command.place));
  QUIETUS_TRY_AS(auto base_file, open_base(command.base));
  const ByteSource base = base_file ? base_file->source() : ByteSource();
  QUIETUS_TRY_AS(const CheckedBackup backup,
                 check_backup(file.source(), trust ? &*trust : nullptr, base ? &base : nullptr)
                     .within(shown_place(command)));
  if (invocation.terminal.json)
    invocation.terminal.document(json_of_checked(backup));
  else
    print_checked(invocation.terminal, backup, base_file.has_value());
  if (!backup.trusted)
    Terminal::message(
        "whose key signed it was not checked: name the log in a trust file (--trust)");
  return ExitCode::kDone;
}

Json json_of_opened(const OpenedBackup& opened) {
  Json document = json_of_checked(opened.backup);
  Json damages = Json::array();
  for (const Damage& damage : opened.damages)
    damages.push_back({{"where", damage.where}, {"what", damage.what}});
  document["opened"] = {{"records", opened.opened},
                        {"bytes", opened.bytes},
                        {"erased", opened.erased},
                        {"purged", opened.purged},
                        {"missing", opened.missing},
                        {"damaged", opened.damaged},
                        {"contents_not_opened", opened.contents_not_opened},
                        {"damages", std::move(damages)}};
  return document;
}

void print_opened(Terminal& terminal, const OpenedBackup& opened) {
  ShownLines lines = {
      {"opened", counted(opened.opened, "record") + ", " + byte_size(opened.bytes)}};
  const auto line = [&](std::string name, std::uint64_t number, const std::string& what) {
    if (number != 0) lines.push_back({std::move(name), grouped(number) + what});
  };
  line("erased", opened.erased, " of erased scopes, which nothing opens any more");
  line("purged", opened.purged, " of keys that were replaced and destroyed");
  line("not opened", opened.contents_not_opened, " large ones, of which the content was not read");
  line("no key", opened.missing, " whose key this vault never had");
  line("damaged", opened.damaged, " do not open");
  terminal.print(columns(lines));
  for (const Damage& damage : opened.damages)
    Terminal::message("damaged: " + damage.where + ": " + damage.what);
}

Result<ExitCode> verify_with_keys(const VerifyBackupCommand& command, Invocation& invocation) {
  if (!command.trust.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "with a vault its own log key counts; leave --trust away");
  QUIETUS_TRY_AS(InputFile file, InputFile::open(command.place));
  QUIETUS_TRY_AS(auto base_file, open_base(command.base));
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  invocation.damage_hint = kDamagedBackup;
  const ByteSource base = base_file ? base_file->source() : ByteSource();
  QUIETUS_TRY_AS(
      const OpenedBackup opened,
      vault.backups().verify(file.source(), base ? &base : nullptr).within(shown_place(command)));
  if (invocation.terminal.json) {
    invocation.terminal.document(json_of_opened(opened));
  } else {
    print_checked(invocation.terminal, opened.backup, base_file.has_value());
    print_opened(invocation.terminal, opened);
  }
  return opened.sound() ? ExitCode::kDone : ExitCode::kIntegrity;
}

Result<ExitCode> run_verify_backup(const VerifyBackupCommand& command, Invocation& invocation) {
  if (command.place == "-" && command.base == "-")
    return Error(ErrorCode::kInvalidArgument, "only one of the two comes from standard input");
  if (invocation.options.vault_given) return verify_with_keys(command, invocation);
  invocation.damage_hint = kDamagedBackup;
  return verify_without_keys(command, invocation);
}

}  // namespace

void attach_backup_verify(CLI::App& group, Action& chosen) {
  auto checked = std::make_shared<VerifyBackupCommand>();
  CLI::App& verify = *group.add_subcommand(
      "verify", "Whether a backup is whole and signed; with --vault, whether it opens");
  verify.add_option("FILE", checked->place, "- for standard input")->required();
  verify.add_option("--base", checked->base,
                    "Of an incremental backup: the one that it holds the changes since");
  verify.add_option("--trust", checked->trust, "A trust file that names the log whose key signed");
  on_chosen(verify, chosen, std::move(checked), run_verify_backup);
}

}  // namespace quietus::cli
