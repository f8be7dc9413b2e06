// The root row of the control store: which slots hold the root key, and which root generation the
// tree has reached. It lies in the clear, because it is read before anything can be opened, and is
// authenticated under the root key.
//
//   "R" -> version u16 (1) || vault id 16 || instance id 16 || state u8 || generation u64 || next
//   generation u64 ||
//          confirmed u8 || tree height u8 || next leaf u64 || overlay u64 || batch 16 || attempts
//          u8 || attempts (16 + 8 + 16 + 1 each) || slots u8 || slots (8 + 16 each) || provider
//          (length-prefixed text) || rights 32 || HMAC-SHA256 of all before, under HKDF-Expand(root
//          key, "quietus/v1/root-row" || 00)
#pragma once

#include <quietus/result.hpp>

#include <vector>

#include "crypto/labels.hpp"
#include "evidence/log_entry.hpp"
#include "keys/root_provider.hpp"
#include "storage/control_store.hpp"

namespace quietus {

inline constexpr std::uint16_t kFormatVersion = 1;

// Numbers reach the disk.
enum class VaultState : std::uint8_t { kLive = 0, kDestroying = 1 };

// A root change that was begun and not decided yet: its intent, and the slot it makes or made.
struct RootAttempt {
  ErasureId change{};
  SlotName slot;
  bool staged = false;  // nodes are staged for it: who adds a leaf meanwhile notes it
  friend bool operator==(const RootAttempt&, const RootAttempt&) = default;
};
inline constexpr std::size_t kMaxAttempts = 16;

struct RootRow {
  VaultId vault{};
  InstanceId instance{};  // zero: the vault as it was created
  VaultState state = VaultState::kLive;
  std::uint64_t generation = 0;
  std::uint64_t next_generation = 0;  // taken and incremented by each attempt, never given back
  bool confirmed = false;             // a second synced transaction has named `slots`
  std::uint8_t height = 0;            // levels of the key tree
  std::uint64_t next_leaf = 0;        // leaf indices from here on were never used
  std::uint64_t overlay = 0;          // generation of the staged nodes in force; 0: none
  ErasureId batch{};                  // decided, its rows not all cleaned yet; zero: none
  std::vector<RootAttempt> attempts;  // begun; an intent that is not among them is an old copy
  std::vector<SlotName> slots;        // every one of them opens the root node
  std::string provider;
  Sha256 rights{};  // over the rows of operators (keys/rights.hpp); zero: it is not governed

  bool attempts_slot(const SlotName& slot) const noexcept;
  bool attempts_change(const ErasureId& change, const SlotName& slot) const noexcept;
  // kBusy when kMaxAttempts changes were begun and none of them could be finished.
  Result<void> begin_attempt(const RootAttempt& attempt);
  void end_attempt(const ErasureId& change) noexcept;

  Bytes encode(const RootKey& key) const;
};

struct SealedRootRow {
  RootRow row;  // not yet authenticated
  Bytes body;
  Bytes mac;
  bool authentic(const RootKey& key) const;
};

// kCorrupt, also when there is none: damage can hide it; kUnsupported.
Result<SealedRootRow> read_root_row(ControlReader& reader);
Result<void> write_root_row(ControlWriter& writer, const RootRow& row, const RootKey& key);

// Writes the row again as it is: a synced transaction that changes nothing, for who has no key.
Result<void> rewrite_root_row(ControlWriter& writer, const SealedRootRow& row);

}  // namespace quietus
