// The rows of erasures of many scopes ("batches"). Like everything in control_rows.hpp they are
// sealed under the vault's row key and hold ids, numbers, codes and commitments only.
//
// clang-format off
//   "Q" erasure id                   BatchRow: a batch that was decided
//   "q" erasure id || scope id       BatchStatement: one of its scopes and what is said of it
//   "b" erasure id || block u64      BatchBlock: 256 statements, in ascending order of scope ids
//   "l" erasure id || leaf index     key id u64: a leaf that it destroys
//   "a" root generation || leaf      key id u64: a leaf that was added while nodes were staged
//   "w" root generation              empty: what the staged erasure rests on has changed
// clang-format on
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "keys/control_rows.hpp"
#include "keys/holders.hpp"
#include "keys/key_tree_staging.hpp"

namespace quietus {

// Numbers reach the disk.
enum class BatchState : std::uint8_t {
  kUnreachable = 1,  // T2
  kFinished = 2,     // T3: certificates may be drawn
  kCleaned = 3,      // the rows of its scopes are as after an erasure of one
};

struct BatchRow {
  BatchState state = BatchState::kUnreachable;
  Intent intent;  // with the destroyed slots, once finished
  HolderCount holders;
  std::uint64_t destroyed_index = 0;  // of the slot-destroyed entry
  UnixMillis destroyed_time = 0;
  Assurance assurance;        // of the slots, when they were destroyed
  ScopeId next_to_clean = 0;  // the rows of all scopes below are cleaned
};

struct BatchStatement {
  StatementId id{};  // of its certificate too
  ClaimedTarget target;
  std::vector<std::uint64_t> log_indices;  // of the key-created entry of each key
  std::vector<std::uint64_t> leaves;       // of each key
  ClaimedUnreadable unreadable;
  std::string reason;  // a code
};

struct BatchBlock {
  ScopeId first = 0;
  Hash hash{};
};
inline constexpr std::uint64_t kStatementsInBlock = 256;

namespace rows {

Result<std::optional<BatchRow>> batch(ControlReader& reader, const RowSeal& seal,
                                      const ErasureId& id);
Result<void> put_batch(ControlWriter& writer, const RowSeal& seal, const ErasureId& id,
                       const BatchRow& row);

Result<std::optional<BatchStatement>> statement(ControlReader& reader, const RowSeal& seal,
                                                const ErasureId& batch, ScopeId scope);
Result<void> put_statement(ControlWriter& writer, const RowSeal& seal, const ErasureId& batch,
                           const BatchStatement& row);
// Whether the scope is a target, without looking at what is said of it.
Result<bool> is_listed(ControlReader& reader, const ErasureId& batch, ScopeId scope);
// At most `limit`, in ascending order of scope ids, from `from` on.
Result<std::vector<BatchStatement>> statements(ControlReader& reader, const RowSeal& seal,
                                               const ErasureId& batch, ScopeId from,
                                               std::size_t limit);
// With the leaves that it lists.
Result<void> remove_statement(ControlWriter& writer, const ErasureId& batch,
                              const BatchStatement& row);

Result<std::vector<BatchBlock>> blocks(ControlReader& reader, const RowSeal& seal,
                                       const ErasureId& batch);
Result<void> put_block(ControlWriter& writer, const RowSeal& seal, const ErasureId& batch,
                       std::uint64_t number, const BatchBlock& row);
// Those from a number on.
Result<void> remove_blocks(ControlWriter& writer, const ErasureId& batch, std::uint64_t from);

Result<void> put_doomed_leaf(ControlWriter& writer, const RowSeal& seal, const ErasureId& batch,
                             const LeafRef& leaf);
Result<void> remove_doomed_leaf(ControlWriter& writer, const ErasureId& batch, std::uint64_t index);
Result<bool> is_doomed(ControlReader& reader, const ErasureId& batch, std::uint64_t index);

Result<void> note_added_leaf(ControlWriter& writer, const RowSeal& seal, std::uint64_t generation,
                             const LeafRef& leaf);
Result<std::vector<LeafRef>> added_leaves(ControlReader& reader, const RowSeal& seal,
                                          std::uint64_t generation, std::size_t limit);
Result<void> forget_added_leaf(ControlWriter& writer, std::uint64_t generation,
                               std::uint64_t index);

// Something changed that the staged erasure of that root generation rests on: it looks again before
// it decides (docs/erasure.md, section 1.1).
Result<void> mark_changed(ControlWriter& writer, const RowSeal& seal, std::uint64_t generation);
Result<bool> is_marked(ControlReader& reader, std::uint64_t generation);
Result<void> clear_mark(ControlWriter& writer, std::uint64_t generation);

// As the tombstone of a scope of the batch that `seal` names.
Result<std::optional<Tombstone>> burial_in_batch(ControlReader& reader, const RowSeal& seal,
                                                 ScopeId scope);

// The first root generation with rows in that table ("n", "a" or "w") that is none of `kept`.
Result<std::optional<std::uint64_t>> stale_generation(ControlReader& reader, char table,
                                                      const std::vector<std::uint64_t>& kept);
// Removes at most `limit` of its rows there; true when none is left.
Result<bool> remove_generation(ControlWriter& writer, char table, std::uint64_t generation,
                               std::size_t limit);
// The first erasure with rows in that table ("q", "b" or "l"), beginning at `from`.
Result<std::optional<ErasureId>> next_list(ControlReader& reader, char table,
                                           const ErasureId& from);
// Removes at most `limit` of its rows there; true when none is left.
Result<bool> remove_list(ControlWriter& writer, char table, const ErasureId& batch,
                         std::size_t limit);

}  // namespace rows

// The leaves that a batch destroys.
class ListedLeaves final : public DoomedLeaves {
 public:
  ListedLeaves(const RowSeal& seal, const ErasureId& batch) : seal_(seal), batch_(batch) {}
  Result<std::optional<std::uint64_t>> next(ControlReader& reader, std::uint64_t from) override;
  Result<std::vector<LeafRef>> between(ControlReader& reader, std::uint64_t from,
                                       std::uint64_t to) override;

 private:
  const RowSeal seal_;
  const ErasureId batch_;
};

}  // namespace quietus
