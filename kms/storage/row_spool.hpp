// Rows that have to be set aside for a moment: a file without a name, which the system forgets when
// this object goes or its process dies. For what is ciphertext already.
#pragma once

#include <quietus/result.hpp>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/function_ref.hpp"

namespace quietus {

class RowSpool {
 public:
  // On the file system of that folder. kFull, kIo.
  static Result<RowSpool> in(const std::filesystem::path& folder);

  // kFull, kIo.
  Result<void> add(ByteView key, ByteView value);
  // Hands out every row, in the order in which they were added. Views are valid during the call.
  Result<void> replay(FunctionRef<Result<void>(ByteView key, ByteView value)> visit);

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept;
  };
  explicit RowSpool(std::FILE* file) noexcept : file_(file) {}

  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t rows_ = 0;
};

}  // namespace quietus
