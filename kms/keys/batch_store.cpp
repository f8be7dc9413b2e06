// Erasures of many scopes, as the key store offers them: begun, certified scope by scope, and
// cleaned up after.
#include "base/failpoint.hpp"
#include "keys/batch_list.hpp"
#include "keys/erasure_certificate.hpp"
#include "keys/key_store.hpp"
#include "keys/root_change.hpp"
#include "keys/rotation.hpp"
#include "keys/schedule.hpp"

namespace quietus {
namespace {

constexpr std::size_t kStepsInPassing = 4;
constexpr std::string_view kStagedTables = "naw";
constexpr std::string_view kListTables = "qbl";

// Held by who lists what a batch erases, and by who takes unfinished lists for garbage.
Result<std::optional<LockFile>> take_listing(const RootLockFiles& files) {
  QUIETUS_TRY_AS(LockFile file, LockFile::open(files.control_store, false));
  QUIETUS_TRY_AS(const bool taken,
                 file.try_lock(lock_bytes::kBatchListing, LockFile::Mode::kExclusive));
  if (!taken) return std::optional<LockFile>();
  return std::optional(std::move(file));
}

std::vector<std::uint64_t> staged_generations(const RootRow& root) {
  std::vector<std::uint64_t> kept{root.overlay};
  for (const RootAttempt& attempt : root.attempts)
    if (attempt.staged) kept.push_back(attempt.slot.generation);
  return kept;
}

bool next_id(ErasureId& id) {
  for (std::size_t i = id.size(); i-- > 0;)
    if (++id[i] != 0) return true;
  return false;
}

// Nodes, notes and marks of attempts that are no more.
struct StaleStaging {
  char table;
  std::uint64_t generation;
};
Result<std::optional<StaleStaging>> stale_staging(ControlReader& reader, const RootRow& root) {
  const auto kept = staged_generations(root);
  for (const char table : kStagedTables) {
    QUIETUS_TRY_AS(const auto stale, rows::stale_generation(reader, table, kept));
    if (stale) return std::optional(StaleStaging{table, *stale});
  }
  return std::optional<StaleStaging>();
}

// Lists of erasures that were neither decided nor begun.
struct StaleList {
  char table;
  ErasureId erasure;
};
Result<std::optional<StaleList>> stale_list(ControlReader& reader, const RowSeal& seal) {
  for (const char table : kListTables) {
    ErasureId from{};
    QUIETUS_TRY_AS(auto list, rows::next_list(reader, table, from));
    while (list) {
      QUIETUS_TRY_AS(const auto decided, rows::batch(reader, seal, *list));
      QUIETUS_TRY_AS(const auto begun, rows::intent(reader, seal, *list));
      if (!decided && !begun) return std::optional(StaleList{table, *list});
      from = *list;
      if (!next_id(from)) break;
      QUIETUS_TRY_AS(list, rows::next_list(reader, table, from));
    }
  }
  return std::optional<StaleList>();
}

// Of a scope whose row was damaged after the decision: what its list knows of it.
KeyRow row_from(const BatchStatement& statement, const Tombstone& burial) {
  KeyRow row;
  row.id = statement.target.scope;
  for (std::size_t i = 0; i < statement.target.keys.size(); ++i) {
    const ClaimedKey& listed = statement.target.keys[i];
    KeyRecord key;
    key.id = listed.id;
    key.line = listed.line;
    key.generation = static_cast<std::uint32_t>(listed.generation);
    key.leaf = statement.leaves[i];
    key.log_index = statement.log_indices[i];
    key.commitment = listed.commitment;
    row.keys.push_back(std::move(key));
  }
  rows::mark_destroyed(row, burial);
  return row;
}

// One bounded transaction of cleaning.
class Cleaning {
 public:
  Cleaning(ControlWriter& writer, ScopeTable& scopes, RootRow& root, std::size_t step)
      : writer_(writer), scopes_(scopes), root_(root), seal_(scopes.seal()), step_(step) {}

