// audit: log, verify, checkpoint, report.
#include "attach.hpp"
#include "audit_report.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct LogCommand {
  std::uint64_t from = 0;
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

Result<ExitCode> run_verify(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const LogHead head, vault.verify_log());
  QUIETUS_TRY_AS(const std::string key, vault.log_verifier_key());
  if (invocation.terminal.json) {
    Json document = head_json(head);
    document["verifier_key"] = key;
    document["valid"] = true;
    invocation.terminal.document(document);
  } else {
    invocation.terminal.print(columns({{"valid", counted(head.size, "line")},
                                       {"origin", head.origin},
                                       {"root hash", head.root_hash},
                                       {"verifier key", key}}));
  }
  return ExitCode::kDone;
}

// The signed note as it is: every byte of it counts.
Result<ExitCode> run_checkpoint(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::string checkpoint, vault.log_checkpoint());
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
                              {"exports", report.exports}});
  terminal.print(columns({{"report", file},
                          {"erasures", grouped(report.erasures) + ": " + grouped(report.complete) +
                                           " complete, " + grouped(report.partial) + " partial, " +
                                           grouped(report.not_valid) + " not valid"},
                          {"pending", grouped(report.pending)},
                          {"exports", grouped(report.exports)}}));
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

}  // namespace

void attach_audit_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "audit", "The log of what happened to keys");
  auto options = std::make_shared<LogCommand>();
  CLI::App& log = *group.add_subcommand("log", "Print it, one line of JSON per entry");
  // CLI11 reads -1 as a very large unsigned number.
  log.add_option("--from", options->from, "Index of the first entry; the log begins with 0")
      ->check(CLI::NonNegativeNumber);
  on_chosen(log, chosen, std::move(options), run_log);
  plain_command(group, "verify", "Recompute and check all of it", chosen, run_verify);
  plain_command(group, "checkpoint", "Print a signed checkpoint (C2SP)", chosen, run_checkpoint);

  auto reported = std::make_shared<ReportCommand>();
  CLI::App& report = *group.add_subcommand("report", "Write a page for a periodic review");
  report.add_option("-o", reported->output, "Where the page goes (HTML)")->required();
  report.add_option("--from", reported->period.from, "First day, such as 2026-01-01 (UTC)");
  report.add_option("--to", reported->period.to, "Last day, included");
  on_chosen(report, chosen, std::move(reported), run_report);
}

}  // namespace quietus::cli
