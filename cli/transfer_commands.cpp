// import and export.
#include "attach.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"
#include "progress.hpp"
#include "restricted_use.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "subject_option.hpp"

namespace quietus::cli {
namespace {

struct TransferCommand {
  std::string scope;
  std::string path;
  std::string use;  // of restricted data
  std::string subject;
  std::string request;  // of a governed vault
};

// How many names are told one by one before the rest is only counted.
constexpr std::size_t kToldOneByOne = 20;

void tell_exceptions(const TransferReport& report) {
  for (std::size_t i = 0; i < std::min(report.skipped.size(), kToldOneByOne); ++i)
    Terminal::message("skipped " + report.skipped[i].name + ": " + report.skipped[i].reason);
  for (std::size_t i = 0; i < std::min(report.failed.size(), kToldOneByOne); ++i)
    Terminal::message("failed " + report.failed[i].name + ": " + report.failed[i].error.context());
  if (report.skipped.size() > kToldOneByOne || report.failed.size() > kToldOneByOne)
    Terminal::message(counted(report.skipped.size(), "entry") + " skipped and " +
                      counted(report.failed.size(), "failure") + " in all; --json lists them");
  if (report.stopped) Terminal::message("stopped before the end: " + report.stopped->context());
}

ExitCode exit_of(const TransferReport& report) {
  if (report.stopped) return exit_code(report.stopped->code());
  return report.failed.empty() ? ExitCode::kDone : exit_code(report.failed.front().error.code());
}

Json document_of(const TransferCommand& command, const TransferReport& report) {
  Json document = {{"scope", command.scope}, {"path", command.path}};
  document.update(to_json(report));
  return document;
}

std::string summary(std::string_view done, const TransferReport& report) {
  return std::string(done) + " " + counted(report.records, "record") + ", " +
         byte_size(report.bytes);
}

// ---- import -----------------------------------------------------------------------------------

Result<TransferReport> import_path(Scope& scope, const std::string& path) {
  ProgressLine progress("importing", "records");
  std::error_code unknown;
  const bool folder = std::filesystem::is_directory(path, unknown);
  if (folder) return import_folder(scope, path, progress.callback());
  QUIETUS_TRY_AS(InputFile lines, InputFile::open(path));
  return import_ndjson(scope, lines.source(), progress.callback());
}

Result<ExitCode> run_import(const TransferCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(Scope scope, open_scope(vault, command.scope, command.use));
  QUIETUS_TRY_AS(const TransferReport report, import_path(scope, command.path));
  if (invocation.terminal.json)
    invocation.terminal.document(document_of(command, report));
  else
    invocation.terminal.line(summary("imported", report));
  tell_exceptions(report);
  return exit_of(report);
}

// ---- export -----------------------------------------------------------------------------------

// A file appears only when nothing stopped the export.
Result<TransferReport> export_to_file(Vault& vault, const TransferCommand& command,
                                      const Progress& progress) {
  QUIETUS_TRY_AS(const auto use, parse_restricted_use(command.use));
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(command.path));
  const ByteSink sink = [&](ByteView piece) { return file.write(piece); };
  QUIETUS_TRY_AS(TransferReport report, export_ndjson(vault, {command.scope, use}, sink, progress));
  if (!report.stopped) QUIETUS_TRY(file.commit());
  return report;
}

Result<TransferReport> export_to(Vault& vault, const TransferCommand& command, Terminal& terminal) {
  QUIETUS_TRY_AS(const auto use, parse_restricted_use(command.use));
  if (command.path == "-")
    return export_ndjson(vault, {command.scope, use},
                         [&](ByteView piece) { return terminal.content(piece); });
  ProgressLine progress("exporting", "records");
  if (command.path.ends_with(".ndjson") && !std::filesystem::is_directory(command.path))
    return export_to_file(vault, command, progress.callback());
  return export_folder(vault, {command.scope, use}, command.path, progress.callback());
}

void tell_export(const TransferCommand& command, const TransferReport& report,
                 Invocation& invocation) {
  if (invocation.terminal.json) {
    Json document = document_of(command, report);
    document["recorded"] = report.recorded;
    invocation.terminal.document(document);
  } else if (command.path != "-") {
    invocation.terminal.line(summary("exported", report));
  }
}

void tell_limits(Vault& vault, const TransferCommand& command, const TransferReport& report) {
  const Result<std::vector<ScopeInfo>> below = vault.children(command.scope);
  const auto active =
      !below ? 0 : std::count_if(below->begin(), below->end(), [](const ScopeInfo& s) {
        return s.state != ScopeState::kErased;
      });
  if (active > 0)
    Terminal::message("the records of " + counted(static_cast<std::uint64_t>(active), "scope") +
                      " below are not part of this export");
  if (!report.recorded && !report.stopped)
    Terminal::message("warning: the vault is open read-only, so the log does not know this export");
}

// ---- export of a data subject -------------------------------------------------------------------

// A found scope and the living ones below it.
void add_with_below(Vault& vault, const std::string& path, std::vector<std::string>& scopes) {
  std::vector<std::string> open = {path};
  while (!open.empty()) {
    std::string next = std::move(open.back());
    open.pop_back();
    const auto below = vault.children(next);
    for (std::size_t i = 0; below.ok() && i < below->size(); ++i)
      if ((*below)[i].state != ScopeState::kErased) open.push_back((*below)[i].path);
    scopes.push_back(std::move(next));
  }
}

// Each scope into a folder of its own, named by its path behind `root`, which has a '/' at its end.
Result<ExitCode> export_scopes(Vault& vault, const TransferCommand& command,
                               const std::vector<std::string>& scopes, std::string_view root,
                               Invocation& invocation) {
  Json exports = Json::array();
  ExitCode worst = ExitCode::kDone;
  for (const std::string& path : scopes) {
    TransferCommand one = command;
    one.scope = path;
    one.path = (std::filesystem::path(command.path) / path.substr(root.size()));
    QUIETUS_TRY_AS(const TransferReport report,
                   export_to(vault, one, invocation.terminal).within(path));
    Json document = document_of(one, report);
    document["recorded"] = report.recorded;
    exports.push_back(std::move(document));
    if (!invocation.terminal.json)
      invocation.terminal.line(path + ": " + summary("exported", report));
    tell_exceptions(report);
    if (worst == ExitCode::kDone) worst = exit_of(report);
  }
  if (!invocation.terminal.json) return worst;
  Json document = {{"exports", std::move(exports)}};
  if (!command.subject.empty()) document["subject"] = command.subject;
  if (!command.request.empty()) document["request"] = command.request;
  invocation.terminal.document(document);
  return worst;
}

Result<ExitCode> export_subject(Vault& vault, const TransferCommand& command,
                                Invocation& invocation) {
  QUIETUS_TRY_AS(const std::vector<std::string> found,
                 scopes_meant(vault, command.scope, command.subject));
  std::vector<std::string> scopes;
  for (const std::string& path : found) add_with_below(vault, path, scopes);
  return export_scopes(vault, command, scopes, command.scope + "/", invocation);
}

// ---- export of what was approved ----------------------------------------------------------------

// Everything that the request is about, and all below; when all of it is written, and only then,
// the request is done.
Result<ExitCode> export_approved(Vault& vault, const TransferCommand& command,
                                 Invocation& invocation) {
  Governance governance = vault.governance();
  QUIETUS_TRY_AS(const RequestInfo request, governance.request(command.request));
  if (request.kind != "access" && request.kind != "portability")
    return Error(ErrorCode::kRefused, "that is a request for " + request.kind);
  std::vector<std::string> scopes;
  for (const std::string& path : request.scopes) add_with_below(vault, path, scopes);
  std::ranges::sort(scopes);
  scopes.erase(std::unique(scopes.begin(), scopes.end()), scopes.end());
  const bool one_file = command.path.ends_with(".ndjson");
  if (one_file && scopes.size() != 1)
    return Error(ErrorCode::kInvalidArgument,
                 "the request is about " + counted(scopes.size(), "scope") +
                     ": name a folder, in which each gets one of its own");
  QUIETUS_TRY(governance.execute(command.request));
  ExitCode exit = ExitCode::kDone;
  if (one_file) {
    TransferCommand only = command;
    only.scope = scopes.front();
    QUIETUS_TRY_AS(const TransferReport report, export_to(vault, only, invocation.terminal));
    tell_export(only, report, invocation);
    exit = exit_of(report);
  } else {
    QUIETUS_TRY_AS(exit, export_scopes(vault, command, scopes, {}, invocation));
  }
  if (exit == ExitCode::kDone) QUIETUS_TRY(governance.complete(command.request));
  return exit;
}

Result<ExitCode> run_export(const TransferCommand& command, Invocation& invocation) {
  const bool to_stdout = command.path == "-";
  if (command.scope.empty() == command.request.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "name a scope, or an approved request (--request), which says what is exported");
  if (to_stdout && invocation.terminal.json)
    return Error(ErrorCode::kInvalidArgument, "--json needs -o with a file or folder");
  if (to_stdout && !command.request.empty())
    return Error(ErrorCode::kInvalidArgument, "--request needs -o with a file or folder");
  if (!command.subject.empty() && (to_stdout || command.path.ends_with(".ndjson")))
    return Error(ErrorCode::kInvalidArgument, "--subject needs -o with a folder");
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  if (!command.request.empty()) return export_approved(vault, command, invocation);
  if (!command.subject.empty()) return export_subject(vault, command, invocation);
  QUIETUS_TRY_AS(const TransferReport report,
                 export_to(vault, command, invocation.terminal).within(command.scope));
  tell_export(command, report, invocation);
  tell_limits(vault, command, report);
  tell_exceptions(report);
  return exit_of(report);
}

}  // namespace

void attach_transfer_commands(CLI::App& app, Action& chosen) {
  auto in = std::make_shared<TransferCommand>();
  CLI::App& import = *app.add_subcommand("import", "Store every file of a folder, or .ndjson");
  import.add_option("SCOPE", in->scope, "")->required();
  import.add_option("PATH", in->path, "A folder, a file of .ndjson lines, or - for such lines")
      ->required();
  add_restricted_use(import, in->use);
  on_chosen(import, chosen, std::move(in), run_import);

  auto out = std::make_shared<TransferCommand>();
  CLI::App& leave =
      *app.add_subcommand("export", "Write out a scope's records; the log remembers it");
  leave.add_option("SCOPE", out->scope, "What is exported; with --request, that says it");
  leave
      .add_option("-o,--output", out->path,
                  "A name that ends in .ndjson, a folder, or - for .ndjson on standard output")
      ->required();
  add_restricted_use(leave, out->use);
  add_subject(leave, out->subject);
  leave
      .add_option("--request", out->request,
                  "Of a governed vault: the approved request for access or portability, all of it")
      ->excludes("--subject");
  on_chosen(leave, chosen, std::move(out), run_export);
}

}  // namespace quietus::cli