  // False when there was nothing to do.
  Result<bool> run(bool lists) {
    QUIETUS_TRY_AS(const bool of_scopes, clean_scopes());
    if (of_scopes) return true;
    QUIETUS_TRY_AS(const bool staged, remove_stale_staging());
    if (staged || !lists) return staged;
    return remove_stale_lists();
  }

 private:
  Result<bool> clean_scopes() {
    const ErasureId id = root_.batch;
    if (id == ErasureId{}) return false;
    QUIETUS_TRY_AS(auto row, rows::batch(writer_, seal_, id));
    if (!row) return Error(ErrorCode::kCorrupt, "control store: the row of a batch is missing");
    // Leaves are used again only after T3 (I-16).
    if (row->state != BatchState::kFinished) return false;
    QUIETUS_TRY_AS(const auto listed,
                   rows::statements(writer_, seal_, id, row->next_to_clean, step_));
    for (const BatchStatement& statement : listed) QUIETUS_TRY(bury(id, *row, statement));
    if (!listed.empty()) {
      row->next_to_clean = listed.back().target.scope + 1;
    } else {
      bool folded = true;
      if (root_.overlay != 0) {
        QUIETUS_TRY_AS(folded, fold_staged_nodes(writer_, root_.overlay, 2 * step_));
      }
      if (!folded) return true;
      row->state = BatchState::kCleaned;
      root_.overlay = 0;
      root_.batch = {};
      QUIETUS_TRY(scopes_.save(writer_, root_));
    }
    QUIETUS_TRY(rows::put_batch(writer_, seal_, id, *row));
    return true;
  }

  // What an erasure of one scope writes at T2 and T3.
  Result<void> bury(const ErasureId& id, const BatchRow& batch, const BatchStatement& statement) {
    const ScopeId scope = statement.target.scope;
    const Tombstone burial{id, batch.intent.committed, statement.reason};
    const auto stored = rows::key_row(writer_, seal_, scope);
    QUIETUS_TRY(rows::put_key_row(writer_, seal_,
                                  stored && *stored ? **stored : row_from(statement, burial)));
    QUIETUS_TRY(rows::remove_info(writer_, scope));
    QUIETUS_TRY(rows::remove_rotation(writer_, scope));
    QUIETUS_TRY(rows::remove_schedule(writer_, scope));
    QUIETUS_TRY(rows::put_tombstone(writer_, seal_, scope, burial));
    for (std::size_t i = 0; i < statement.leaves.size(); ++i) {
      QUIETUS_TRY(rows::remove_leaf_owner(writer_, statement.target.keys[i].id));
      QUIETUS_TRY(rows::remove_doomed_leaf(writer_, id, statement.leaves[i]));
      QUIETUS_TRY(rows::put_freed_leaf(writer_, seal_, statement.leaves[i]));
    }
    return {};
  }

  Result<bool> remove_stale_staging() {
    QUIETUS_TRY_AS(const auto stale, stale_staging(writer_, root_));
    if (stale)
      QUIETUS_TRY(rows::remove_generation(writer_, stale->table, stale->generation, 2 * step_));
    return stale.has_value();
  }

  Result<bool> remove_stale_lists() {
    QUIETUS_TRY_AS(const auto stale, stale_list(writer_, seal_));
    if (stale) QUIETUS_TRY(rows::remove_list(writer_, stale->table, stale->erasure, 2 * step_));
    return stale.has_value();
  }

  ControlWriter& writer_;
  ScopeTable& scopes_;
  RootRow& root_;
  const RowSeal seal_;
  const std::size_t step_;
};

}  // namespace

Result<RootChangeOutcome> KeyStore::erase_batch(const BatchRequest& request) {
  if (parts_.read_only) return Error(ErrorCode::kRefused, "the vault is open for reading only");
  Result<RootChangeOutcome> outcome =
      Error(ErrorCode::kBusy, "another erasure of many scopes is under way; try again");
  {
    QUIETUS_TRY_AS(const auto listing, take_listing(parts_.lock_files));
    if (!listing) return outcome;
    QUIETUS_TRY(make_room_for_batch());
    outcome = RootChange(*this).run(request);
  }
  if (!outcome) clean_a_little();
  return outcome;
}

// One whose scopes are read through its list at a time.
Result<void> KeyStore::make_room_for_batch() {
  bool more = true;
  bool unfinished = false;
  while (more)
    QUIETUS_TRY(
        update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
          QUIETUS_TRY_AS(more, Cleaning(writer, scopes, root, parts_.batch_step).run(true));
          unfinished = root.batch != ErasureId{};
          return {};
        }));
  if (!unfinished) return {};
  return Error(ErrorCode::kBusy, "an earlier erasure of many scopes is not finished yet");
}

