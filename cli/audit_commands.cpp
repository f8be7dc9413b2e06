// audit: log, verify, checkpoint, proof, add-cosignature, export, report.
#include "attach.hpp"
#include "audit_report.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"
#include "trust_file.hpp"

#include <quietus/trust.hpp>

#include <nlohmann/json.hpp>
#include <optional>

namespace quietus::cli {
namespace {

constexpr std::size_t kNoteLimit = std::size_t{1} << 20;  // bytes

struct LogCommand {
  std::uint64_t from = 0;
};
struct VerifyLog {
  std::string folder;
  std::string against;
  std::string trust;
};
struct CheckpointCommand {
  std::optional<std::uint64_t> size;
};
struct ProofCommand {
  std::uint64_t from = 0;
  std::optional<std::uint64_t> size;
};
struct AddCommand {
  std::string file;
  std::string trust;
};
struct ExportCommand {
  std::string folder;
  std::optional<std::uint64_t> size;
};

struct ReportCommand {
  std::string output;
  ReportPeriod period;
};

Json head_json(const LogHead& head) {
  return {{"origin", head.origin}, {"size", head.size}, {"root_hash", head.root_hash}};
}

// Every line is JSON already. With --json they become one document; what does not parse, which
// cannot be, stays text.
Result<ExitCode> run_log(const LogCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const LogHead head, vault.log_head());
  Json entries = Json::array();
  for (std::uint64_t index = command.from; index < head.size; ++index) {
    QUIETUS_TRY_AS(const std::string entry,
                   vault.log_entry(index).within("entry " + std::to_string(index)));
    if (!invocation.terminal.json) {
      invocation.terminal.line(entry);
      continue;
    }
    Json parsed = Json::parse(entry, nullptr, false);
    entries.push_back(parsed.is_discarded() ? Json(entry) : std::move(parsed));
  }
  if (!invocation.terminal.json) return ExitCode::kDone;
  Json document = head_json(head);
  document["from"] = command.from;
  document["entries"] = std::move(entries);
  invocation.terminal.document(document);
  return ExitCode::kDone;
}

// ---- verify -----------------------------------------------------------------------------------

Result<LogExpectations> expectations_of(const VerifyLog& command) {
  LogExpectations expectations;
  if (!command.trust.empty()) {
    QUIETUS_TRY_AS(expectations.trust, read_trust(command.trust));
  }
  if (!command.against.empty()) {
    QUIETUS_TRY_AS(const Bytes note, read_file(command.against, kNoteLimit));
    expectations.older_checkpoint = as_text(note);
  }
  return expectations;
}

std::string lines_under(std::string_view heading, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "  " + printable(line) + "\n";
  return text.empty() ? text : std::string(heading) + "\n" + text;
}

void show_verified(const VerifiedLog& log, Terminal& terminal) {
  const CheckedCheckpoint& head = log.head;
  if (terminal.json) {
    Json document = to_json(head);
    document["verifier_key"] = head.log_vkey.empty() ? Json(nullptr) : Json(head.log_vkey);
    document["valid"] = true;
    document["against"] = log.older ? to_json(*log.older) : Json(nullptr);
    document["witnesses"] = to_json(head.witnesses);
    document["checked"] = log.checked;
    document["not_checked"] = log.not_checked;
    terminal.document(document);
    return;
  }
  std::vector<std::vector<std::string>> rows = {{"valid", counted(head.size, "line")},
                                                {"origin", head.origin},
                                                {"root hash", head.root_hash}};
  if (!head.log_vkey.empty()) rows.push_back({"verifier key", head.log_vkey});
  terminal.print(columns(rows) + lines_under("checked", log.checked) +
                 lines_under("not checked", log.not_checked));
}

// The lines about a log that was recomputed by its own vault.
void report_own_log(const LogExpectations& expectations, VerifiedLog& log) {
  log.checked.emplace_back(
      "Entries: all of them are there and hash to the root, and nothing lies beyond.");
  if (expectations.trust)
    log.checked.emplace_back("Trust file: it names this log's key, and its quorum, " +
                             expectations.trust->quorum() + ", is met.");
  if (expectations.older_checkpoint)
    log.checked.emplace_back("Continuity: the log goes on from the older checkpoint.");
  else
    log.not_checked.emplace_back(
        "Whether the log was changed or cut since an earlier time: give an older checkpoint with "
        "--against.");
}

Result<VerifiedLog> verify_own_log(const LogExpectations& expectations, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  const auto& older = expectations.older_checkpoint;
  QUIETUS_TRY_AS(const LogHead head,
                 vault.verify_log(older ? std::optional<std::string_view>(*older) : std::nullopt));
  QUIETUS_TRY_AS(const std::string key, vault.log_verifier_key());
  VerifiedLog log;
  log.head = {head.origin, head.size, head.root_hash, key, {}};
  if (expectations.trust) {
    QUIETUS_TRY_AS(const std::string note, vault.log_checkpoint(head.size));
    QUIETUS_TRY_AS(log.head, expectations.trust->check_checkpoint(note));
  }
  if (older) {
    QUIETUS_TRY_AS(const Trust own, Trust::parse("log " + key + "\nquorum none\n"));
    const Trust& trust = expectations.trust ? *expectations.trust : own;
    QUIETUS_TRY_AS(log.older, trust.open_checkpoint(*older).within("older checkpoint"));
  }
  report_own_log(expectations, log);
  return log;
}

// Of a folder offline, else of the vault.
Result<ExitCode> run_verify_log(const VerifyLog& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const LogExpectations expectations, expectations_of(command));
  QUIETUS_TRY_AS(const VerifiedLog log,
                 command.folder.empty()
                     ? verify_own_log(expectations, invocation)
                     : verify_log_folder(command.folder, expectations).within(command.folder));
  show_verified(log, invocation.terminal);
  return ExitCode::kDone;
}

