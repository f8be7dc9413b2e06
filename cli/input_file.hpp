// A file, a pipe or standard input to be read from its beginning to its end.
#pragma once

#include <quietus/scope.hpp>

#include <string>

namespace quietus::cli {

class InputFile {
 public:
  // "-" is standard input. kIo when it cannot be opened.
  static Result<InputFile> open(const std::string& path);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  // Fills as much of the buffer as there is to come; less than all of it only at the end. kIo.
  Result<std::size_t> read(MutableBytes to);
  // For the library, as long as this object lives.
  ByteSource source();
  // The same, handing out first what was read of it already. `begun` is borrowed as long.
  ByteSource source_after(const Bytes& begun);

 private:
  InputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
};

inline constexpr std::size_t kCertificateLimit = std::size_t{16} * 1024 * 1024;  // bytes

// The whole of a small file. kInvalidArgument when it is larger than `limit` bytes.
Result<Bytes> read_file(const std::string& path, std::size_t limit);

}  // namespace quietus::cli
