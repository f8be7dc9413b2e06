// The table that all holders of a vault map (holders.hpp).
#pragma once

#include <atomic>
#include <cstdint>

#include "keys/holders.hpp"

namespace quietus {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

struct Holders::Row {
  std::atomic<std::uint64_t> token;
  std::atomic<std::uint64_t> acknowledged;
  std::atomic<std::uint64_t> oldest;
  std::atomic<std::uint32_t> without_cache;
  std::atomic<std::uint32_t> unwritten;
  std::uint8_t padding[32];
};

struct Holders::Table {
  std::atomic<std::uint64_t> magic;
  std::atomic<std::uint64_t> pid_namespace;
  std::atomic<std::uint64_t> epoch;
  std::atomic<std::uint64_t> attention_until;
  std::uint8_t padding[32];
  Row rows[lock_bytes::kMaxHolders];
};

}  // namespace quietus
