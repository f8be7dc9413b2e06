// metrics: what a monitoring system is told of a vault. No name of a tenant or scope is in it.
#include "attach.hpp"
#include "metrics_text.hpp"
#include "output_file.hpp"

#include <quietus/certificate.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

namespace quietus::cli {
namespace {

// Of the log, the newest: what is read does not grow with the vault.
constexpr std::uint64_t kRecentEntries = 10'000;

struct MetricsCommand {
  std::string output;
};

std::int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// ---- erasures of the log ------------------------------------------------------------------------

std::string text_of(const Json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "2026-03-01T12:30:05Z", as the log writes times, in seconds since 1970.
std::optional<std::int64_t> seconds_of(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  if (text.size() != kForm.size()) return {};
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = -1;
    const char* const end = text.data() + at + length;
    const auto [stopped, error] = std::from_chars(text.data() + at, end, value);
    return error == std::errc() && stopped == end ? value : -1;
  };
  using namespace std::chrono;
  const year_month_day date{year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))),
                            day(static_cast<unsigned>(number(8, 2)))};
  const int clock[] = {number(11, 2), number(14, 2), number(17, 2)};
  if (!date.ok() || *std::min_element(std::begin(clock), std::end(clock)) < 0) return {};
  return duration_cast<seconds>(sys_days(date).time_since_epoch() + hours(clock[0]) +
                                minutes(clock[1]) + seconds(clock[2]))
      .count();
}

struct RecentErasures {
  std::map<std::string, std::int64_t> unreachable;  // by erasure, when; not destroyed yet
  std::uint64_t count = 0;
  std::int64_t seconds = 0;  // in all, from there to the destroyed slot
  std::string last_id;
  std::int64_t last_destroyed = 0;
  std::int64_t last_seconds = 0;
};

void note(const Json& entry, RecentErasures& recent) {
  const std::string kind = text_of(entry, "kind");
  const auto time = seconds_of(text_of(entry, "time"));
  if (!time) return;
  const std::string id = text_of(entry, "erasure");
  if (kind == "keys-unreachable" || kind == "batch-unreachable") recent.unreachable[id] = *time;
  if (kind != "slot-destroyed") return;
  const auto found = recent.unreachable.find(id);
  if (found == recent.unreachable.end()) return;  // begun before, or a change of the secret
  recent.last_id = id;
  recent.last_destroyed = *time;
  recent.last_seconds = *time - found->second;
  recent.seconds += recent.last_seconds;
  ++recent.count;
  recent.unreachable.erase(found);
}

Result<RecentErasures> recent_erasures(Vault& vault, std::uint64_t log_size) {
  RecentErasures recent;
  for (std::uint64_t i = log_size - std::min(log_size, kRecentEntries); i < log_size; ++i) {
    QUIETUS_TRY_AS(const std::string text, vault.log_entry(i));
    const Json entry = Json::parse(text, nullptr, false);
    if (entry.is_object()) note(entry, recent);
  }
  return recent;
}

// ---- what is looked at --------------------------------------------------------------------------

class Collection {
 public:
  Collection(Vault& vault, VaultStatus status)
      : vault_(vault), status_(std::move(status)), out_(status_.vault_id), now_(now_ms()) {}

  MetricsText run() {
    add_vault();
    add_copies();
    look("certificates", [&] { return certificates(); });
    look("log", [&] { return erasures(); });
    look("retention", [&] { return retention(); });
    look("scheduled erasures", [&] { return scheduled(); });
    look("holds", [&] { return holds(); });
    look("rotations", [&] { return rotations(); });
    look("backups", [&] { return backups(); });
    look("inbox", [&] { return inbox(); });
    look("governance", [&] { return governance(); });
    doctor();
    out_.add("quietus_parts_unreadable", unreadable_);
    return std::move(out_);
  }

 private:
  // What is damaged in one part is no reason to say nothing of the others.
  template <class Part>
  void look(std::string_view name, Part part) {
    const Result<void> done = part();
    if (done) return;
    ++unreadable_;
    Terminal::message(std::string(name) + ": " + done.error().context());
  }

