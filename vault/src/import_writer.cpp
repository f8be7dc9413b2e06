#include "import_writer.hpp"

namespace quietus {
namespace {

constexpr std::uint64_t kBatchBytes = 262'144;
constexpr std::size_t kBatchRecords = 1000;

}  // namespace

Result<void> ImportWriter::put(std::string_view name, ByteView value, PutOptions options) {
  if (value.size() > kBatchedValueLimit) {
    QUIETUS_TRY(flush());
    QUIETUS_TRY(scope_.put(name, value, options));
    return count(1, value.size());
  }
  if (batch_bytes_ + value.size() > kBatchBytes || batch_.size() >= kBatchRecords)
    QUIETUS_TRY(flush());
  batch_.put(name, value, std::move(options));
  batch_bytes_ += value.size();
  return {};
}

Result<void> ImportWriter::put_stream(std::string_view name, const ByteSource& source,
                                      std::uint64_t size_bytes) {
  QUIETUS_TRY(flush());
  QUIETUS_TRY(scope_.put_stream(name, source));
  return count(1, size_bytes);
}

Result<void> ImportWriter::flush() {
  if (batch_.size() == 0) return {};
  const Batch full = std::exchange(batch_, Batch());
  const std::uint64_t bytes = std::exchange(batch_bytes_, 0);
  QUIETUS_TRY(scope_.write(full));
  return count(full.size(), bytes);
}

Result<void> ImportWriter::count(std::uint64_t records, std::uint64_t bytes) {
  report_.records += records;
  report_.bytes += bytes;
  if (progress_ && !progress_(report_.records, 0))
    return Error(ErrorCode::kRefused, "stopped by the caller");
  return {};
}

void ImportWriter::skip(std::string name, std::string reason) {
  report_.skipped.push_back({std::move(name), std::move(reason)});
}

void ImportWriter::fail(std::string name, Error error) {
  report_.failed.push_back({std::move(name), std::move(error)});
}

void ImportWriter::stop(Error error) {
  if (!report_.stopped) report_.stopped = std::move(error);
}

TransferReport ImportWriter::finish() {
  if (Result<void> flushed = flush(); !flushed) stop(std::move(flushed).error());
  return std::move(report_);
}

}  // namespace quietus