// ---- checkpoint, proof, add-cosignature, export -------------------------------------------------

// The signed note as it is: every byte of it counts.
Result<ExitCode> run_checkpoint(const CheckpointCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::string checkpoint, vault.log_checkpoint(command.size));
  if (!invocation.terminal.json) {
    invocation.terminal.verbatim(checkpoint);
    return ExitCode::kDone;
  }
  QUIETUS_TRY_AS(const std::string key, vault.log_verifier_key());
  invocation.terminal.document({{"checkpoint", checkpoint}, {"verifier_key", key}});
  return ExitCode::kDone;
}

void print_report(Terminal& terminal, const AuditReport& report, const std::string& file) {
  if (terminal.json)
    return terminal.document({{"file", file},
                              {"erasures", report.erasures},
                              {"complete", report.complete},
                              {"partial", report.partial},
                              {"not_valid", report.not_valid},
                              {"pending", report.pending},
                              {"exports", report.exports},
                              {"governed", report.governed},
                              {"overdue_requests", report.overdue_requests},
                              {"review_overdue", report.review_overdue}});
  std::string governance =
      report.governed ? "governed" : "none: one person may do everything alone";
  if (report.overdue_requests > 0)
    governance += ", " + counted(report.overdue_requests, "request") + " OVERDUE";
  if (report.review_overdue) governance += ", access review OVERDUE";
  terminal.print(columns({{"report", file},
                          {"erasures", grouped(report.erasures) + ": " + grouped(report.complete) +
                                           " complete, " + grouped(report.partial) + " partial, " +
                                           grouped(report.not_valid) + " not valid"},
                          {"pending", grouped(report.pending)},
                          {"exports", grouped(report.exports)},
                          {"operators", std::move(governance)}}));
}

Result<ExitCode> run_report(const ReportCommand& command, Invocation& invocation) {
  QUIETUS_TRY(check_period(command.period));
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const AuditReport report, audit_report(vault, command.period));
  QUIETUS_TRY_AS(OutputFile page, OutputFile::create(command.output));
  QUIETUS_TRY(page.write(as_bytes(report.page)));
  QUIETUS_TRY(page.commit());
  print_report(invocation.terminal, report, command.output);
  return ExitCode::kDone;
}

Result<ExitCode> run_proof(const ProofCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::string request, vault.log_proof(command.from, command.size));
  if (invocation.terminal.json)
    invocation.terminal.document({{"from", command.from}, {"request", request}});
  else
    invocation.terminal.verbatim(request);
  return ExitCode::kDone;
}

