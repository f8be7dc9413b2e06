// The writing end of an import: gathers small records into batches and counts what was written.
#pragma once

#include <quietus/portability.hpp>

#include <string_view>

namespace quietus {

// Values up to this size travel in batches; larger ones are streamed.
inline constexpr std::size_t kBatchedValueLimit = std::size_t{256} * 1024;

class ImportWriter {
 public:
  // Borrows both for its life.
  ImportWriter(Scope& scope, const Progress& progress) : scope_(scope), progress_(progress) {}

  // Writes a value, or keeps it for the next batch. An error here is one of the scope, and the end
  // of the import.
  Result<void> put(std::string_view name, ByteView value, PutOptions options);
  Result<void> put_stream(std::string_view name, const ByteSource& source,
                          std::uint64_t size_bytes);
  Result<void> flush();

  void skip(std::string name, std::string reason);
  void fail(std::string name, Error error);
  void stop(Error error);
  bool stopped() const noexcept { return report_.stopped.has_value(); }

  // Writes what is left and hands out the report.
  TransferReport finish();

 private:
  Result<void> count(std::uint64_t records, std::uint64_t bytes);

  Scope& scope_;
  const Progress& progress_;
  TransferReport report_;
  Batch batch_;
  std::uint64_t batch_bytes_ = 0;
};

}  // namespace quietus
