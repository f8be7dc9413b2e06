// Memory for secrets. Cells come from guarded slabs: locked against swap when the system allows it,
// left out of core dumps, zero in a forked child, wiped when given back. The types are move-only,
// are never compared or printed, and let nobody look inside except through expose().
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace quietus {

inline constexpr std::size_t kKeySize = 32;  // bytes: every symmetric key here is 256 bits

// How much guarded memory is in use and how much of it the system really locked.
struct GuardedMemoryStatus {
  std::size_t bytes = 0;
  std::size_t locked_bytes = 0;
  bool all_locked() const noexcept { return bytes == locked_bytes; }
};

// What to do when the system refuses to lock memory (RLIMIT_MEMLOCK): go on and report it in
// guarded_memory_status(), or refuse. Process-wide; set before the first secret is made.
enum class LockPolicy { kReport, kRequire };
void set_lock_policy(LockPolicy policy) noexcept;
GuardedMemoryStatus guarded_memory_status() noexcept;

// Wipes memory in a way the compiler does not remove.
void wipe(MutableBytes bytes) noexcept;

// Compares in time that depends on the length alone.
bool equal_constant_time(ByteView a, ByteView b) noexcept;

namespace guarded {
// One cell of `size` bytes, zeroed. Throws std::bad_alloc when memory is exhausted, or when it
// could not be locked and the policy is kRequire.
std::uint8_t* take(std::size_t size);
void give_back(std::uint8_t* cell, std::size_t size) noexcept;
}  // namespace guarded

// A secret of a size known at run time: a decrypted tree node, an unlock secret.
class SecretBuffer {
 public:
  SecretBuffer() noexcept = default;
  explicit SecretBuffer(std::size_t size) : data_(guarded::take(size)), size_(size) {}
  SecretBuffer(SecretBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  SecretBuffer& operator=(SecretBuffer&& other) noexcept {
    if (this != &other) {
      release();
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  ~SecretBuffer() { release(); }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  template <class F>
  decltype(auto) expose(F&& look) const {
    return std::forward<F>(look)(ByteView(data_, size_));
  }
  template <class F>
  decltype(auto) fill(F&& write) {
    return std::forward<F>(write)(MutableBytes(data_, size_));
  }

 private:
  void release() noexcept {
    if (data_ != nullptr) guarded::give_back(data_, size_);
  }

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// A 256-bit key with one role. Keys of different roles are different types: a key cannot be used
// for what it was not made for, and moving one leaves nothing behind.
template <class Role>
class Key {
 public:
  // A key written by `write(MutableBytes of 32)`.
  template <class F>
  static Key make(F&& write) {
    Key key;
    key.cell_ = guarded::take(kKeySize);
    std::forward<F>(write)(std::span<std::uint8_t, kKeySize>(key.cell_, kKeySize));
    return key;
  }

  Key(Key&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  Key& operator=(Key&& other) noexcept {
    if (this != &other) {
      release();
      cell_ = std::exchange(other.cell_, nullptr);
    }
    return *this;
  }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() { release(); }

  // Lets `look` see the bytes. Requires: not moved from.
  template <class F>
  decltype(auto) expose(F&& look) const {
    return std::forward<F>(look)(std::span<const std::uint8_t, kKeySize>(cell_, kKeySize));
  }

  // A second copy, for the few places that must keep one; each is a thing to wipe.
  Key duplicate() const {
    return make([this](std::span<std::uint8_t, kKeySize> to) {
      expose([&](std::span<const std::uint8_t, kKeySize> from) {
        for (std::size_t i = 0; i < kKeySize; ++i) to[i] = from[i];
      });
    });
  }

 private:
  Key() noexcept = default;
  void release() noexcept {
    if (cell_ != nullptr) guarded::give_back(cell_, kKeySize);
  }

  std::uint8_t* cell_ = nullptr;
};

// A short-lived secret on the stack, wiped at the end of its scope.
template <std::size_t N>
class StackSecret {
 public:
  StackSecret() noexcept = default;
  StackSecret(const StackSecret&) = delete;
  StackSecret& operator=(const StackSecret&) = delete;
  ~StackSecret() { wipe(bytes_); }
  std::span<std::uint8_t, N> bytes() noexcept { return bytes_; }
  std::span<const std::uint8_t, N> bytes() const noexcept { return bytes_; }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

}  // namespace quietus
