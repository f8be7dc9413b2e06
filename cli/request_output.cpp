#include "request_output.hpp"

#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

std::string next_step(const RequestInfo& request) {
  if (request.state == "open")
    return "`request verify " + request.id + "`: who asked has to be identified";
  if (request.state == "verified" && request.plan_expires_unix_ms == 0)
    return "`request plan " + request.id + "`, and have it approved";
  if (request.state == "verified")
    return "`request approve " + request.id + "`: " + request.missing;
  if (request.state == "approved" && !request.missing.empty())
    return "`request plan " + request.id + "`: " + request.missing;
  if (request.state == "approved" || request.state == "executing")
    return "`request execute " + request.id + "`";
  return {};
}

void add_outcome(const RequestInfo& request, std::vector<std::vector<std::string>>& rows) {
  if (!request.erasure_id.empty()) rows.push_back({"erasure", request.erasure_id});
  for (const SubjectOpening& subject : request.subjects)
    rows.push_back({"opens", subject.path + "  salt " + subject.salt});
  if (request.ended_unix_ms != 0) rows.push_back({"ended", timestamp(request.ended_unix_ms)});
  if (!request.contact.empty()) rows.push_back({"contact", request.contact});
  for (const std::string& name : request.records) rows.push_back({"record", name});
}

}  // namespace

std::string with_commas(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

Json time_or_null(std::int64_t unix_ms) {
  return unix_ms == 0 ? Json(nullptr) : Json(timestamp(unix_ms));
}

Json request_json(const RequestInfo& request) {
  Json approvals = Json::array();
  for (const ApprovalInfo& one : request.approvals)
    approvals.push_back({{"operator", one.operator_id},
                         {"name", one.name},
                         {"time", timestamp(one.time_unix_ms)},
                         {"touched", one.touched},
                         {"verified", one.verified}});
  const auto text = [](const std::string& value) {
    return value.empty() ? Json(nullptr) : Json(value);
  };
  return {{"request", request.id},
          {"kind", request.kind},
          {"state", request.state},
          {"scopes", request.scopes},
          {"reason", request.reason},
          {"change", text(request.change)},
          {"opened", timestamp(request.opened_unix_ms)},
          {"opened_by", request.opened_by},
          {"deadline", time_or_null(request.deadline_unix_ms)},
          {"extended", text(request.extended)},
          {"overdue", request.overdue},
          {"method", text(request.method)},
          {"evidence", text(request.evidence_hash)},
          {"verified_by", text(request.verified_by)},
          {"plan_expires", time_or_null(request.plan_expires_unix_ms)},
          {"approvals", std::move(approvals)},
          {"missing", text(request.missing)},
          {"erasure_id", text(request.erasure_id)},
          {"subjects", to_json(request.subjects)},
          {"ended", time_or_null(request.ended_unix_ms)}};
}

void print_request(const RequestInfo& request, Terminal& terminal) {
  if (terminal.json) return terminal.document(request_json(request));
  std::vector<std::vector<std::string>> rows = {
      {"request", request.id}, {"kind", request.kind}, {"state", request.state}};
  if (!request.scopes.empty()) rows.push_back({"scopes", with_commas(request.scopes)});
  rows.push_back({"opened", timestamp(request.opened_unix_ms) + " by " + request.opened_by});
  if (request.deadline_unix_ms != 0)
    rows.push_back(
        {"deadline", timestamp(request.deadline_unix_ms) + (request.overdue ? ", OVERDUE" : "")});
  if (!request.extended.empty()) rows.push_back({"extended", request.extended});
  if (!request.method.empty())
    rows.push_back({"verified", request.method + " by " + request.verified_by});
  for (const ApprovalInfo& one : request.approvals)
    rows.push_back({"approved", timestamp(one.time_unix_ms) + " by " + one.name});
  if (!request.missing.empty()) rows.push_back({"missing", request.missing});
  add_outcome(request, rows);
  terminal.print(columns(rows));
  if (!request.change.empty()) terminal.print("\n" + request.change + "\n");
  if (const std::string next = next_step(request); !next.empty()) Terminal::hint("next: " + next);
}

}  // namespace quietus::cli