  void add_vault() {
    out_.add("quietus_vault_info", std::uint64_t{1},
             {{"version", QUIETUS_VERSION}, {"provider", status_.root_provider}});
    out_.add_time("quietus_collected_timestamp_seconds", now_);
    out_.add_flag("quietus_read_only", status_.read_only);
    out_.add("quietus_processes", std::uint64_t{status_.processes});
    out_.add_flag("quietus_key_memory_locked", status_.key_memory_locked);
    out_.add("quietus_root_generation", status_.root_generation);
    out_.add("quietus_tenants", status_.tenants);
    out_.add("quietus_log_entries", status_.log_size);
    out_.add("quietus_erasures_pending", std::uint64_t{status_.pending.size()});
    const auto oldest = std::min_element(
        status_.pending.begin(), status_.pending.end(),
        [](const auto& a, const auto& b) { return a.begun_unix_ms < b.begun_unix_ms; });
    if (oldest != status_.pending.end())
      out_.add_time("quietus_erasures_pending_oldest_timestamp_seconds", oldest->begun_unix_ms);
  }

  void add_copies() {
    out_.add_time("quietus_backup_newest_timestamp_seconds", status_.backup_unix_ms);
    out_.add_time("quietus_snapshot_newest_timestamp_seconds", status_.snapshot_unix_ms);
    out_.add_time("quietus_snapshots_clear_timestamp_seconds", status_.snapshots_clear_unix_ms);
    out_.add_time("quietus_drill_timestamp_seconds", status_.drill_unix_ms);
    if (status_.drill_unix_ms != 0) out_.add_flag("quietus_drill_passed", status_.drill_passed);
  }

  Result<void> certificates() {
    QUIETUS_TRY_AS(certificates_, vault_.certificates());
    std::map<std::string, std::uint64_t> number{
        {"complete", 0}, {"partial", 0}, {"pending-snapshots", 0}};
    for (const CertificateInfo& info : certificates_) ++number[info.status];
    for (const auto& [status, count] : number)
      out_.add("quietus_certificates", count, {{"status", status}});
    return {};
  }

  Result<void> erasures() {
    QUIETUS_TRY_AS(const RecentErasures recent, recent_erasures(vault_, status_.log_size));
    out_.add("quietus_erasures_recent", recent.count);
    out_.add("quietus_erasures_recent_unreachable_to_destroyed_seconds",
             static_cast<double>(recent.seconds));
    if (recent.count == 0) return {};
    constexpr std::int64_t kSecond = 1000;
    out_.add_time("quietus_erasure_last_timestamp_seconds", recent.last_destroyed * kSecond);
    out_.add("quietus_erasure_last_unreachable_to_destroyed_seconds",
             static_cast<double>(recent.last_seconds));
    return begun_to_unreachable(recent.last_id);
  }

  // Only a certificate says when an erasure was begun. One of a sweep has none before it is asked
  // for, a purge has none at all.
  Result<void> begun_to_unreachable(const std::string& erasure_id) {
    const auto found =
        std::find_if(certificates_.rbegin(), certificates_.rend(),
                     [&](const CertificateInfo& info) { return info.erasure_id == erasure_id; });
    if (found == certificates_.rend()) return {};
    QUIETUS_TRY_AS(const std::string text, vault_.certificate(found->id));
    QUIETUS_TRY_AS(const std::string key, vault_.issuing_key_pem());
    QUIETUS_TRY_AS(const VerifiedCertificate certificate, verify_certificate(as_bytes(text), key));
    const CertificateTimes& times = certificate.times();
    constexpr double kSecond = 1000;
    out_.add("quietus_erasure_last_begun_to_unreachable_seconds",
             static_cast<double>(times.keys_unreachable_unix_ms - times.begun_unix_ms) / kSecond);
    return {};
  }

  Result<void> retention() {
    QUIETUS_TRY_AS(const RetentionStatus status, vault_.retention().status());
    out_.add_flag("quietus_retention_known", status.known);
    if (!status.known) return {};
    out_.add("quietus_scopes_due", status.due_now);
    out_.add("quietus_scopes_overdue", status.overdue);
    out_.add("quietus_scopes_kept", status.kept);
    if (status.next_due)
      out_.add_time("quietus_scopes_next_due_timestamp_seconds", *status.next_due);
    return {};
  }

  Result<void> scheduled() {
    QUIETUS_TRY_AS(const auto schedules, vault_.retention().schedules());
    std::uint64_t count = 0;
    std::optional<std::int64_t> next;
    for (const ScheduleInfo& one : schedules) {
      if (!one.erase_at) continue;
      ++count;
      next = std::min(next.value_or(*one.erase_at), *one.erase_at);
    }
    out_.add("quietus_erasures_scheduled", count);
    if (next) out_.add_time("quietus_erasures_scheduled_next_timestamp_seconds", *next);
    return {};
  }

