#include "json_output.hpp"

#include "exit_code.hpp"
#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

// null stands for "never" or "none".
Json time_or_null(std::int64_t unix_ms) {
  return unix_ms == 0 ? Json(nullptr) : Json(timestamp(unix_ms));
}

Json failure(const Error& error) {
  return {{"code", exit_row(error.code()).word}, {"message", error.context()}};
}

}  // namespace

Json error_document(const Error& error) {
  const ExitRow& row = exit_row(error.code());
  return {
      {"error",
       {{"code", row.word}, {"exit", static_cast<int>(row.exit)}, {"message", error.context()}}}};
}

Json to_json(const ScopeInfo& scope) {
  Json sources = Json::array();
  for (const std::uint64_t id : scope.derived_from) sources.push_back(hex16(id));
  return {{"path", scope.path},
          {"name", scope.name},
          {"id", hex16(scope.id)},
          {"class", scope.data_class},
          {"state", name_of(scope.state)},
          {"created", time_or_null(scope.created_unix_ms)},
          {"erased", time_or_null(scope.erased_unix_ms)},
          {"derived_from", std::move(sources)}};
}

Json to_json(const std::vector<ScopeInfo>& scopes) {
  Json list = Json::array();
  for (const ScopeInfo& scope : scopes) list.push_back(to_json(scope));
  return list;
}

Json to_json(const RecordInfo& record) {
  return {{"name", record.name},
          {"size_bytes", record.size_bytes},
          {"modified", time_or_null(record.modified_unix_ms)},
          {"content_type", record.content_type},
          {"version", hex(record.version)}};
}

Json to_json(const std::vector<SubjectOpening>& subjects) {
  Json list = Json::array();
  for (const SubjectOpening& subject : subjects)
    list.push_back(
        {{"scope_id", hex16(subject.scope_id)}, {"path", subject.path}, {"salt", subject.salt}});
  return list;
}

Json to_json(const ErasureReport& report) {
  return {{"erasure_id", report.erasure_id},
          {"certificate_id", report.certificate_id},
          {"root_generation_before", report.root_generation_before},
          {"root_generation_after", report.root_generation_after},
          {"holders_acknowledged", report.holders_acknowledged},
          {"holders_ended", report.holders_ended},
          {"subjects", to_json(report.subjects)}};
}

Json to_json(const TransferReport& report) {
  Json skipped = Json::array();
  for (const TransferSkip& entry : report.skipped)
    skipped.push_back({{"name", entry.name}, {"reason", entry.reason}});
  Json failed = Json::array();
  for (const TransferFailure& entry : report.failed) {
    Json item = failure(entry.error);
    item["name"] = entry.name;
    failed.push_back(std::move(item));
  }
  return {{"records", report.records},
          {"bytes", report.bytes},
          {"skipped", std::move(skipped)},
          {"failed", std::move(failed)},
          {"stopped", report.stopped ? failure(*report.stopped) : Json(nullptr)}};
}

std::string to_text(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace quietus::cli
