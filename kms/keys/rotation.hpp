// Replacing the key of a scope's data line. A new generation seals from the first transaction on;
// everything that an older one sealed or wrapped is then moved to it in bounded transactions,
// beside normal work; when nothing needs the older ones any more, a root change of kind kRetire can
// destroy them. The lasting line is not touched, so tokens and pseudonyms stay what they are; after
// a compromise it gets a new generation too, and keeps the old one.
//
//   "G" scope id   RotationRow, sealed under the vault's row key: there from the first transaction
//                  until the older generations are destroyed
//
// The order that makes it safe beside writers of other processes (attacks C9): the new generation
// is committed, then the epoch is published, then the fence of the record store is raised, then
// rows are moved. Whoever goes on after a crash begins at the publication.
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <vector>

#include "evidence/code.hpp"
#include "keys/scope_table.hpp"

namespace quietus {

// Numbers reach the disk.
enum class RotationStage : std::uint8_t {
  kMoving = 1,  // rows of older generations may be left
  kMoved = 2,   // none is left
};

struct RotationRow {
  ScopeId scope = 0;
  RotationStage stage = RotationStage::kMoving;
  std::uint32_t generation = 0;  // the new one
  UnixMillis begun = 0;
  UnixMillis moved = 0;   // 0 until then
  bool destroys = false;  // the older generations are to be destroyed at once
  std::string reason;     // a code
};

namespace rows {
Result<std::optional<RotationRow>> rotation(ControlReader& reader, const RowSeal& seal,
                                            ScopeId scope);
Result<std::vector<RotationRow>> all_rotations(ControlReader& reader, const RowSeal& seal);
// Visits those of scopes from that id on, without a row where it is damaged; `visit` returns false
// to stop.
Result<void> rotations_from(ControlReader& reader, const RowSeal& seal, ScopeId from,
                            FunctionRef<Result<bool>(ScopeId, const RotationRow*)> visit);
Result<void> put_rotation(ControlWriter& writer, const RowSeal& seal, const RotationRow& row);
Result<void> remove_rotation(ControlWriter& writer, ScopeId scope);
}  // namespace rows

struct RotationRequest {
  ScopeId scope = 0;
  Code reason = "other";
  bool destroys = false;
  UnixMillis now = 0;
};

// A scope has at most so many keys that replaced ones left behind: they all lie in its key row, and
// are unwrapped together.
inline constexpr std::size_t kMaxOlderKeys = 64;
// Of those that are destroyed, its key row remembers so many; the log has them all.
inline constexpr std::size_t kMaxDestroyedKeys = 64;

// Begins a rotation, or takes up one that was begun and is not moved yet; one that destroys takes
// up none, unless there are kMaxOlderKeys. What an earlier one was to destroy, and did not yet, is
// destroyed too. A compromised scope gets a new key in any case, and is active again afterwards.
// For KeyStore::update_standing(). kErased; kNotFound; kRefused before its activation, and when it
// leaves more than kMaxOlderKeys behind; kHeld when it destroys and a legal hold covers the scope.
Result<RotationRow> begin_rotation(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                                   const RotationRequest& request);

// Where the moving of what lies below a scope has got to; to begin with, at the start.
struct RewrapCursor {
  std::optional<rows::ChildName> child;
  ScopeId derived = 0;
  enum class Stage { kOwnRows, kChildren, kDerived, kDone } stage = Stage::kOwnRows;
  std::uint64_t moved = 0;  // scopes
};

// Moves the rows of the control store: the scope's own rows, names and keys of its children, keys
// of what was derived from it; a few hundred in one transaction. For KeyStore::update(), until the
// cursor says kDone. It may be run again from any cursor.
Result<RewrapCursor> rewrap_some(ControlWriter& writer, ScopeTable& scopes, ScopeId scope,
                                 RewrapCursor from);

// After the record store was seen to hold no row of an older generation, with the fence raised.
Result<void> finish_moving(ControlWriter& writer, const RowSeal& seal, const RotationRow& row,
                           UnixMillis now);

// The keys of older generations that may be destroyed: none unless the rotation has moved
// everything; of those, unless they are to be destroyed at once, the ones that no row needed any
// more before that time. kHeld is not looked at here.
Result<std::vector<KeyId>> retirable_keys(ControlReader& reader, const RowSeal& seal, ScopeId scope,
                                          UnixMillis unneeded_before);
inline constexpr UnixMillis kWhenever = INT64_MAX;

}  // namespace quietus