Result<bool> KeyStore::has_to_clean() {
  bool something = false;
  QUIETUS_TRY(
      read([&](ControlReader& reader, ScopeTable& scopes, const RootRow& root) -> Result<void> {
        QUIETUS_TRY_AS(const auto staging, stale_staging(reader, root));
        QUIETUS_TRY_AS(const auto list, stale_list(reader, scopes.seal()));
        something = root.batch != ErasureId{} || staging || list;
        return {};
      }));
  return something;
}

Result<bool> KeyStore::clean(std::size_t steps) {
  if (parts_.read_only) return Error(ErrorCode::kRefused, "the vault is open for reading only");
  QUIETUS_TRY_AS(bool more, has_to_clean());
  if (!more) return true;
  QUIETUS_TRY_AS(const auto listing, take_listing(parts_.lock_files));
  for (std::size_t i = 0; i < steps && more; ++i) {
    QUIETUS_TRY(
        update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
          QUIETUS_TRY_AS(
              more, Cleaning(writer, scopes, root, parts_.batch_step).run(listing.has_value()));
          return {};
        }));
    QUIETUS_FAILPOINT("batch/after-cleaning");
  }
  return !more;
}

// Whether there was anything to clean up, and nothing of it is left.
bool KeyStore::clean_all() {
  const auto something = has_to_clean();
  return something && *something && make_room_for_batch().ok();
}

// Best effort: what is left over is read right all the same.
void KeyStore::clean_a_little() {
  const auto cleaned = clean(kStepsInPassing);
  static_cast<void>(cleaned);
}

Result<WrittenCertificate> KeyStore::certificate_of(const ErasureId& batch, ScopeId scope) {
  WrittenCertificate certificate;
  const auto find = [&](ControlReader& reader, ScopeTable& scopes) -> Result<BatchStatement> {
    QUIETUS_TRY_AS(const auto listed, rows::statement(reader, scopes.seal(), batch, scope));
    if (!listed) return Error(ErrorCode::kNotFound, "the scope is not of that erasure");
    QUIETUS_TRY_AS(const CertificateId standing,
                   rows::standing_certificate(reader, scopes.seal(), listed->id));
    QUIETUS_TRY_AS(auto document, rows::certificate(reader, scopes.seal(), standing));
    certificate = {standing, std::move(document).value_or("")};
    return *listed;
  };
  QUIETUS_TRY(read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
    QUIETUS_TRY(find(reader, scopes));
    return {};
  }));
  if (!certificate.document.empty()) return certificate;
  QUIETUS_TRY(
      update([&](ControlWriter& writer, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const BatchStatement listed, find(writer, scopes));
        if (!certificate.document.empty()) return {};
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(const auto row, rows::batch(writer, seal, batch));
        if (!row || row->state == BatchState::kUnreachable)
          return Error(ErrorCode::kErasureIncomplete, "the erasure is not finished yet");
        QUIETUS_TRY_AS(const StatementProof proof,
                       prove_statement(writer, seal, batch, *row->intent.batch, scope));
        RootChangeOutcome outcome;
        outcome.intent = row->intent;
        outcome.destroyed = row->intent.destroyed;
        outcome.holders = row->holders;
        QUIETUS_TRY_AS(certificate,
                       write_certificate({writer, seal, outcome, parts_, row->destroyed_index,
                                          row->destroyed_time, row->assurance},
                                         listed, proof));
        return {};
      }));
  return certificate;
}

}  // namespace quietus
