#include "export_records.hpp"

#include <algorithm>

namespace quietus {
namespace {

bool concerns_one_record(ErrorCode code) noexcept {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kChanged ||
         code == ErrorCode::kAlreadyExists || code == ErrorCode::kInvalidArgument;
}

// All at once and not while visiting: a visitor holds a snapshot open.
Result<std::vector<RecordInfo>> sorted_records(const Scope& scope) {
  std::vector<RecordInfo> records;
  QUIETUS_TRY(scope.list({}, [&](const RecordInfo& record) -> Result<bool> {
    records.push_back(record);
    return true;
  }));
  std::sort(records.begin(), records.end(),
            [](const RecordInfo& a, const RecordInfo& b) { return a.name < b.name; });
  return records;
}

void deliver_one(const Scope& scope, const RecordInfo& record, const DeliverRecord& deliver,
                 TransferReport& report) {
  Result<std::optional<std::uint64_t>> size = deliver(scope, record);
  if (size && *size) {
    ++report.records;
    report.bytes += **size;
  } else if (!size && concerns_one_record(size.error().code())) {
    report.failed.push_back({record.name, std::move(size).error()});
  } else if (!size) {
    report.stopped = std::move(size).error();
  }
}

// What has gone out, and the one that was going out when the export ended: some of it may be out.
Result<void> record_export(Vault& vault, std::string_view scope_path, TransferReport& report,
                           const RecordInfo* begun) {
  QUIETUS_TRY_AS(const VaultStatus status, vault.status());
  if (status.read_only) return {};
  const std::uint64_t records = report.records + (begun != nullptr ? 1 : 0);
  const std::uint64_t bytes = report.bytes + (begun != nullptr ? begun->size_bytes : 0);
  QUIETUS_TRY(vault.record_export(scope_path, records, bytes));
  report.recorded = true;
  return {};
}

}  // namespace

Result<TransferReport> export_records(Vault& vault, const ExportSource& source,
                                      const Progress& progress, const DeliverRecord& deliver) {
  QUIETUS_TRY_AS(const Scope scope, source.use ? vault.scope(source.scope_path, *source.use)
                                               : vault.scope(source.scope_path));
  QUIETUS_TRY(vault.governance().check_export(source.scope_path));
  QUIETUS_TRY_AS(const std::vector<RecordInfo> records, sorted_records(scope));
  TransferReport report;
  std::uint64_t done = 0;
  const RecordInfo* begun = nullptr;
  try {
    for (const RecordInfo& record : records) {
      begun = &record;
      deliver_one(scope, record, deliver, report);
      if (report.stopped) break;
      begun = nullptr;
      if (progress && !progress(++done, records.size())) {
        report.stopped = Error(ErrorCode::kRefused, "stopped by the caller");
        break;
      }
    }
  } catch (...) {  // of a callback: it goes on its way when the export is in the log
    static_cast<void>(record_export(vault, source.scope_path, report, begun));
    throw;
  }
  // Also after a stop: what was handed out is outside.
  if (Result<void> recorded = record_export(vault, source.scope_path, report, begun);
      !recorded && !report.stopped)
    report.stopped = std::move(recorded).error().within("recording the export");
  return report;
}

}  // namespace quietus
