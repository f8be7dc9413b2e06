// escrow: the recovery site and its ring.
#include "attach.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "vault_making.hpp"

namespace quietus::cli {
namespace {

// A signed note goes to its file, which is made before anything else is done: a wrong path is found
// in time.
Result<void> write_note(OutputFile& file, const std::string& note) {
  QUIETUS_TRY(file.write(as_bytes(note)));
  return file.commit();
}

// ---- init -------------------------------------------------------------------------------------

struct EscrowInit {
  MakingOptions making;
  RingOptions ring;
  std::string output;
};

// A site in a folder that holds a vault already gets its ring there: so one whose making was
// interrupted is finished by asking again. The ring itself refuses a vault that is used.
Result<MadeVault> make_site(const MakingOptions& making, const GlobalOptions& options) {
  std::error_code unknown;
  if (!std::filesystem::exists(std::filesystem::path(making.folder) / "vault.json", unknown))
    return make_vault(making, options);
  GlobalOptions there = options;
  there.vault = making.folder;
  QUIETUS_TRY_AS(Vault vault, open_for_writing(there));
  QUIETUS_TRY_AS(VaultStatus status, vault.status());
  return MadeVault{std::move(vault), std::move(status), false};
}

Json init_json(const EscrowInit& command, const MadeVault& made, const RingInfo& ring) {
  Json document = place_json(command.making.folder, made.status);
  document["key_file_made"] = made.key_file_made;
  document["ring"] = ring.ring_id;
  document["epochs"] = ring.epochs.size();
  document["verifier_key"] = ring.site_vkey;
  document["ring_file"] = ring.ring_file;
  document["file"] = command.output.empty() ? Json(nullptr) : Json(command.output);
  return document;
}

// Without a file the ring file itself is the result.
void print_init(const EscrowInit& command, const MadeVault& made, const RingInfo& ring,
                Terminal& terminal) {
  if (terminal.json) return terminal.document(init_json(command, made, ring));
  if (command.output.empty()) {
    terminal.verbatim(ring.ring_file);
    return Terminal::message("the site signs with " + ring.site_vkey);
  }
  auto rows = place_rows(command.making.folder, made.status);
  rows.push_back({"ring", ring.ring_id});
  rows.push_back({"ring file", command.output});
  rows.push_back({"epochs", grouped(ring.epochs.size()) + ", until " +
                                timestamp(ring.epochs.back().closes_unix_ms)});
  rows.push_back({"signs with", ring.site_vkey});
  terminal.print(columns(rows));
}

Result<ExitCode> run_escrow_init(const EscrowInit& command, Invocation& invocation) {
  QUIETUS_TRY(check_ring_options(command.ring));
  std::optional<OutputFile> file;
  if (!command.output.empty()) {
    QUIETUS_TRY_AS(OutputFile prepared, OutputFile::create(command.output));
    file.emplace(std::move(prepared));
  }
  QUIETUS_TRY_AS(MadeVault made, make_site(command.making, invocation.options));
  QUIETUS_TRY_AS(const RingInfo ring,
                 made.vault.escrow().init(command.ring).within(command.making.folder));
  if (file) QUIETUS_TRY(write_note(*file, ring.ring_file));
  print_init(command, made, ring, invocation.terminal);
  return ExitCode::kDone;
}

// ---- list -------------------------------------------------------------------------------------

Json json_of(const EpochInfo& epoch) {
  const bool gone = epoch.state == EpochState::kDestroyed;
  return {{"id", epoch.id},
          {"opens", timestamp(epoch.opens_unix_ms)},
          {"closes", timestamp(epoch.closes_unix_ms)},
          {"expires", timestamp(epoch.expires_unix_ms)},
          {"state", std::string(name_of(epoch.state))},
          {"destroyed", gone ? Json(timestamp(epoch.destroyed_unix_ms)) : Json(nullptr)},
          {"erasure_id", gone ? Json(epoch.erasure_id) : Json(nullptr)}};
}

Json json_of(const std::vector<EpochInfo>& epochs) {
  Json list = Json::array();
  for (const EpochInfo& epoch : epochs) list.push_back(json_of(epoch));
  return list;
}

Json ring_json(const RingInfo& ring) {
  return {{"ring", ring.ring_id},
          {"site", ring.site_id},
          {"issued", timestamp(ring.issued_unix_ms)},
          {"verifier_key", ring.site_vkey}};
}

Result<ExitCode> run_escrow_list(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const RingInfo ring, vault.escrow().ring());
  if (invocation.terminal.json) {
    Json document = ring_json(ring);
    document["epochs"] = json_of(ring.epochs);
    invocation.terminal.document(document);
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"EPOCH", "OPENS", "CLOSES", "EXPIRES", "STATE"}};
  for (const EpochInfo& epoch : ring.epochs) {
    std::string state(name_of(epoch.state));
    if (epoch.state == EpochState::kDestroyed) state += " " + timestamp(epoch.destroyed_unix_ms);
    rows.push_back({epoch.id, timestamp(epoch.opens_unix_ms), timestamp(epoch.closes_unix_ms),
                    timestamp(epoch.expires_unix_ms), std::move(state)});
  }
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

// ---- roll -------------------------------------------------------------------------------------

struct RollCommand {
  std::string folder;
  std::string now;
  bool yes = false;
};

// Where a site puts what it publishes.
struct Publication {
  OutputFile ring;
  OutputFile receipt;
};

Result<std::optional<Publication>> prepare_publication(const std::string& folder) {
  if (folder.empty()) return std::optional<Publication>();
  const std::filesystem::path place(folder);
  QUIETUS_TRY_AS(OutputFile ring, OutputFile::create(place / "ring"));
  QUIETUS_TRY_AS(OutputFile receipt, OutputFile::create(place / "receipt"));
  return std::optional(Publication{std::move(ring), std::move(receipt)});
}

// The ring file first: who has only that seals to what lives.
Result<void> publish(std::optional<Publication>& files, const RingInfo& ring) {
  if (!files) return {};
  Result<void> written = write_note(files->ring, ring.ring_file);
  if (written) written = write_note(files->receipt, ring.receipt);
  if (written) return {};
  return Error(written.error().code(),
               "the roll is done, and its files were not written: " + written.error().context() +
                   "; run it again to write them");
}

Result<std::string> end_plan(const RingInfo& ring, const std::string& id) {
  const auto found = std::ranges::find(ring.epochs, id, &EpochInfo::id);
  if (found == ring.epochs.end())
    return Error(ErrorCode::kNotFound, "no epoch of this ring: " + id);
  if (found->state == EpochState::kDestroyed)
    return Error(ErrorCode::kErased, "the key of that epoch was destroyed before");
  std::string plan = "This destroys, now and for ever, the key of\n" +
                     columns({{"  " + id, std::string(name_of(found->state)),
                               "would expire " + timestamp(found->expires_unix_ms)}}) +
                     "Every key snapshot that is sealed to this epoch becomes unreadable, wherever "
                     "it is kept.\n"
                     "A vault that is to be recoverable needs a snapshot that is sealed to another "
                     "epoch, made first.\n";
  if (found->state == EpochState::kOpen)
    plan +=
        "It is the open one; another opens in its place. Until a vault has the new ring file, it\n"
        "seals to a key that is gone.\n";
  return plan;
}

Json roll_json(const RollReport& report, const RollCommand& command) {
  Json document = ring_json(report.ring);
  document["new"] = report.issued;
  document["made"] = report.made;
  document["destroyed"] = json_of(report.destroyed);
  document["held"] = report.held;
  document["ring_file"] = report.ring.ring_file;
  document["receipt"] = report.ring.receipt;
  document["folder"] = command.folder.empty() ? Json(nullptr) : Json(command.folder);
  return document;
}

void print_roll(const RollReport& report, const RollCommand& command, Terminal& terminal) {
  if (terminal.json) return terminal.document(roll_json(report, command));
  std::vector<std::vector<std::string>> rows;
  for (const EpochInfo& epoch : report.destroyed)
    rows.push_back({"destroyed", epoch.id + "  erasure " + epoch.erasure_id});
  if (report.destroyed.empty()) rows.push_back({"destroyed", "nothing: no epoch was due"});
  rows.push_back({"new epochs", grouped(report.made)});
  rows.push_back({"ring file", (report.issued ? "new, issued " : "as it was, issued ") +
                                   timestamp(report.ring.issued_unix_ms)});
  if (!command.folder.empty()) rows.push_back({"written to", command.folder});
  terminal.print(columns(rows));
  if (command.folder.empty() && report.issued)
    Terminal::hint("`escrow roll -o FOLDER` writes ring file and receipt, now or later");
}

Result<ExitCode> run_roll(const RollCommand& command, Invocation& invocation) {
  if (command.yes && command.now.empty())
    return Error(ErrorCode::kInvalidArgument, "escrow roll: --yes is for --now");
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  if (!command.now.empty()) {
    QUIETUS_TRY_AS(const RingInfo ring, vault.escrow().ring());
    QUIETUS_TRY_AS(const std::string plan, end_plan(ring, command.now));
    Terminal::plan(plan);
    if (!command.yes)
      QUIETUS_TRY(Terminal::confirm("Destroy it before its time?", command.now.substr(0, 8)));
  }
  QUIETUS_TRY_AS(std::optional<Publication> files, prepare_publication(command.folder));
  QUIETUS_TRY_AS(const RollReport report, command.now.empty()
                                              ? vault.escrow().roll()
                                              : vault.escrow().roll_now(command.now));
  QUIETUS_TRY(publish(files, report.ring));
  print_roll(report, command, invocation.terminal);
  if (report.held.empty()) return ExitCode::kDone;
  Terminal::message(counted(report.held.size(), "epoch") +
                    " expired and was kept by a legal hold at this site");
  return ExitCode::kRefused;
}

void attach_roll(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<RollCommand>();
  CLI::App& roll = *group.add_subcommand(
      "roll", "Destroy the keys of expired epochs; issue ring file and receipt");
  roll.add_option("-o", options->folder, "Folder for the files `ring` and `receipt`");
  roll.add_option("--now", options->now, "Also destroy the key of this epoch, before its time");
  roll.add_flag("--yes", options->yes, "Do not ask");
  on_chosen(roll, chosen, std::move(options), run_roll);
}

}  // namespace

void attach_escrow_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "escrow", "The recovery site, and the ring of its epochs");

  auto made = std::make_shared<EscrowInit>();
  CLI::App& init =
      *group.add_subcommand("init", "Make a recovery site: a vault, with a ring in it");
  add_making_options(init, made->making);
  init.add_option("--epoch", made->ring.epoch, "How long an epoch is sealed to: 1d, 1w");
  init.add_option("--life", made->ring.life,
                  "From its opening to the destruction of its key: 14d, 4w");
  init.add_option("-o", made->output, "Write the ring file here, not to standard output");
  on_chosen(init, chosen, std::move(made), run_escrow_init);

  attach_roll(group, chosen);
  attach_escrow_vault_commands(group, chosen);
  attach_inbox_commands(group, chosen);
  plain_command(group, "list", "Every epoch, and whether its key still lives", chosen,
                run_escrow_list);
}

}  // namespace quietus::cli
