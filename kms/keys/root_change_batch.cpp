// Erasures of many scopes: the list that is made before anything is begun, and what is written of
// it at T3. docs/erasure.md, section 1.1.
#include <algorithm>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "keys/batch_list.hpp"
#include "keys/holds.hpp"
#include "keys/root_change.hpp"

namespace quietus {
namespace {

// What keeps a scope from being listed, though not the others.
bool is_passed_over(const Error& error) {
  return error.code() == ErrorCode::kErased || error.code() == ErrorCode::kNotFound ||
         error.code() == ErrorCode::kCorrupt;
}

Result<void> add_keys(ControlReader& reader, const RowSeal& seal, const KeyRow& row,
                      BatchStatement& statement) {
  for (const KeyRecord& key : row.keys) {
    if (is_destroyed(key.state)) continue;
    QUIETUS_TRY_AS(const auto owner, rows::leaf_owner(reader, seal, key.id));
    if (!owner) return Error(ErrorCode::kCorrupt, "control store: the leaf of a key is not known");
    statement.target.keys.push_back({key.id, key.line, key.generation, key.commitment});
    statement.log_indices.push_back(key.log_index);
    statement.leaves.push_back(owner->index);
  }
  if (statement.target.keys.empty())
    return Error(ErrorCode::kCorrupt, "scope: none of its keys is known");
  return {};
}

Result<void> write_listed(ControlWriter& writer, const RowSeal& seal, const ErasureId& id,
                          const BatchStatement& statement) {
  for (std::size_t i = 0; i < statement.leaves.size(); ++i)
    QUIETUS_TRY(rows::put_doomed_leaf(writer, seal, id,
                                      {statement.target.keys[i].id, statement.leaves[i]}));
  return rows::put_statement(writer, seal, id, statement);
}

}  // namespace

Result<RootChangeOutcome> RootChange::run(const BatchRequest& request) {
  const auto reason = Code::parse(request.reason);
  if (!reason) return Error(ErrorCode::kInvalidArgument, "the reason of an erasure is not a code");
  QUIETUS_TRY_AS(const std::uint64_t skipped, list(request));
  QUIETUS_FAILPOINT("batch/after-list");
  QUIETUS_TRY_AS(const BatchHead head, seal_list(parts_.control, seal(), request.id));
  if (head.scopes == 0) return Error(ErrorCode::kNotFound, "no scope is left to be erased");
  QUIETUS_TRY(check_listed_holds(request.id));
  RootChangeRequest change;
  change.reason = request.reason;
  change.guard = request.guard;
  QUIETUS_TRY_AS(RootChangeOutcome outcome, carry_out(change, [&]() -> Result<Intent> {
                   QUIETUS_TRY(check_room());
                   Intent intent;
                   intent.id = request.id;
                   intent.kind = ChangeKind::kErase;
                   intent.begun = parts_.clock.now();
                   intent.reason = request.reason;
                   intent.guarded = static_cast<bool>(request.guard);
                   intent.batch = head;
                   return intent;
                 }));
  outcome.skipped = skipped + (head.scopes - outcome.intent.batch->scopes);
  return outcome;
}

// Outside of the lock: others read and write meanwhile, and what they change shows when the list is
// looked at again under it.
Result<std::uint64_t> RootChange::list(const BatchRequest& request) {
  std::uint64_t skipped = 0;
  while (true) {
    QUIETUS_TRY_AS(const auto targets, request.next(parts_.batch_step));
    std::uint64_t passed_over = 0;
    QUIETUS_TRY(store_.update(
        [&](ControlWriter& writer, ScopeTable& scopes, const RootRow& root) -> Result<void> {
          passed_over = 0;
          row_key_ = scopes.seal().key.duplicate();
          row_ = root;
          for (const BatchTarget& target : targets) {
            auto listed = list_target(writer, scopes, request.id, target);
            if (listed) continue;
            if (request.all || !is_passed_over(listed.error())) return listed;
            ++passed_over;
          }
          return {};
        }));
    QUIETUS_FAILPOINT("batch/after-page");
    skipped += passed_over;
    if (targets.empty()) return skipped;
  }
}

Result<void> RootChange::list_target(ControlWriter& writer, ScopeTable& scopes, const ErasureId& id,
                                     const BatchTarget& target) {
  QUIETUS_TRY_AS(const bool listed, rows::is_listed(writer, id, target.scope));
  if (listed) return {};
  QUIETUS_TRY_AS(const BatchStatement statement, statement_of(writer, scopes, target));
  return write_listed(writer, scopes.seal(), id, statement);
}

Result<BatchStatement> RootChange::statement_of(ControlReader& reader, ScopeTable& scopes,
                                                const BatchTarget& target) {
  if (target.scope == kVaultScope)
    return Error(ErrorCode::kInvalidArgument, "the vault's own scope cannot be erased");
  if (!Code::parse(target.reason))
    return Error(ErrorCode::kInvalidArgument, "the reason of an erasure is not a code");
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, scopes.seal(), target.scope));
  if (!row) return Error(ErrorCode::kNotFound, "no such scope");
  if (is_destroyed(row->state)) return Error(ErrorCode::kErased, "the scope was erased");
  // Erased with what it depends on.
  QUIETUS_TRY(scopes.keys(reader, row->parent));
  for (const ScopeId source : row->sources) QUIETUS_TRY(scopes.keys(reader, source));
  BatchStatement statement;
  random_bytes(statement.id);
  statement.target.scope = target.scope;
  if (target.subject) {
    statement.target.level = target.subject->level;
    statement.target.subject = target.subject->commitment;
  }
  statement.unreadable = target.unreadable;
  statement.reason = target.reason;
  QUIETUS_TRY(add_keys(reader, scopes.seal(), *row, statement));
  return statement;
}

