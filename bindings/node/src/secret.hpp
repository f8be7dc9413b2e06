// Bytes on their way between JavaScript and the library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace quietus::node {

// Is wiped before its memory is given back. Its storage never grows, as that would leave a copy.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t capacity) : bytes_(capacity), used_(capacity) {}
  Secret(const void* data, std::size_t size)
      : bytes_(static_cast<const std::uint8_t*>(data),
               static_cast<const std::uint8_t*>(data) + size),
        used_(size) {}
  ~Secret() {
    if (!bytes_.empty()) explicit_bzero(bytes_.data(), bytes_.size());
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& from) noexcept
      : bytes_(std::move(from.bytes_)), used_(std::exchange(from.used_, 0)) {
    from.bytes_.clear();
  }
  Secret& operator=(Secret&& from) noexcept {
    bytes_.swap(from.bytes_);
    std::swap(used_, from.used_);
    return *this;
  }

  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  std::size_t size() const { return used_; }
  // At most what it was made with.
  void shorten(std::size_t used) { used_ = used; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t used_ = 0;
};

}  // namespace quietus::node
