// An erasure of many scopes between T1 and T2: the list is looked at again, the new tree is staged
// beside the one that stands, and T2 finds out in a few rows whether that still holds. Under the
// root-change lock, while others read and write. docs/erasure.md, section 1.1.
#include <algorithm>

#include "base/failpoint.hpp"
#include "keys/batch_list.hpp"
#include "keys/holds.hpp"
#include "keys/key_tree_staging.hpp"
#include "keys/root_change.hpp"
#include "keys/scope_table.hpp"

namespace quietus {
namespace {

constexpr std::size_t kCarriedAtDecision = 64;  // leaves that T2 itself carries over
constexpr std::size_t kNodesBelowSubtree = 127;
Error overtaken() {
  return Error(ErrorCode::kChanged, "what is to be erased has changed meanwhile");
}

// Whether the statement names just the keys of the scope that are not destroyed.
bool names_keys_of(const BatchStatement& statement, const KeyRow& row) {
  std::size_t named = 0;
  for (const KeyRecord& key : row.keys) {
    if (is_destroyed(key.state)) continue;
    if (named == statement.target.keys.size() || statement.target.keys[named].id != key.id)
      return false;
    ++named;
  }
  return named == statement.target.keys.size();
}

}  // namespace

Result<void> RootChange::stage(Intent& intent, const RootKey& new_root) {
  QUIETUS_TRY(check_room());
  QUIETUS_TRY_AS(const bool renewed, look_at_list(intent));
  QUIETUS_FAILPOINT("batch/after-look");
  if (intent.batch->scopes == 0) return Error(ErrorCode::kErased, "all of it was erased meanwhile");
  if (renewed || staged_ != intent.slot.generation) QUIETUS_TRY(stage_tree(intent, new_root));
  return carry_added(intent, new_root);
}

// One batch at a time is read through its list and its staged nodes.
Result<void> RootChange::check_room() {
  if (row_.overlay == 0 && row_.batch == ErasureId{}) return {};
  return Error(ErrorCode::kBusy, "an earlier erasure of many scopes is not cleaned up yet");
}

// From when the mark was taken away on, whatever changes what is seen here sets it again, in its
// own transaction. So it is enough for T2 that there is none (I-22, I-24).
Result<bool> RootChange::look_at_list(Intent& intent) {
  const std::uint64_t generation = intent.slot.generation;
  QUIETUS_TRY(parts_.control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return rows::clear_mark(writer, generation);
  }));
  ScopeId from = 0;
  bool renewed = false;
  bool more = true;
  while (more) {
    QUIETUS_TRY_AS(more, look_at_page(intent, from, renewed));
    QUIETUS_FAILPOINT("batch/after-look-at-page");
  }
  // A crash may have come between a renewal and its seal.
  const bool unknown = resuming_ && staged_ == 0;
  if (!renewed && !unknown) return false;
  QUIETUS_TRY_AS(intent.batch, seal_list(parts_.control, seal(), intent.id));
  return true;
}

Result<bool> RootChange::look_at_page(Intent& intent, ScopeId& from, bool& renewed) {
  std::vector<ScopeId> page;
  std::vector<ScopeId> others;
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const auto listed,
                   rows::statements(reader, seal(), intent.id, from, parts_.batch_step));
    for (const BatchStatement& statement : listed) {
      page.push_back(statement.target.scope);
      const auto row = rows::key_row(reader, seal(), statement.target.scope);
      if (!row && row.error().code() != ErrorCode::kCorrupt) return row.error();
      if (!row || !*row || !names_keys_of(statement, **row))
        others.push_back(statement.target.scope);
    }
    return check_not_held(reader, seal(), page);
  }));
  if (page.empty()) return false;
  from = page.back() + 1;
  if (others.empty()) return true;
  renewed = true;
  QUIETUS_TRY(
      parts_.control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
        for (const ScopeId scope : others) QUIETUS_TRY(renew_statement(writer, intent.id, scope));
        return {};
      }));
  return true;
}

Result<void> RootChange::stage_tree(const Intent& intent, const RootKey& new_root) {
  const std::uint64_t generation = intent.slot.generation;
  bool removed = false;
  while (!removed)
    QUIETUS_TRY(
        parts_.control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
          QUIETUS_TRY_AS(removed,
                         rows::remove_generation(writer, 'n', generation, 2 * parts_.batch_step));
          return {};
        }));
  KeyTree stands(store_.vault_, keys_->root, *context_, row_.overlay);
  ListedLeaves doomed(seal(), intent.id);
  const std::uint8_t subtree = 2 * parts_.batch_step < kNodesBelowSubtree ? 0 : 1;
  QUIETUS_TRY_AS(const std::uint64_t destroyed,
                 TreeStaging(parts_.control, stands, doomed, subtree).run(generation, new_root));
  // Every key that the batch says is destroyed must be one whose leaf is zeroed (I-8).
  if (destroyed != intent.batch->keys)
    return Error(ErrorCode::kCorrupt,
                 "batch: its leaves are not those of its keys; nothing was destroyed");
  staged_ = generation;
  return {};
}

Result<void> RootChange::carry_added(const Intent& intent, const RootKey& new_root) {
  std::size_t carried = parts_.batch_step;
  while (carried == parts_.batch_step) {
    QUIETUS_TRY(
        parts_.control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
          QUIETUS_TRY_AS(carried, carry_some(writer, intent, new_root, parts_.batch_step));
          return {};
        }));
    QUIETUS_FAILPOINT("batch/after-carrying");
  }
  return {};
}

// How many notes of added leaves there were, at most `limit`. One that is of a listed key is not
// carried over.
Result<std::size_t> RootChange::carry_some(ControlWriter& writer, const Intent& intent,
                                           const RootKey& new_root, std::size_t limit) {
  const std::uint64_t generation = intent.slot.generation;
  QUIETUS_TRY_AS(const auto added, rows::added_leaves(writer, seal(), generation, limit));
  std::vector<LeafRef> living;
  for (const LeafRef& leaf : added) {
    QUIETUS_TRY_AS(const bool doomed, rows::is_doomed(writer, intent.id, leaf.index));
    if (!doomed) living.push_back(leaf);
    QUIETUS_TRY(rows::forget_added_leaf(writer, generation, leaf.index));
  }
  KeyTree stands(store_.vault_, keys_->root, *context_, row_.overlay);
  KeyTree staged(store_.vault_, new_root, *context_, generation);
  QUIETUS_TRY(carry_over(writer, stands, staged, living));
  return added.size();
}

// In T2: what was staged and looked at is still so, and the staged tree takes the place of the one
// that stood when the root row names it.
Result<void> RootChange::put_in_force(ControlWriter& writer, const Intent& intent,
                                      const RootKey& new_root) {
  const std::uint64_t generation = intent.slot.generation;
  QUIETUS_TRY_AS(const bool marked, rows::is_marked(writer, generation));
  if (marked || staged_ != generation) return overtaken();
  QUIETUS_TRY(check_room());
  QUIETUS_TRY_AS(const std::size_t carried,
                 carry_some(writer, intent, new_root, kCarriedAtDecision));
  if (carried == kCarriedAtDecision) return overtaken();
  // Never a root that does not lead to the vault's own rows.
  KeyTree staged(store_.vault_, new_root, *context_, generation);
  QUIETUS_TRY(staged.leaf(writer, kControlLeaf));
  BatchRow row;
  row.intent = intent;
  return rows::put_batch(writer, seal(), intent.id, row);
}

}  // namespace quietus
