// SHA-256 (FIPS 180-4).
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>

namespace quietus {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(ByteView message);
Sha256 sha256(std::initializer_list<ByteView> parts);  // of their concatenation

// For messages that come in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void update(ByteView piece);
  Sha256 finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quietus