Result<ExitCode> run_add(const AddCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const Trust trust, read_trust(command.trust));
  QUIETUS_TRY_AS(const Bytes note, read_file(command.file, kNoteLimit));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const std::vector<WitnessStatement> added,
                 vault.add_cosignatures(as_text(note), trust).within(command.file));
  if (invocation.terminal.json) {
    invocation.terminal.document({{"witnesses", to_json(added)}});
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows;
  rows.reserve(added.size());
  for (const WitnessStatement& statement : added)
    rows.push_back({"kept", statement.witness, timestamp(statement.unix_ms)});
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

Result<ExitCode> run_export(const ExportCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const LogHead head, vault.export_log(command.folder, command.size));
  if (invocation.terminal.json) {
    Json document = head_json(head);
    document["folder"] = command.folder;
    invocation.terminal.document(document);
  } else {
    invocation.terminal.print(
        columns({{"exported", counted(head.size, "line")}, {"folder", command.folder}}));
  }
  return ExitCode::kDone;
}

void attach_log(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<LogCommand>();
  CLI::App& log = *group.add_subcommand("log", "Print it, one line of JSON per entry");
  // CLI11 reads -1 as a very large unsigned number.
  log.add_option("--from", options->from, "Index of the first entry; the log begins with 0")
      ->check(CLI::NonNegativeNumber);
  on_chosen(log, chosen, std::move(options), run_log);
}

void attach_verify(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<VerifyLog>();
  CLI::App& verify = *group.add_subcommand("verify", "Recompute and check all of it");
  verify.add_option("DIR", options->folder, "An exported log; without it, that of the vault");
  verify.add_option("--against", options->against,
                    "A checkpoint from earlier, that the log must go on from");
  verify.add_option("--trust", options->trust, "Keys of the log and of witnesses; docs/format.md");
  on_chosen(verify, chosen, std::move(options), run_verify_log);
}

// Commands for who brings the log to witnesses and to auditors.
void attach_sharing(CLI::App& group, Action& chosen) {
  auto signed_at = std::make_shared<CheckpointCommand>();
  CLI::App& checkpoint = *group.add_subcommand("checkpoint", "Print a signed checkpoint (C2SP)");
  checkpoint.add_option("--size", signed_at->size, "That of the log when it had so many entries")
      ->check(CLI::NonNegativeNumber);
  on_chosen(checkpoint, chosen, std::move(signed_at), run_checkpoint);

  auto proved = std::make_shared<ProofCommand>();
  CLI::App& proof = *group.add_subcommand("proof", "Print what a witness is asked with (C2SP)");
  proof.add_option("--from", proved->from, "Size of the log that the witness cosigned last, or 0")
      ->required()
      ->check(CLI::NonNegativeNumber);
  proof.add_option("--size", proved->size, "To that of the log when it had so many entries")
      ->check(CLI::NonNegativeNumber);
  on_chosen(proof, chosen, std::move(proved), run_proof);

  auto added = std::make_shared<AddCommand>();
  CLI::App& add = *group.add_subcommand("add-cosignature", "Keep what witnesses signed");
  add.add_option("FILE", added->file, "What `audit cosign` printed")->required();
  add.add_option("--trust", added->trust, "The trust file that names the witnesses")->required();
  on_chosen(add, chosen, std::move(added), run_add);

  auto exported = std::make_shared<ExportCommand>();
  CLI::App& write = *group.add_subcommand("export", "Write it into a folder (C2SP tiles)");
  write.add_option("-o", exported->folder, "A folder that is absent or empty")->required();
  write.add_option("--size", exported->size, "As it was when it had so many entries")
      ->check(CLI::NonNegativeNumber);
  on_chosen(write, chosen, std::move(exported), run_export);
}

void attach_report(CLI::App& group, Action& chosen) {
  auto reported = std::make_shared<ReportCommand>();
  CLI::App& report = *group.add_subcommand("report", "Write a page for a periodic review");
  report.add_option("-o", reported->output, "Where the page goes (HTML)")->required();
  report.add_option("--from", reported->period.from, "First day, such as 2026-01-01 (UTC)");
  report.add_option("--to", reported->period.to, "Last day, included");
  on_chosen(report, chosen, std::move(reported), run_report);
}

}  // namespace

void attach_audit_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "audit", "The log of what happened to keys");
  attach_log(group, chosen);
  attach_verify(group, chosen);
  attach_sharing(group, chosen);
  attach_witness_commands(group, chosen);
  attach_report(group, chosen);
}

}  // namespace quietus::cli
