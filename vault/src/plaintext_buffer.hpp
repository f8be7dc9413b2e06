// Memory for contents on their way in or out. Ordinary memory, too large to be locked, but wiped
// before it is given back.
#pragma once

#include <quietus/result.hpp>

#include <memory>
#include <utility>

#include "base/secret.hpp"

namespace quietus {

class PlaintextBuffer {
 public:
  PlaintextBuffer() noexcept = default;
  explicit PlaintextBuffer(std::size_t size)
      : bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(size)), size_(size) {}
  PlaintextBuffer(PlaintextBuffer&& other) noexcept
      : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
  PlaintextBuffer& operator=(PlaintextBuffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  PlaintextBuffer(const PlaintextBuffer&) = delete;
  PlaintextBuffer& operator=(const PlaintextBuffer&) = delete;
  ~PlaintextBuffer() { wipe(bytes()); }

  std::size_t size() const noexcept { return size_; }
  MutableBytes bytes() noexcept { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace quietus
