// The evidence log: an append-only Merkle log in the control store. Entries are sealed at rest; the
// hashes over them are not, they say nothing about them.
//
//   key                                    value
//   'E' || index (8)                       the entry, sealed as a row under its own key
//   'M' || level (1) || index (8)          hash of that complete subtree (32)
//   'H'                                    size (8) || root (32); absent while the log is empty
//
// Numbers are big-endian. An append reads and writes O(log n) rows.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "crypto/aead.hpp"
#include "crypto/labels.hpp"
#include "evidence/merkle_proof.hpp"
#include "evidence/merkle_tree.hpp"
#include "storage/control_store.hpp"

namespace quietus {

// Bytes in one entry: a sealed one still fits the control store's 64 KiB and, opened, the 16-bit
// length of a C2SP entry tile. Log the hash of anything larger.
inline constexpr std::size_t kMaxLogEntry = std::size_t{64} * 1024 - kSealOverhead;

// What entries are sealed with, borrowed for the call.
struct LogSeal {
  const RowKey& key;
  const VaultId& vault;
  GcmContext& context;
};

// Adds an entry; its index. Idempotent only as far as the transaction is: a caller that runs again
// after an unknown outcome looks at the head first. kInvalidArgument for an empty or too large
// entry.
Result<std::uint64_t> append_entry(ControlWriter& writer, const LogSeal& seal, ByteView entry);

Result<TreeHead> log_head(ControlReader& reader);
// kNotFound beyond the head; kCorrupt.
Result<Bytes> read_entry(ControlReader& reader, const LogSeal& seal, std::uint64_t index);

// The stored hash of a complete subtree. kCorrupt when there is none.
Result<Hash> subtree_hash(ControlReader& reader, const NodeId& node);

// The root when the log had `size` entries. kInvalidArgument beyond the head.
Result<Hash> root_at(ControlReader& reader, std::uint64_t size);

// Proofs of and between trees up to the head (see merkle_proof.hpp). kInvalidArgument for an index
// or sizes that no such proof exists for.
Result<std::vector<Hash>> inclusion_proof(ControlReader& reader, std::uint64_t index,
                                          std::uint64_t size);
Result<std::vector<Hash>> consistency_proof(ControlReader& reader, std::uint64_t old_size,
                                            std::uint64_t size);

// One entry with its inclusion proof under a signed checkpoint, as a certificate carries it.
struct ProvenEntry {
  Bytes entry;
  std::string proof;  // C2SP tlog-proof
};
// `checkpoint` is the signed note of this log at `size`.
Result<ProvenEntry> prove_entry(ControlReader& reader, const LogSeal& seal, std::uint64_t index,
                                std::uint64_t size, std::string_view checkpoint);

// Recomputes everything: every entry opens, none is missing, every stored hash is the recomputed
// one, nothing lies beyond the head, and the head is what the entries add up to. kCorrupt for rows
// that are damaged or missing, kUnverified for hashes that are not those of the entries; the text
// names the entry.
Result<TreeHead> verify_log(ControlReader& reader, const LogSeal& seal);

}  // namespace quietus