  Result<void> holds() {
    QUIETUS_TRY_AS(const auto holds, vault_.lifecycle().holds());
    out_.add("quietus_holds", std::uint64_t{holds.size()});
    return {};
  }

  Result<void> rotations() {
    QUIETUS_TRY_AS(const auto rotations, vault_.lifecycle().rotations());
    out_.add("quietus_rotations_open", std::uint64_t{rotations.size()});
    return {};
  }

  Result<void> backups() {
    QUIETUS_TRY_AS(const auto backups, vault_.backups().list());
    std::uint64_t kept = 0;
    std::uint64_t expired = 0;
    for (const BackupInfo& backup : backups)
      if (backup.made_unix_ms != 0) ++(backup.expires_unix_ms <= now_ ? expired : kept);
    out_.add("quietus_backups", kept);
    out_.add("quietus_backups_expired", expired);
    return {};
  }

  Result<void> inbox() {
    QUIETUS_TRY_AS(const InboxInfo inbox, vault_.escrow().inbox());
    if (inbox.folder.empty()) return {};
    out_.add("quietus_inbox_told", inbox.told);
    out_.add("quietus_inbox_waiting", inbox.waiting);
    return {};
  }

  Result<void> governance() {
    QUIETUS_TRY_AS(const GovernanceStatus status, vault_.governance().status());
    out_.add_flag("quietus_governed", status.governed);
    if (!status.governed) return {};
    out_.add("quietus_operators", status.operators);
    out_.add("quietus_admins", status.admins);
    out_.add("quietus_requests_open", status.open_requests);
    out_.add("quietus_requests_overdue", status.overdue_requests);
    out_.add_time("quietus_review_timestamp_seconds", status.reviewed_unix_ms);
    out_.add_flag("quietus_review_overdue", status.review_overdue);
    out_.add_time("quietus_break_glass_timestamp_seconds", status.break_glass_unix_ms);
    return {};
  }

  void doctor() {
    constexpr std::array<std::string_view, 4> kLevels{"ok", "note", "warning", "problem"};
    std::array<std::uint64_t, 4> number{};
    std::map<std::string, std::size_t> worst;
    for (const Finding& finding : vault_.doctor()) {
      const auto level = static_cast<std::size_t>(finding.level);
      ++number[level];
      std::size_t& known = worst[finding.subject];
      known = std::max(known, level);
    }
    for (std::size_t level = 0; level < number.size(); ++level)
      out_.add("quietus_doctor_findings", number[level], {{"level", std::string(kLevels[level])}});
    for (const auto& [subject, level] : worst)
      out_.add("quietus_doctor_level", std::uint64_t{level}, {{"subject", subject}});
  }

  Vault& vault_;
  VaultStatus status_;
  MetricsText out_;
  std::int64_t now_;
  std::vector<CertificateInfo> certificates_;
  std::uint64_t unreadable_ = 0;
};

// Who collects it is another user, and there is nothing secret in it.
Result<void> write_metrics(const std::string& path, const std::string& text) {
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(path));
  QUIETUS_TRY(file.let_all_read());
  QUIETUS_TRY(file.write(as_bytes(text)));
  return file.commit();
}

Result<ExitCode> run_metrics(const MetricsCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(VaultStatus status, vault.status());
  const MetricsText metrics = Collection(vault, std::move(status)).run();
  if (!command.output.empty()) QUIETUS_TRY(write_metrics(command.output, metrics.text()));
  if (invocation.terminal.json)
    invocation.terminal.document(
        {{"file", command.output.empty() ? Json(nullptr) : Json(command.output)},
         {"metrics", metrics.json()}});
  else if (command.output.empty())
    invocation.terminal.verbatim(metrics.text());
  return ExitCode::kDone;
}

}  // namespace

void attach_metrics_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<MetricsCommand>();
  CLI::App& metrics = *app.add_subcommand(
      "metrics", "Numbers for a monitoring system, as OpenMetrics text; no names are in them");
  metrics.add_option("-o,--output", options->output,
                     "Write this file, whole or not at all, for all to read");
  on_chosen(metrics, chosen, std::move(options), run_metrics);
}

}  // namespace quietus::cli
