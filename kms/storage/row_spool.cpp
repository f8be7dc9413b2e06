#include "storage/row_spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace quietus {
namespace {

Error spool_failed() {
  const int cause = errno;
  return {cause == ENOSPC || cause == EDQUOT ? ErrorCode::kFull : ErrorCode::kIo,
          "a temporary file: " + std::generic_category().message(cause)};
}

}  // namespace

void RowSpool::Close::operator()(std::FILE* file) const noexcept {
  static_cast<void>(std::fclose(file));
}

Result<RowSpool> RowSpool::in(const std::filesystem::path& folder) {
  std::string path = (folder / ".quietus-spool-XXXXXX").string();
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) return spool_failed().within(folder.string());
  ::unlink(path.c_str());
  std::FILE* file = ::fdopen(descriptor, "w+b");
  if (file == nullptr) {
    const Error failure = spool_failed();
    ::close(descriptor);
    return failure;
  }
  return RowSpool(file);
}

Result<void> RowSpool::add(ByteView key, ByteView value) {
  ByteWriter out;
  out.u32(static_cast<std::uint32_t>(key.size())).u32(static_cast<std::uint32_t>(value.size()));
  out.raw(key).raw(value);
  if (std::fwrite(out.view().data(), 1, out.view().size(), file_.get()) != out.view().size())
    return spool_failed();
  ++rows_;
  return {};
}

Result<void> RowSpool::replay(FunctionRef<Result<void>(ByteView, ByteView)> visit) {
  if (std::fflush(file_.get()) != 0 || std::fseek(file_.get(), 0, SEEK_SET) != 0)
    return spool_failed();
  Bytes row;
  for (std::uint64_t i = 0; i < rows_; ++i) {
    row.resize(8);
    if (std::fread(row.data(), 1, 8, file_.get()) != 8) return spool_failed();
    ByteReader sizes(row);
    const std::size_t key = sizes.u32();
    const std::size_t value = sizes.u32();
    row.resize(key + value);
    if (std::fread(row.data(), 1, row.size(), file_.get()) != row.size()) return spool_failed();
    QUIETUS_TRY(visit(ByteView(row).first(key), ByteView(row).subspan(key)));
  }
  return {};
}

}  // namespace quietus
