#include <quietus/portability.hpp>

#include "export_records.hpp"
#include "import_writer.hpp"
#include "names.hpp"
#include "ndjson_line.hpp"

namespace quietus {
namespace {

constexpr std::size_t kReadSize = std::size_t{256} * 1024;

// Cuts what a source delivers into lines of bounded length.
class LineReader {
 public:
  explicit LineReader(const ByteSource& source) : source_(source) {}

  // The next line without its end, valid until the next call; none at the end of input.
  Result<std::optional<std::string_view>> next() {
    std::size_t searched = start_;
    std::size_t end = 0;
    while ((end = buffer_.find('\n', searched)) == std::string::npos && !ended_) {
      if (buffer_.size() - start_ > kNdjsonLineLimit) return too_long();
      QUIETUS_TRY_AS(searched, fill());
    }
    if (end == std::string::npos) end = buffer_.size();
    if (end - start_ > kNdjsonLineLimit) return too_long();
    if (start_ == buffer_.size()) return std::optional<std::string_view>();
    const std::string_view line = std::string_view(buffer_).substr(start_, end - start_);
    start_ = std::min(end + 1, buffer_.size());
    return std::optional(line);
  }

 private:
  static Error too_long() { return {ErrorCode::kInvalidArgument, "longer than 64 MiB"}; }

  // Gets more bytes behind the line begun; the offset at which they lie.
  Result<std::size_t> fill() {
    buffer_.erase(0, std::exchange(start_, 0));
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kReadSize);
    const MutableBytes space(reinterpret_cast<std::uint8_t*>(buffer_.data()) + before, kReadSize);
    const Result<std::size_t> got = source_(space);
    buffer_.resize(before + (got ? *got : 0));
    if (!got) return got.error();
    ended_ = *got == 0;
    return before;
  }

  const ByteSource& source_;
  std::string buffer_;
  std::size_t start_ = 0;  // of what was not handed out yet
  bool ended_ = false;
};

// True when a line was imported, false at the end of input.
Result<bool> import_line(LineReader& lines, ImportWriter& writer) {
  QUIETUS_TRY_AS(const std::optional<std::string_view> line, lines.next());
  if (!line) return false;
  QUIETUS_TRY_AS(NdjsonRecord record, parse_ndjson_line(*line));
  QUIETUS_TRY(validate_record_name(record.name));
  QUIETUS_TRY(validate_content_type(record.content_type));
  PutOptions options;
  options.content_type = std::move(record.content_type);
  QUIETUS_TRY(writer.put(record.name, record.value, std::move(options)));
  return true;
}

// Hands out one record as a line: its size, or none when the record is gone.
Result<std::optional<std::uint64_t>> export_line(const Scope& scope, const RecordInfo& record,
                                                 const ByteSink& sink) {
  if (record.size_bytes > kNdjsonValueLimit)
    return Error(ErrorCode::kInvalidArgument,
                 "too large for a line of .ndjson; export to a folder");
  QUIETUS_TRY_AS(std::optional<Bytes> value, scope.get(record.name));
  if (!value) return std::optional<std::uint64_t>();
  const std::uint64_t size = value->size();
  const std::string line =
      format_ndjson_line({record.name, std::move(*value), record.content_type});
  const Result<void> taken = sink(as_bytes(line));
  if (taken) return std::optional(size);
  // The line may be half out, so whatever the reason, this is the end of the export.
  const bool full = taken.error().code() == ErrorCode::kFull;
  return Error(full ? ErrorCode::kFull : ErrorCode::kIo, taken.error().context());
}

}  // namespace

TransferReport import_ndjson(Scope& scope, const ByteSource& source, const Progress& progress) {
  ImportWriter writer(scope, progress);
  LineReader lines(source);
  for (std::uint64_t number = 1; !writer.stopped(); ++number) {
    Result<bool> more = import_line(lines, writer);
    if (!more)
      writer.stop(std::move(more).error().within("line " + std::to_string(number)));
    else if (!*more)
      break;
  }
  return writer.finish();
}

Result<TransferReport> export_ndjson(Vault& vault, const ExportSource& source, const ByteSink& sink,
                                     const Progress& progress) {
  return export_records(vault, source, progress, [&](const Scope& scope, const RecordInfo& record) {
    return export_line(scope, record, sink);
  });
}

}  // namespace quietus
