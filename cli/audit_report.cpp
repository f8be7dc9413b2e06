#include "audit_report.hpp"

#include "html.hpp"
#include "page_assets.hpp"
#include "printable_text.hpp"

#include <quietus/certificate.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

using Cells = std::vector<std::string>;  // HTML, the first one names the row

constexpr std::size_t kDayLength = 10;  // "2026-01-31"

bool is_day(std::string_view text) {
  if (text.size() != kDayLength || text[4] != '-' || text[7] != '-') return false;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = -1;
    const char* end = text.data() + at + length;
    const auto [stopped, error] = std::from_chars(text.data() + at, end, value);
    return error == std::errc() && stopped == end ? value : -1;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (year < 0 || month < 0 || day < 0) return false;
  return std::chrono::year_month_day(std::chrono::year(year),
                                     std::chrono::month(static_cast<unsigned>(month)),
                                     std::chrono::day(static_cast<unsigned>(day)))
      .ok();
}

// Times are texts that sort as they follow each other.
bool covers(const ReportPeriod& period, std::string_view time) {
  const std::string_view day = time.substr(0, kDayLength);
  return day >= period.from && (period.to.empty() || day <= period.to);
}

std::string now_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return timestamp(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

// "2026-01-31T12:00:05Z" as "2026-01-31 12:00:05 UTC".
std::string clock_text(std::string_view time) {
  constexpr std::size_t kSecondsEnd = 19;
  std::string text(time.substr(0, kSecondsEnd));
  std::replace(text.begin(), text.end(), 'T', ' ');
  return "<span class=\"when\">" + html(text) + " UTC</span>";
}

std::string period_text(const ReportPeriod& period) {
  const std::string to = period.to.empty() ? now_text().substr(0, kDayLength) : period.to;
  return period.from.empty() ? "until " + to : period.from + " to " + to;
}

// ---- HTML -------------------------------------------------------------------------------------

std::string code(std::string_view text) {
  return "<code>" + html(text) + "</code>";
}

std::string badge(std::string_view tone, std::string_view text) {
  return "<span class=\"badge " + std::string(tone) + "\">" + html(text) + "</span>";
}

std::string fact(std::string_view term, const std::string& value, std::string_view note = {}) {
  std::string text = "<div><dt>" + html(term) + "</dt><dd><span>" + value + "</span>";
  if (!note.empty()) text += "<span class=\"note\">" + html(note) + "</span>";
  return text + "</dd></div>\n";
}

std::string head_row(const Cells& names) {
  std::string text = "<thead><tr>";
  for (const std::string& name : names) text += "<th scope=\"col\">" + name + "</th>";
  return text + "</tr></thead>\n";
}

std::string body_row(const Cells& cells) {
  std::string text = "<tr><th scope=\"row\">" + cells.front() + "</th>";
  for (std::size_t i = 1; i < cells.size(); ++i) text += "<td>" + cells[i] + "</td>";
  return text + "</tr>\n";
}

// A section with a table, or with a sentence when there is nothing to list.
std::string section(std::string_view id, std::string_view title, const Cells& names,
                    const std::vector<Cells>& rows, std::string_view when_empty) {
  const std::string name(id);
  std::string text = "<section class=\"part\" aria-labelledby=\"" + name + "\"><h2 id=\"" + name +
                     "\">" + html(title) + "</h2>\n";
  if (rows.empty()) return text + "<p>" + html(when_empty) + "</p></section>\n";
  text += "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-labelledby=\"" + name +
          "\"><table>" + head_row(names) + "<tbody>\n";
  for (const Cells& row : rows) text += body_row(row);
  return text + "</tbody></table></div></section>\n";
}

// ---- what the vault knows ---------------------------------------------------------------------

class Collection {
 public:
  Collection(Vault& vault, const ReportPeriod& period) : vault_(vault), period_(period) {}

  Result<AuditReport> run() {
    QUIETUS_TRY_AS(head_, vault_.verify_log());
    QUIETUS_TRY_AS(status_, vault_.status());
    QUIETUS_TRY(read_certificates());
    QUIETUS_TRY(read_log());
    QUIETUS_TRY(read_requests());
    for (const PendingErasure& pending : status_.pending)
      pending_.push_back({clock_text(timestamp(pending.begun_unix_ms)), html(pending.step),
                          code(pending.erasure_id)});
    report_.pending = pending_.size();
    report_.exports = exports_.size();
    report_.page = page();
    return std::move(report_);
  }

 private:
  Result<void> read_certificates() {
    QUIETUS_TRY_AS(const std::string key, vault_.issuing_key_pem());
    QUIETUS_TRY_AS(std::vector<CertificateInfo> listed, vault_.certificates());
    std::stable_sort(listed.begin(), listed.end(), [](const auto& a, const auto& b) {
      return a.issued_unix_ms < b.issued_unix_ms;
    });
    for (const CertificateInfo& info : listed) {
      if (!covers(period_, timestamp(info.issued_unix_ms))) continue;
      QUIETUS_TRY_AS(const std::string text, vault_.certificate(info.id).within(info.id));
      ++report_.erasures;
      add_erasure(info, verify_certificate(as_bytes(text), key));
    }
    return {};
  }

  void add_erasure(const CertificateInfo& info, const Result<VerifiedCertificate>& certificate) {
    if (!certificate) {
      ++report_.not_valid;
      erasures_.push_back({clock_text(timestamp(info.issued_unix_ms)), "", "",
                           badge("broken", "does not verify: " + certificate.error().context()),
                           code(info.id)});
      return;
    }
    const bool complete = certificate->status() == CertificateStatus::kComplete;
    ++(complete ? report_.complete : report_.partial);
    scopes_ += certificate->scope_ids().size();
    const std::string status = std::string(name_of(certificate->status())) + ", " +
                               std::string(name_of(certificate->phase()));
    erasures_.push_back({clock_text(timestamp(certificate->times().slot_destroyed_unix_ms)),
                         html(certificate->reason()), grouped(certificate->scope_ids().size()),
                         badge(complete ? "complete" : "partial", status), code(info.id)});
  }

  Result<void> read_log() {
    for (std::uint64_t index = 0; index < head_.size; ++index) {
      QUIETUS_TRY_AS(const std::string text,
                     vault_.log_entry(index).within("entry " + std::to_string(index)));
      const Json entry = Json::parse(text, nullptr, false);
      if (!entry.is_object()) continue;
      const std::string time = text_of(entry, "time");
      if (!covers(period_, time)) continue;
      const std::string kind = text_of(entry, "kind");
      ++events_[kind];
      if (kind == "export-made") add_export(entry, time);
    }
    return {};
  }

  Result<void> read_requests() {
    QUIETUS_TRY_AS(governance_, vault_.governance().status());
    report_.governed = governance_.governed;
    report_.overdue_requests = governance_.overdue_requests;
    report_.review_overdue = governance_.review_overdue;
    if (!governance_.governed) return {};
    QUIETUS_TRY_AS(const auto requests, vault_.governance().requests());
    for (const RequestInfo& request : requests) {
      if (request.ended_unix_ms != 0) continue;
      std::string deadline = request.deadline_unix_ms == 0
                                 ? std::string()
                                 : clock_text(timestamp(request.deadline_unix_ms));
      if (request.overdue) deadline += " " + badge("broken", "overdue");
      requests_.push_back({code(request.id), html(request.kind), html(request.state),
                           clock_text(timestamp(request.opened_unix_ms)), std::move(deadline)});
    }
    return {};
  }

  void add_export(const Json& entry, std::string_view time) {
    exports_.push_back({clock_text(time), code(text_of(entry, "scope")),
                        grouped(number_of(entry, "records")),
                        byte_size(number_of(entry, "bytes"))});
  }

  static std::string text_of(const Json& entry, const char* name) {
    const auto found = entry.find(name);
    return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
  }
  static std::uint64_t number_of(const Json& entry, const char* name) {
    const auto found = entry.find(name);
    return found != entry.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  }

  // ---- the page -------------------------------------------------------------------------------

  std::string summary() const {
    std::string text =
        "<section class=\"part outcome\" aria-labelledby=\"outcome\"><p class=\"maker\">" +
        html(period_text(period_)) + "</p><h2 id=\"outcome\">" +
        html(counted(report_.erasures, "erasure")) + "</h2>\n<dl class=\"facts\">\n";
    text += fact("Complete", grouped(report_.complete));
    text += fact("Partial", grouped(report_.partial),
                 "keys unreachable, but what became of the root slot is not known for certain");
    if (report_.not_valid > 0)
      text += fact("Not valid", badge("broken", grouped(report_.not_valid)));
    text += fact("Scopes named", grouped(scopes_), "with all that lay below them");
    text += fact("Unfinished",
                 report_.pending == 0 ? grouped(0) : badge("partial", grouped(report_.pending)));
    text += fact("Exports", grouped(report_.exports), "copies that no erasure reaches");
    return text + "</dl></section>\n";
  }

  std::string log_section() const {
    std::string text =
        "<section class=\"part\" aria-labelledby=\"log\"><h2 id=\"log\">The log as a "
        "whole</h2>\n<dl "
        "class=\"facts\">\n";
    text += fact("Recomputed", html(counted(head_.size, "line")) + ", all of it holds",
                 "compare the root hash with a checkpoint that was kept elsewhere");
    text += fact("Root hash", code(head_.root_hash));
    text += fact("Root slot", html(status_.root_provider),
                 status_.assurance.empty() ? "" : status_.assurance);
    return text + "</dl></section>\n";
  }

  std::string governance_section() const {
    std::string text =
        "<section class=\"part\" aria-labelledby=\"governance\"><h2 id=\"governance\">Who "
        "decides</h2>\n<dl class=\"facts\">\n";
    if (!governance_.governed)
      return text +
             fact("Operators", "None",
                  "whoever can unlock the vault can do everything alone; certificates say so") +
             "</dl></section>\n";
    text += fact("Governed since", clock_text(timestamp(governance_.since_unix_ms)));
    text += fact("Operators", grouped(governance_.operators), "who may act now");
    std::string review = governance_.reviewed_unix_ms == 0
                             ? std::string("None yet")
                             : clock_text(timestamp(governance_.reviewed_unix_ms));
    if (governance_.review_overdue) review += " " + badge("broken", "overdue");
    text += fact("Last access review", review);
    if (governance_.break_glass_unix_ms != 0)
      text += fact("Broken glass", badge("broken", "another admin is to come"),
                   "with the unlock secret alone, unless an admin acts before");
    return text + "</dl></section>\n";
  }

  std::string request_section() const {
    if (!governance_.governed) return {};
    return section("requests", "Requests that are open",
                   {"Request", "Kind", "State", "Opened", "Deadline"}, requests_,
                   "None: every request has come to an end.");
  }

  // One section for each thing that the vault keeps account of.
  std::string sections() const {
    std::vector<Cells> events;
    for (const auto& [kind, number] : events_) events.push_back({html(kind), grouped(number)});
    return section("erasures", "Erasures",
                   {"Destroyed", "Reason", "Scopes", "Status", "Certificate"}, erasures_,
                   "No certificate was issued in this period.") +
           section("pending", "Begun and not finished", {"Begun", "Reached", "Erasure"}, pending_,
                   "None: every erasure that was begun has been finished.") +
           governance_section() + request_section() +
           section("exports", "Taken out of the vault", {"When", "Scope", "Records", "Size"},
                   exports_, "No export was made in this period.") +
           section("events", "What the log has of this period", {"Entry", "How often"}, events,
                   "Nothing.") +
           log_section();
  }

  std::string page() const {
    const PageAssets& assets = page_assets();
    return filled(assets.report, {{"style", std::string(assets.style)},
                                  {"style-digest", std::string(assets.style_digest)},
                                  {"period", html(period_text(period_))},
                                  {"summary", summary()},
                                  {"sections", sections()},
                                  {"tool", "quietus " QUIETUS_VERSION},
                                  {"made", clock_text(now_text())},
                                  {"vault", code(status_.vault_id)}});
  }

  Vault& vault_;
  const ReportPeriod& period_;
  LogHead head_;
  VaultStatus status_;
  AuditReport report_;
  std::uint64_t scopes_ = 0;
  std::vector<Cells> erasures_;
  std::vector<Cells> pending_;
  std::vector<Cells> exports_;
  std::vector<Cells> requests_;
  GovernanceStatus governance_;
  std::map<std::string, std::uint64_t> events_;  // log entries of the period, by kind
};

}  // namespace

Result<void> check_period(const ReportPeriod& period) {
  for (const std::string* day : {&period.from, &period.to})
    if (!day->empty() && !is_day(*day))
      return Error(ErrorCode::kInvalidArgument, *day + " is not a day such as 2026-01-31");
  if (!period.to.empty() && period.to < period.from)
    return Error(ErrorCode::kInvalidArgument, "the period ends before it begins");
  return {};
}

Result<AuditReport> audit_report(Vault& vault, const ReportPeriod& period) {
  return Collection(vault, period).run();
}

}  // namespace quietus::cli
