#include "input_file.hpp"

#include "terminal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace quietus::cli {

Result<InputFile> InputFile::open(const std::string& path) {
  if (path == "-") return InputFile("standard input", STDIN_FILENO);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return io_error("cannot read " + path, errno);
  return InputFile(path, descriptor);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

InputFile::~InputFile() {
  if (descriptor_ > STDERR_FILENO) (void)close(descriptor_);
}

Result<std::size_t> InputFile::read(MutableBytes to) {
  std::size_t filled = 0;
  while (filled < to.size()) {
    const ssize_t got = ::read(descriptor_, to.data() + filled, to.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read " + path_, errno);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

ByteSource InputFile::source() {
  return [this](MutableBytes to) { return read(to); };
}

ByteSource InputFile::source_after(const Bytes& begun) {
  return [this, &begun, used = std::size_t{0}](MutableBytes to) mutable -> Result<std::size_t> {
    const std::size_t size = std::min(to.size(), begun.size() - used);
    if (size == 0) return read(to);
    std::copy_n(begun.begin() + static_cast<std::ptrdiff_t>(used), size, to.begin());
    used += size;
    return size;
  };
}

Result<Bytes> read_file(const std::string& path, std::size_t limit) {
  QUIETUS_TRY_AS(InputFile file, InputFile::open(path));
  Bytes content(limit + 1);
  QUIETUS_TRY_AS(const std::size_t size, file.read(content));
  if (size > limit) return Error(ErrorCode::kInvalidArgument, path + " is too large");
  content.resize(size);
  return content;
}

}  // namespace quietus::cli
