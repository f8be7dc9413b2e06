// put, get, ls, rm.
#include "attach.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"
#include "progress.hpp"
#include "restricted_use.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

// Up to here a value is handed over in one piece.
constexpr std::size_t kOnePiece = std::size_t{256} * 1024;

struct RecordCommand {
  std::string scope;
  std::string name;  // or the prefix of ls
  std::string file;
  std::string content_type;
  std::string use;  // of restricted data
};

Error no_record(const RecordCommand& command) {
  return {ErrorCode::kNotFound, command.scope + ": no record named \"" + command.name + "\""};
}

// ---- put --------------------------------------------------------------------------------------

// Counts what passes.
ByteSource counting(ByteSource source, std::uint64_t& count, const Progress& progress) {
  return [&, source = std::move(source)](MutableBytes to) -> Result<std::size_t> {
    QUIETUS_TRY_AS(const std::size_t size, source(to));
    count += size;
    if (progress) (void)progress(count, 0);
    return size;
  };
}

Result<Version> store(Scope& scope, const RecordCommand& command, InputFile& input,
                      std::uint64_t& size) {
  PutOptions options;
  options.content_type = command.content_type;
  Bytes begun(kOnePiece + 1);
  QUIETUS_TRY_AS(const std::size_t got, input.read(begun));
  begun.resize(got);
  if (got <= kOnePiece) {
    size = got;
    return scope.put(command.name, begun, options);
  }
  ProgressLine line("storing", "");
  const Progress progress = line.callback();
  return scope.put_stream(command.name, counting(input.source_after(begun), size, progress),
                          options);
}

Result<ExitCode> run_put(const RecordCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(InputFile input, InputFile::open(command.file));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(Scope scope, open_scope(vault, command.scope, command.use));
  std::uint64_t size = 0;
  QUIETUS_TRY_AS(const Version version,
                 store(scope, command, input, size).within(command.scope + ": " + command.name));
  if (invocation.terminal.json)
    invocation.terminal.document({{"scope", command.scope},
                                  {"name", command.name},
                                  {"size_bytes", size},
                                  {"version", hex(version)}});
  return ExitCode::kDone;
}

void attach_put(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RecordCommand>();
  options->file = "-";
  CLI::App& put = *app.add_subcommand("put", "Store a record; one of the same name is replaced");
  put.add_option("SCOPE", options->scope, "")->required();
  put.add_option("NAME", options->name, "")->required();
  put.add_option("FILE", options->file, "Its content; - is standard input")->capture_default_str();
  put.add_option("--content-type", options->content_type, "A media type to keep with it");
  add_restricted_use(put, options->use);
  on_chosen(put, chosen, std::move(options), run_put);
}

// ---- get --------------------------------------------------------------------------------------

Result<void> fetch(const Scope& scope, const RecordCommand& command, const ByteSink& sink) {
  QUIETUS_TRY_AS(const bool there,
                 scope.get_stream(command.name, sink).within(command.scope + ": " + command.name));
  if (!there) return no_record(command);
  return {};
}

Result<void> fetch_to_file(const Scope& scope, const RecordCommand& command, std::uint64_t& size) {
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(command.file));
  ProgressLine line("reading", "");
  const Progress progress = line.callback();
  QUIETUS_TRY(fetch(scope, command, [&](ByteView piece) {
    size += piece.size();
    if (progress) (void)progress(size, 0);
    return file.write(piece);
  }));
  return file.commit();
}

Result<ExitCode> run_get(const RecordCommand& command, Invocation& invocation) {
  const bool to_stdout = command.file.empty() || command.file == "-";
  if (to_stdout && invocation.terminal.json)
    return Error(ErrorCode::kInvalidArgument,
                 "--json needs -o FILE: the content itself is no JSON document");
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const Scope scope, open_scope(vault, command.scope, command.use));
  if (to_stdout) {
    QUIETUS_TRY(
        fetch(scope, command, [&](ByteView piece) { return invocation.terminal.content(piece); }));
    return ExitCode::kDone;
  }
  std::uint64_t size = 0;
  QUIETUS_TRY(fetch_to_file(scope, command, size));
  if (invocation.terminal.json)
    invocation.terminal.document({{"scope", command.scope},
                                  {"name", command.name},
                                  {"size_bytes", size},
                                  {"file", command.file}});
  return ExitCode::kDone;
}

