// backup drill: a restore on trial, and its report.
#include "attach.hpp"
#include "backup_output.hpp"
#include "html.hpp"
#include "output_file.hpp"
#include "page_assets.hpp"
#include "printable_text.hpp"
#include "progress.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

constexpr std::string_view kDrillPage = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{{style-digest}}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Recovery drill, {{verdict}}</title>
<style>{{style}}</style>
</head>
<body class="report">
<header><p class="maker">Quietus</p><h1>Recovery drill: {{verdict}}</h1></header>
<main>
<p>{{story}}</p>
<table><tbody>
{{rows}}
</tbody></table>
</main>
<footer><p>A page is a view. The evidence is the signed report, whose hash is in the vault's log (drill-done).</p></footer>
</body>
</html>
)";

struct DrillCommand {
  std::string backup;
  std::string base;
  std::string scratch;
  std::uint32_t days = 30;
  std::string report;
  std::string page;
};

using DrillRows = std::vector<std::vector<std::string>>;

DrillRows drill_rows(const DrillReport& report) {
  const RestoreReport& restore = report.restore;
  DrillRows rows = {
      {"result", report.passed() ? "passed" : "FAILED"},
      {"backup", restore.backup_id},
      {"as of", timestamp(restore.as_of_unix_ms)},
      {"restored", grouped(restore.restored) + ", each was opened"},
      {"size", byte_size(restore.bytes)},
      {"recovered in", grouped(report.milliseconds) + " ms"},
      {"compared", grouped(report.compared) + " that are the same version in the vault; " +
                       grouped(report.differing) + " differ"},
      {"changed since", grouped(report.changed)},
      {"erased", grouped(restore.erased) + " records of erased scopes stayed away"},
      {"purged", grouped(restore.purged)},
      {"missing", grouped(restore.missing) + ", whose key nobody knows"},
      {"damaged", grouped(restore.damages.size())},
      {"erased scopes", grouped(report.erased_scopes) + " tried, " +
                            grouped(report.erased_scopes_readable) + " readable"}};
  if (!report.key_memory_locked)
    rows.push_back({"key memory", "not locked: the root key may have been swapped"});
  if (report.restricted_scopes > 0)
    rows.push_back({"restricted", counted(report.restricted_scopes, "scope") + ", not compared"});
  return rows;
}

Json drill_json(const DrillReport& report) {
  const RestoreReport& restore = report.restore;
  return {{"passed", report.passed()},
          {"backup", restore.backup_id},
          {"as_of", timestamp(restore.as_of_unix_ms)},
          {"done", timestamp(report.done_unix_ms)},
          {"milliseconds", report.milliseconds},
          {"restored", restore.restored},
          {"bytes", restore.bytes},
          {"erased", restore.erased},
          {"purged", restore.purged},
          {"missing", restore.missing},
          {"damaged", restore.damages.size()},
          {"compared", report.compared},
          {"differing", report.differing},
          {"changed_since", report.changed},
          {"restricted_scopes", report.restricted_scopes},
          {"erased_scopes_tried", report.erased_scopes},
          {"erased_scopes_readable", report.erased_scopes_readable},
          {"key_memory_locked", report.key_memory_locked},
          {"report", Json::parse(report.signed_report)}};
}

std::string drill_page(const DrillReport& report) {
  std::string rows;
  for (const auto& row : drill_rows(report))
    rows += "<tr><th scope=\"row\">" + html(row[0]) + "</th><td>" + html(row[1]) + "</td></tr>\n";
  const std::string verdict = report.passed() ? "passed" : "failed";
  const std::string story =
      "On " + timestamp(report.done_unix_ms) + " backup " + report.restore.backup_id +
      " was restored into a scratch place under a root key that was in " +
      (report.key_memory_locked ? "locked memory" : "memory that could not be locked") +
      " alone, and taken away again.";
  const PageAssets& assets = page_assets();
  return filled(kDrillPage, {{"style", std::string(assets.style)},
                             {"style-digest", std::string(assets.style_digest)},
                             {"verdict", html(verdict)},
                             {"story", html(story)},
                             {"rows", rows}});
}

Result<std::optional<OutputFile>> prepared(const std::string& path) {
  if (path.empty()) return std::optional<OutputFile>();
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(path));
  return std::optional<OutputFile>(std::move(file));
}

Result<void> write_out(std::optional<OutputFile>& file, const std::string& text) {
  if (!file) return {};
  QUIETUS_TRY(file->write(as_bytes(text)));
  return file->commit();
}

Result<ExitCode> run_drill(const DrillCommand& command, Invocation& invocation) {
  invocation.damage_hint = kDamagedBackup;
  // Before anything is done: a wrong path is found in time.
  QUIETUS_TRY_AS(auto report_file, prepared(command.report));
  QUIETUS_TRY_AS(auto page_file, prepared(command.page));
  QUIETUS_TRY_AS(InputFile backup, InputFile::open(command.backup));
  QUIETUS_TRY_AS(auto base_file, open_base(command.base));
  const ByteSource base = base_file ? base_file->source() : ByteSource();
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  ProgressLine line("restoring on trial", "");
  DrillOptions options;
  options.scratch = command.scratch;
  options.days = command.days;
  options.base = base ? &base : nullptr;
  options.progress = line.callback();
  QUIETUS_TRY_AS(const DrillReport report,
                 vault.backups().drill(backup.source(), options).within(command.backup));
  QUIETUS_TRY(write_out(report_file, report.signed_report));
  QUIETUS_TRY(write_out(page_file, drill_page(report)));
  if (invocation.terminal.json)
    invocation.terminal.document(drill_json(report));
  else
    invocation.terminal.print(columns(drill_rows(report)));
  for (const Damage& damage : report.restore.damages)
    Terminal::message(damage.where + ": " + damage.what);
  return report.passed() ? ExitCode::kDone : ExitCode::kIntegrity;
}

}  // namespace

void attach_drill_command(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<DrillCommand>();
  CLI::App& drill = *group.add_subcommand(
      "drill", "Restore on trial: does what lives come back, does what was erased not");
  drill.add_option("FILE", options->backup, "The backup; - for standard input")->required();
  drill.add_option("--base", options->base, "What an incremental backup holds the changes since");
  drill.add_option("--scratch", options->scratch,
                   "Folder to restore into and clear again (default: the temporary folder)");
  drill.add_option("--days", options->days, "Try what was erased in so many days (default: 30)")
      ->check(CLI::Range(0U, 36500U));
  drill.add_option("--report", options->report, "Write the signed report here (JWS, JSON)");
  drill.add_option("--html", options->page, "Write the report as a page here");
  on_chosen(drill, chosen, std::move(options), run_drill);
}

}  // namespace quietus::cli
