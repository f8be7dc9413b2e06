#include "import_writer.hpp"

#include "base/text_encoding.hpp"

#include <algorithm>

namespace quietus {
namespace {

constexpr std::uint64_t kBatchBytes = 256 * 1024;
constexpr std::size_t kBatchRecords = 1000;
constexpr std::size_t kNameBytes = 1024;

bool has_empty_or_dot_element(std::string_view name) {
  while (true) {
    const std::size_t end = name.find('/');
    const std::string_view element = name.substr(0, end);
    if (element.empty() || element == "." || element == "..") return true;
    if (end == std::string_view::npos) return false;
    name.remove_prefix(end + 1);
  }
}

// C0, DEL and C1 (in UTF-8 that is well-formed: C2 80 to C2 9F).
bool has_control_character(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && static_cast<unsigned char>(name[i + 1]) < 0xA0) return true;
  }
  return false;
}

}  // namespace

Result<void> check_record_name(std::string_view name) {
  const auto refuse = [](std::string why) { return Error(ErrorCode::kInvalidArgument, why); };
  if (name.empty() || name.size() > kNameBytes) return refuse("a record name has 1 to 1,024 bytes");
  if (!is_utf8(name)) return refuse("the record name is not UTF-8");
  if (has_control_character(name)) return refuse("the record name has a control character");
  if (has_empty_or_dot_element(name))
    return refuse("the record name has an empty element, \".\" or \"..\"");
  return {};
}

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
