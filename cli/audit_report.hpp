// The report for a periodic review: what was erased in a period, what is still to be finished, what
// left the vault. A page that needs no script (cli/page/report.html).
#pragma once

#include <quietus/vault.hpp>

#include <string>

namespace quietus::cli {

// Days as "2026-01-31", UTC, both included.
struct ReportPeriod {
  std::string from;  // empty: from the beginning
  std::string to;    // empty: until now
};

// kInvalidArgument when a day is none, or the period ends before it begins.
Result<void> check_period(const ReportPeriod& period);

struct AuditReport {
  std::string page;  // HTML
  std::uint64_t erasures = 0;
  std::uint64_t complete = 0;
  std::uint64_t partial = 0;
  std::uint64_t not_valid = 0;  // certificates that do not verify
  std::uint64_t pending = 0;    // begun and not finished, whenever that was
  std::uint64_t exports = 0;
  bool governed = false;
  std::uint64_t overdue_requests = 0;  // as it is now, whatever the period
  bool review_overdue = false;
};

// Made from certificates that were verified and from the log, all of which is recomputed first.
// Errors of the vault; kUnverified and kCorrupt when the log does not hold.
Result<AuditReport> audit_report(Vault& vault, const ReportPeriod& period);

}  // namespace quietus::cli
