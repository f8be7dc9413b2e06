#include "metrics_text.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct Metric {
  std::string_view name;
  std::string_view unit;  // also the end of the name
  std::string_view help;
};

// docs/metrics.md explains each; a test compares the two.
constexpr std::array kMetrics{
    Metric{"quietus_vault_info", "", "The vault: version of the command, provider of its root."},
    Metric{"quietus_collected_timestamp_seconds", "seconds", "When these numbers were collected."},
    Metric{"quietus_parts_unreadable", "", "Parts of the vault that could not be looked at."},
    Metric{"quietus_read_only", "", "1: opened for reading only."},
    Metric{"quietus_processes", "", "Processes that have the vault open, this one included."},
    Metric{"quietus_key_memory_locked", "", "1: key memory of this process is locked."},
    Metric{"quietus_root_generation", "", "Generation of the root."},
    Metric{"quietus_tenants", "", "Tenants that are not erased."},
    Metric{"quietus_log_entries", "", "Entries of the evidence log."},
    Metric{"quietus_certificates", "", "Erasure certificates by status."},
    Metric{"quietus_erasures_pending", "", "Erasures that were begun and are not finished."},
    Metric{"quietus_erasures_pending_oldest_timestamp_seconds", "seconds",
           "When the oldest pending erasure was begun."},
    Metric{"quietus_erasures_scheduled", "",
           "Erasures that were asked for and wait for their day."},
    Metric{"quietus_erasures_scheduled_next_timestamp_seconds", "seconds",
           "When the next of them is due."},
    Metric{"quietus_erasure_last_timestamp_seconds", "seconds",
           "When the slot of the last erasure was destroyed."},
    Metric{
        "quietus_erasure_last_begun_to_unreachable_seconds", "seconds",
        "Last erasure: from its beginning until no key opened the data but through the old slot."},
    Metric{
        "quietus_erasure_last_unreachable_to_destroyed_seconds", "seconds",
        "Last erasure: from then until the slot was gone and all processes had dropped the keys."},
    Metric{"quietus_erasures_recent", "", "Erasures among the newest 10,000 entries of the log."},
    Metric{"quietus_erasures_recent_unreachable_to_destroyed_seconds", "seconds",
           "Of those: the sum of the times from unreachable keys to the destroyed slot."},
    Metric{"quietus_retention_known", "", "1: it is known what is due."},
    Metric{"quietus_scopes_due", "", "Scopes that the next sweep erases."},
    Metric{"quietus_scopes_overdue", "", "Scopes that are due for more than a day."},
    Metric{"quietus_scopes_kept", "", "Scopes whose day has come and that something keeps."},
    Metric{"quietus_scopes_next_due_timestamp_seconds", "seconds", "When the next scope is due."},
    Metric{"quietus_holds", "", "Legal holds."},
    Metric{"quietus_rotations_open", "", "Rotations that are not finished, or keep older keys."},
    Metric{"quietus_backups", "", "Finished backups of the inventory that have not expired."},
    Metric{"quietus_backups_expired", "", "Finished backups of the inventory that have expired."},
    Metric{"quietus_backup_newest_timestamp_seconds", "seconds",
           "When the newest finished backup was begun."},
    Metric{"quietus_snapshot_newest_timestamp_seconds", "seconds",
           "When the newest key snapshot was begun."},
    Metric{"quietus_snapshots_clear_timestamp_seconds", "seconds",
           "When the last key snapshot that is not attested to be gone expires."},
    Metric{"quietus_drill_timestamp_seconds", "seconds", "When the last drill was done."},
    Metric{"quietus_drill_passed", "", "1: the last drill passed."},
    Metric{"quietus_inbox_told", "", "Log entries whose erasures the inbox of the site has."},
    Metric{"quietus_inbox_waiting", "", "Erasures and purges that the site is still to be told."},
    Metric{"quietus_governed", "", "1: the vault is governed."},
    Metric{"quietus_operators", "", "Operators that may act now."},
    Metric{"quietus_admins", "", "Admins among them."},
    Metric{"quietus_requests_open", "", "Requests that have not ended."},
    Metric{"quietus_requests_overdue", "", "Open requests that are past their deadline."},
    Metric{"quietus_review_timestamp_seconds", "seconds", "When an access review was last signed."},
    Metric{"quietus_review_overdue", "", "1: the access review is overdue."},
    Metric{"quietus_break_glass_timestamp_seconds", "seconds",
           "Break-glass was begun: when it can be finished."},
    Metric{"quietus_doctor_findings", "", "What doctor found, by level."},
    Metric{"quietus_doctor_level", "",
           "The worst finding about a subject: 0 ok, 1 note, 2 warning, 3 problem."},
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

std::string label_text(const MetricLabels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ',';
    text.append(name).append("=\"").append(escaped(value)).append("\"");
  }
  return text;
}

// Whole numbers without a point, others in thousandths.
std::string number_text(double value) {
  std::array<char, 400> text{};
  const char* const form = value == std::floor(value) ? "%.0f" : "%.3f";
  const int length = std::snprintf(text.data(), text.size(), form, value);
  return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace

void MetricsText::add(std::string_view name, double value, const MetricLabels& labels) {
  Sample sample{{{"vault", vault_id_}}, value};
  sample.labels.insert(sample.labels.end(), labels.begin(), labels.end());
  std::string key = label_text(sample.labels);
  samples_[std::string(name)].insert_or_assign(std::move(key), std::move(sample));
}

void MetricsText::add_time(std::string_view name, std::int64_t unix_ms) {
  constexpr double kSecond = 1000;
  if (unix_ms != 0) add(name, static_cast<double>(unix_ms) / kSecond);
}

std::string MetricsText::text() const {
  std::string text;
  for (const Metric& metric : kMetrics) {
    const auto found = samples_.find(metric.name);
    if (found == samples_.end()) continue;
    const std::string name(metric.name);
    text.append("# TYPE ").append(name).append(" gauge\n");
    if (!metric.unit.empty())
      text.append("# UNIT ").append(name).append(" ").append(metric.unit).append("\n");
    text.append("# HELP ").append(name).append(" ").append(escaped(metric.help)).append("\n");
    for (const auto& [labels, sample] : found->second)
      text.append(name)
          .append("{")
          .append(labels)
          .append("} ")
          .append(number_text(sample.value))
          .append("\n");
  }
  return text + "# EOF\n";
}

Json MetricsText::json() const {
  Json list = Json::array();
  for (const Metric& metric : kMetrics) {
    const auto found = samples_.find(metric.name);
    if (found == samples_.end()) continue;
    for (const auto& [ignored, sample] : found->second) {
      Json labels = Json::object();
      for (const auto& [name, value] : sample.labels) labels[name] = value;
      list.push_back(
          {{"name", metric.name}, {"labels", std::move(labels)}, {"value", sample.value}});
    }
  }
  return list;
}

}  // namespace quietus::cli