// Before anything is begun: a hold refuses all of it.
Result<void> RootChange::check_listed_holds(const ErasureId& id) {
  ScopeId from = 0;
  std::vector<ScopeId> page;
  do {
    page.clear();
    QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
      QUIETUS_TRY_AS(const auto listed,
                     rows::statements(reader, seal(), id, from, parts_.batch_step));
      for (const BatchStatement& row : listed) page.push_back(row.target.scope);
      return check_not_held(reader, seal(), page);
    }));
    if (!page.empty()) from = page.back() + 1;
  } while (!page.empty());
  return {};
}

// Of a listed scope whose keys are others by now. It is no longer listed when another erasure took
// it, or when its row was damaged: what keys it has by now is not known, so none must pass for
// destroyed.
Result<void> RootChange::renew_statement(ControlWriter& writer, const ErasureId& id,
                                         ScopeId scope) {
  QUIETUS_TRY_AS(auto statement, rows::statement(writer, seal(), id, scope));
  if (!statement) return {};
  QUIETUS_TRY(rows::remove_statement(writer, id, *statement));
  const auto row = rows::key_row(writer, seal(), scope);
  if (!row && row.error().code() != ErrorCode::kCorrupt) return row.error();
  if (!row || !*row || is_destroyed((*row)->state)) return {};
  statement->target.keys.clear();
  statement->log_indices.clear();
  statement->leaves.clear();
  QUIETUS_TRY(add_keys(writer, seal(), **row, *statement));
  return write_listed(writer, seal(), id, *statement);
}

Result<void> RootChange::finish_batch(ControlWriter& writer, const RootChangeOutcome& outcome,
                                      std::uint64_t destroyed_index, UnixMillis destroyed_time) {
  if (outcome.destroyed.size() > kMaxDestroyedSlots)
    return Error(ErrorCode::kFull, "more root slots were destroyed than fit into a row");
  BatchRow row;
  row.state = BatchState::kFinished;
  row.intent = outcome.intent;
  row.intent.destroyed = outcome.destroyed;
  row.holders = outcome.holders;
  row.destroyed_index = destroyed_index;
  row.destroyed_time = destroyed_time;
  row.assurance = parts_.provider.assurance();
  return rows::put_batch(writer, seal(), outcome.intent.id, row);
}

Result<bool> RootChange::batch_is_finished(ControlReader& reader, const Intent& intent) {
  if (!intent.batch) return false;
  QUIETUS_TRY_AS(const auto row, rows::batch(reader, seal(), intent.id));
  return row && row->state != BatchState::kUnreachable;
}

}  // namespace quietus
