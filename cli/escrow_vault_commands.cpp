// escrow, in the vault whose keys the recovery site may open: import-ring, snapshot,
// import-receipt.
#include "attach.hpp"
#include "backup_output.hpp"
#include "input_file.hpp"
#include "printable_text.hpp"
#include "trust_file.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

constexpr std::size_t kMaxNote = std::size_t{1} << 20;  // bytes, of ring files and receipts

struct ImportCommand {
  std::string file;
  std::string trust;
};

Result<ExitCode> run_import_ring(const ImportCommand& command, Invocation& invocation) {
  std::optional<Trust> trust;
  if (!command.trust.empty()) {
    QUIETUS_TRY_AS(trust, read_trust(command.trust));
  }
  QUIETUS_TRY_AS(const Bytes note, read_file(command.file, kMaxNote));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(
      const RingImport ring,
      vault.escrow().import_ring(as_text(note), trust ? &*trust : nullptr).within(command.file));
  if (invocation.terminal.json)
    invocation.terminal.document({{"ring", ring.ring_id},
                                  {"site", ring.site_id},
                                  {"verifier_key", ring.site_vkey},
                                  {"epochs", ring.epochs},
                                  {"seals_until", timestamp(ring.seals_until_unix_ms)}});
  else
    invocation.terminal.print(columns({{"ring", ring.ring_id},
                                       {"of site", ring.site_id},
                                       {"signed by", ring.site_vkey},
                                       {"epochs", grouped(ring.epochs)},
                                       {"seals until", timestamp(ring.seals_until_unix_ms)}}));
  return ExitCode::kDone;
}

Result<ExitCode> run_import_receipt(const ImportCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const Bytes note, read_file(command.file, kMaxNote));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const ReceiptImport receipt,
                 vault.escrow().import_receipt(as_text(note)).within(command.file));
  if (invocation.terminal.json) {
    invocation.terminal.document({{"ring", receipt.ring_id},
                                  {"epochs", receipt.epochs},
                                  {"snapshots", receipt.snapshots},
                                  {"certificates", receipt.certificates}});
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {
      {"ring", receipt.ring_id},
      {"destroyed",
       counted(receipt.epochs, "epoch") + ", with " + counted(receipt.snapshots, "snapshot")}};
  for (const std::string& id : receipt.certificates) rows.push_back({"final", "certificate " + id});
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

struct TakeoverCommand {
  std::string file;
  bool yes = false;
};

Result<ExitCode> run_takeover(const TakeoverCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const Bytes note, read_file(command.file, kMaxNote));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  if (!command.yes) {
    Terminal::plan(
        "Another instance of this vault goes on in its place. Nothing can be written here any "
        "more, "
        "for\never; reading, erasing and destroying go on.\n");
    QUIETUS_TRY(Terminal::confirm("Give way to it?", "yield"));
  }
  QUIETUS_TRY(vault.escrow().yield(as_text(note)).within(command.file));
  if (invocation.terminal.json)
    invocation.terminal.document({{"yielded", true}});
  else
    invocation.terminal.line("this vault has given way to another instance");
  return ExitCode::kDone;
}

struct SnapshotCommand {
  std::string place;
};

Result<ExitCode> run_snapshot(const SnapshotCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  const std::filesystem::path path = new_file_for(command.place, ".snapshot");
  QUIETUS_TRY_AS(const BackupInfo made, create_new_file(path, [&](const ByteSink& sink) {
                   return vault.escrow().snapshot(sink);
                 }));
  if (invocation.terminal.json) {
    Json document = cli::json_of(made);
    document["file"] = path.string();
    invocation.terminal.document(document);
    return ExitCode::kDone;
  }
  invocation.terminal.print(columns({{"file", path.string()},
                                     {"snapshot", made.id},
                                     {"size", byte_size(made.bytes)},
                                     {"as of", timestamp(made.begun_unix_ms)},
                                     {"opens until", timestamp(made.epoch_expires_unix_ms)}}));
  return ExitCode::kDone;
}

}  // namespace

void attach_escrow_vault_commands(CLI::App& group, Action& chosen) {
  auto ring = std::make_shared<ImportCommand>();
  CLI::App& import_ring = *group.add_subcommand(
      "import-ring", "In the vault: seal key snapshots to this ring from now on");
  import_ring.add_option("FILE", ring->file, "The ring file of a recovery site")->required();
  import_ring.add_option("--trust", ring->trust,
                         "A trust file that names the site's log; for the first file of a ring");
  on_chosen(import_ring, chosen, std::move(ring), run_import_ring);

  auto snapshot = std::make_shared<SnapshotCommand>();
  CLI::App& made =
      *group.add_subcommand("snapshot", "In the vault: write a key snapshot, sealed to the ring");
  made.add_option("DEST", snapshot->place, "A new file, or a folder")->required();
  on_chosen(made, chosen, std::move(snapshot), run_snapshot);

  auto takeover = std::make_shared<TakeoverCommand>();
  CLI::App& yield = *group.add_subcommand(
      "takeover", "In a lost host that came back: give way to the instance that took its place");
  yield.add_option("FILE", takeover->file, "What the site stated when it recovered the vault")
      ->required();
  yield.add_flag("--yes", takeover->yes, "Do not ask");
  on_chosen(yield, chosen, std::move(takeover), run_takeover);

  auto receipt = std::make_shared<ImportCommand>();
  CLI::App& import_receipt = *group.add_subcommand(
      "import-receipt", "In the vault: make certificates final whose snapshots are gone");
  import_receipt.add_option("FILE", receipt->file, "The receipt of a recovery site")->required();
  on_chosen(import_receipt, chosen, std::move(receipt), run_import_receipt);
}

}  // namespace quietus::cli