void attach_get(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RecordCommand>();
  CLI::App& get = *app.add_subcommand("get", "Read a record");
  get.add_option("SCOPE", options->scope, "")->required();
  get.add_option("NAME", options->name, "")->required();
  get.add_option("-o,--output", options->file,
                 "Write to this file, whole or not at all, instead of standard output");
  add_restricted_use(get, options->use);
  on_chosen(get, chosen, std::move(options), run_get);
}

// ---- ls ---------------------------------------------------------------------------------------

Result<std::vector<RecordInfo>> sorted_list(const Scope& scope, const std::string& prefix) {
  std::vector<RecordInfo> records;
  QUIETUS_TRY(scope.list(prefix, [&](const RecordInfo& record) -> Result<bool> {
    records.push_back(record);
    return true;
  }));
  std::sort(records.begin(), records.end(),
            [](const RecordInfo& a, const RecordInfo& b) { return a.name < b.name; });
  return records;
}

// One document, written record by record: there may be millions.
void print_json(const std::string& scope, const std::vector<RecordInfo>& records,
                Terminal& terminal) {
  terminal.verbatim("{\n  \"scope\": " + to_line(scope) + ",\n  \"records\": [");
  std::string_view separator = "\n    ";
  for (const RecordInfo& record : records) {
    terminal.verbatim(separator);
    terminal.verbatim(to_line(to_json(record)));
    separator = ",\n    ";
  }
  terminal.verbatim(records.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

Result<ExitCode> run_ls(const RecordCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const Scope scope, open_scope(vault, command.scope, command.use));
  QUIETUS_TRY_AS(const std::vector<RecordInfo> records,
                 sorted_list(scope, command.name).within(command.scope));
  if (invocation.terminal.json) {
    print_json(command.scope, records, invocation.terminal);
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows;
  rows.reserve(records.size());
  for (const RecordInfo& record : records)
    rows.push_back(
        {std::to_string(record.size_bytes), timestamp(record.modified_unix_ms), record.name});
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

void attach_ls(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RecordCommand>();
  CLI::App& ls = *app.add_subcommand("ls", "List the records of a scope: bytes, time, name");
  ls.add_option("SCOPE", options->scope, "")->required();
  ls.add_option("--prefix", options->name, "Only names that begin so");
  add_restricted_use(ls, options->use);
  on_chosen(ls, chosen, std::move(options), run_ls);
}

// ---- rm ---------------------------------------------------------------------------------------

Result<ExitCode> run_rm(const RecordCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(Scope scope, open_scope(vault, command.scope, command.use));
  QUIETUS_TRY_AS(const bool removed,
                 scope.remove(command.name).within(command.scope + ": " + command.name));
  if (!removed) return no_record(command);
  if (invocation.terminal.json)
    invocation.terminal.document(
        {{"scope", command.scope}, {"name", command.name}, {"removed", true}});
  return ExitCode::kDone;
}

void attach_rm(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RecordCommand>();
  CLI::App& rm = *app.add_subcommand(
      "rm", "Remove a record. Copies of the vault keep it until the scope is purged or erased");
  rm.add_option("SCOPE", options->scope, "")->required();
  rm.add_option("NAME", options->name, "")->required();
  add_restricted_use(rm, options->use);
  on_chosen(rm, chosen, std::move(options), run_rm);
}

}  // namespace

void attach_record_commands(CLI::App& app, Action& chosen) {
  attach_put(app, chosen);
  attach_get(app, chosen);
  attach_ls(app, chosen);
  attach_rm(app, chosen);
}

}  // namespace quietus::cli
