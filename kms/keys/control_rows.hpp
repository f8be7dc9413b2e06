// The rows of the control store beside root row ("R"), tree ("N") and log ("E", "M", "H"). All are
// sealed under the vault's row key, with the row's own key in the associated data. None of them
// holds anything *about* a scope that would have to die with it: names and dates lie in the scope's
// own row ("I"), sealed under the scope's key; free text of a reason under the parent's ("Z").
//
// clang-format off
//   key                          content (numbers big-endian; text and lists length-prefixed)
//   "K" scope id                 KeyRow: parent, sources, state, key lines with wrapped keys
//   "L" key id                   leaf index u64 || scope id u64: finds a leaf without the scope's row
//   "F" leaf index               empty: the leaf was freed and may be used again
//   "C" parent id || PRF(name)   scope id u64 || generation u32 of the parent's key that names it
//   "D" source id || scope id    empty: the scope is derived from the source
//   "I" scope id                 InfoRow, sealed under the scope's row key
//   "T" scope id                 Tombstone
//   "Z" scope id                 free text of the erasure's reason, sealed under the parent's row key
//   "J" erasure id               Intent: a root change that was begun
//   "X" certificate id           CertificateRow, and behind it
//   "Y" certificate id || u16    the document in pieces of 32 KiB
//   "P" scope id || log index    ExportRow: a copy that was made outside
//   "B", "U", "G"                legal holds and rotations, see holds.hpp and rotation.hpp
//   "Q", "q", "b", "l", "a"      of erasures of many scopes, see batch_rows.hpp
//   "S", "A"                     schedules and activity, see schedule.hpp
//   "d"                          data backups, see backups.hpp
//   "e"                          the ring of a recovery site and its epochs, see ring_rows.hpp
//   "r", "s"                     imported escrow rings, key snapshots, see snapshots.hpp
//   "u"                          the last drill, see drills.hpp
//   "O", "o", "i"                other instances of the vault, see instances.hpp
//   "V" name                     the vault's own secrets: "issuing-key", "log-key" (32-byte seeds)
// clang-format on
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "crypto/aead.hpp"
#include "crypto/derive.hpp"
#include "evidence/certificate.hpp"
#include "evidence/log_entry.hpp"
#include "keys/key_state.hpp"
#include "keys/root_provider.hpp"
#include "storage/control_store.hpp"

namespace quietus {

inline constexpr std::size_t kMaxSources = 16;
inline constexpr std::size_t kMaxDestroyedSlots = 1024;  // that an intent's row remembers
inline constexpr std::size_t kWrappedKeySize = kKeySize + kSealOverhead;  // 72

// What rows are sealed with, borrowed for a transaction.
struct RowSeal {
  const RowKey& key;
  const VaultId& vault;
  GcmContext& context;
  // The batch that was decided and whose rows are not all cleaned yet (zero: none): its scopes are
  // read as erased.
  ErasureId batch{};
};

// One generation of one of a scope's key lines.
struct KeyRecord {
  KeyId id = 0;
  KeyLine line = KeyLine::kData;
  std::uint32_t generation = 0;
  KeyState state = KeyState::kActive;
  UnixMillis created = 0;
  UnixMillis changed = 0;  // when it came into its state
  std::uint64_t leaf = 0;  // index in the key tree
  // Of the data lines of the parent and of each source, under which it is wrapped.
  std::uint32_t parent_generation = 0;
  std::vector<std::uint32_t> source_generations;
  std::uint64_t log_index = 0;  // of its key-created entry
  KeyCommitment commitment{};
  Bytes wrapped;  // nonce || key || tag; empty once destroyed
};

struct KeyRow {
  ScopeId id = 0;
  ScopeId parent = 0;
  std::vector<ScopeId> sources;        // ascending, fixed for ever
  KeyState state = KeyState::kActive;  // of its newest keys
  UnixMillis changed = 0;              // when it came into its state
  std::string reason;                  // of that, a code; empty when nobody gave one
  std::vector<KeyRecord> keys;

  // The key of the newest generation of a line, or nullptr when all are destroyed.
  const KeyRecord* newest(KeyLine line) const noexcept;
};

struct InfoRow {
  std::string name;
  std::string data_class;
  UnixMillis created = 0;
};

struct Tombstone {
  ErasureId erasure{};
  UnixMillis erased = 0;
  std::string reason;  // a code
};

// Numbers reach the disk.
enum class ChangeKind : std::uint8_t {
  kErase = 1,
  kUnlock = 2,
  kDestroyVault = 3,
  kRetire = 4,  // destroys older generations of keys; their scopes live on
};
enum class IntentState : std::uint8_t {
  kBegun = 1,          // T1: nothing was destroyed yet
  kCommitted = 2,      // T2: the keys are unreachable, old slots may still be there
  kSlotDestroyed = 3,  // the old slots are gone; a holder has not confirmed yet
};

struct IntentTarget {
  ScopeId scope = 0;
  std::vector<KeyId> keys;
  std::uint8_t level = 0;         // 1 a tenant, and so on; 0 the vault
  std::optional<Sha256> subject;  // commitment to its path
};

// The targets of an erasure of many scopes, whose list lies in rows of its own (batch_rows.hpp).
struct BatchHead {
  std::uint64_t scopes = 0;
  std::uint64_t keys = 0;
  Sha256 statements{};  // root of the tree over them
};

struct Intent {
  ErasureId id{};
  ChangeKind kind = ChangeKind::kErase;
  IntentState state = IntentState::kBegun;
  UnixMillis begun = 0;
  UnixMillis committed = 0;
  std::string reason;  // a code
  std::vector<IntentTarget> targets;
  bool guarded = false;            // a guard decides: interrupted before T2, it is given up
  bool governed = false;           // the vault had operators when it began
  std::optional<BatchHead> batch;  // then there are no targets here
  ClaimedUnreadable unreadable;    // as counted when it began
  SlotName slot;                   // the new one
  std::uint64_t generation_before = 0;
  std::vector<SlotName> old_slots;
  // Of keys-unreachable, once committed; before that how many entries the log had when it began.
  std::uint64_t log_index = 0;
  std::vector<SlotDestruction> destroyed;  // once kSlotDestroyed
};

struct CertificateRow {
  ErasureId erasure{};
  UnixMillis issued = 0;
  CertificateStatus status = CertificateStatus::kPartial;
  std::uint16_t pieces = 0;
  CertificateId superseded_by{};  // zero: it stands
};

struct ExportRow {
  ScopeId scope = 0;
  UnixMillis time = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

// Typed access to the rows. Absence is a value; a row that does not open or parse is kCorrupt.
namespace rows {

Result<std::optional<KeyRow>> key_row(ControlReader& reader, const RowSeal& seal, ScopeId scope);
Result<void> put_key_row(ControlWriter& writer, const RowSeal& seal, const KeyRow& row);
// What an erasure makes of a row.
void mark_destroyed(KeyRow& row, const Tombstone& burial);

// Every scope, alive or erased; damaged rows are told to `damaged` and passed over.
Result<void> all_key_rows(ControlReader& reader, const RowSeal& seal,
                          FunctionRef<Result<void>(const KeyRow&)> visit,
                          FunctionRef<void(ScopeId)> damaged);
// Whether every row that is sealed under the vault's row key opens; the tables of those that do
// not.
Result<std::vector<char>> damaged_tables(ControlReader& reader, const RowSeal& seal);

struct LeafOwner {
  std::uint64_t index = 0;
  ScopeId scope = 0;
};
Result<std::optional<LeafOwner>> leaf_owner(ControlReader& reader, const RowSeal& seal, KeyId key);
Result<void> put_leaf_owner(ControlWriter& writer, const RowSeal& seal, KeyId key,
                            const LeafOwner& owner);
Result<void> remove_leaf_owner(ControlWriter& writer, KeyId key);
// Visits every one that is whole.
Result<void> all_leaf_owners(ControlReader& reader, const RowSeal& seal,
                             FunctionRef<Result<void>(KeyId, const LeafOwner&)> visit);
// Every key of a scope, found without its row. O(keys in the vault): for scopes whose row is
// damaged.
Result<std::vector<KeyId>> keys_of(ControlReader& reader, const RowSeal& seal, ScopeId scope);

// The lowest freed leaf index, taken out of the list.
Result<std::optional<std::uint64_t>> take_freed_leaf(ControlWriter& writer, const RowSeal& seal);
Result<void> put_freed_leaf(ControlWriter& writer, const RowSeal& seal, std::uint64_t index);

Result<std::optional<ScopeId>> child(ControlReader& reader, const RowSeal& seal, ScopeId parent,
                                     const Prf128& name);
// Where a child is named: under which generation of its parent's key, and by which PRF.
struct ChildName {
  ScopeId parent = 0;
  std::uint32_t generation = 0;
  Prf128 name{};
};
Result<void> put_child(ControlWriter& writer, const RowSeal& seal, const ChildName& name,
                       ScopeId child);
Result<void> remove_child(ControlWriter& writer, const ChildName& name);
// Every row in which a child of that parent is named, from the name `from` on; `visit` returns
// false to stop.
Result<void> child_names(ControlReader& reader, const RowSeal& seal, const ChildName& from,
                         FunctionRef<Result<bool>(const ChildName&, ScopeId)> visit);
Result<std::vector<ScopeId>> children(ControlReader& reader, const RowSeal& seal, ScopeId parent);
// As far as they can be read.
struct ReadableChildren {
  std::vector<ScopeId> ids;
  std::size_t damaged = 0;  // rows; whose they are nobody knows
};
Result<ReadableChildren> readable_children(ControlReader& reader, const RowSeal& seal,
                                           ScopeId parent);

Result<void> put_derived(ControlWriter& writer, const RowSeal& seal, ScopeId source,
                         ScopeId derived);
Result<std::vector<ScopeId>> derived(ControlReader& reader, ScopeId source);

// Under the scope's own key.
Result<std::optional<InfoRow>> info(ControlReader& reader, const RowSeal& scope_seal,
                                    ScopeId scope);
Result<void> put_info(ControlWriter& writer, const RowSeal& scope_seal, ScopeId scope,
                      const InfoRow& row);
Result<void> remove_info(ControlWriter& writer, ScopeId scope);

Result<std::optional<Tombstone>> tombstone(ControlReader& reader, const RowSeal& seal,
                                           ScopeId scope);
Result<void> put_tombstone(ControlWriter& writer, const RowSeal& seal, ScopeId scope,
                           const Tombstone& row);

// Under the parent's key.
Result<void> put_reason_text(ControlWriter& writer, const RowSeal& parent_seal, ScopeId scope,
                             std::string_view text);
Result<void> remove_reason_text(ControlWriter& writer, ScopeId scope);

Result<std::optional<Intent>> intent(ControlReader& reader, const RowSeal& seal,
                                     const ErasureId& id);
Result<std::vector<Intent>> intents(ControlReader& reader, const RowSeal& seal);
Result<void> put_intent(ControlWriter& writer, const RowSeal& seal, const Intent& intent);
Result<void> remove_intent(ControlWriter& writer, const ErasureId& id);

Result<std::vector<std::pair<CertificateId, CertificateRow>>> certificates(ControlReader& reader,
                                                                           const RowSeal& seal);
Result<std::optional<CertificateRow>> certificate_row(ControlReader& reader, const RowSeal& seal,
                                                      const CertificateId& id);
// The certificate of an erasure that stands, looked for past rows that are damaged; none when there
// is none.
Result<std::optional<CertificateId>> certificate_of(ControlReader& reader, const RowSeal& seal,
                                                    const ErasureId& erasure);
// The one that stands in the place of this one now: itself, unless it was superseded.
Result<CertificateId> standing_certificate(ControlReader& reader, const RowSeal& seal,
                                           const CertificateId& id);
// Says in its row that `by` took its place. kCorrupt when there is no such certificate.
Result<void> supersede_certificate(ControlWriter& writer, const RowSeal& seal,
                                   const CertificateId& id, const CertificateId& by);
// The document; no value when there is no such certificate.
Result<std::optional<std::string>> certificate(ControlReader& reader, const RowSeal& seal,
                                               const CertificateId& id);
Result<void> put_certificate(ControlWriter& writer, const RowSeal& seal, const CertificateId& id,
                             CertificateRow row, std::string_view document);

Result<void> put_export(ControlWriter& writer, const RowSeal& seal, std::uint64_t log_index,
                        const ExportRow& row);
// Visits every one; `damaged` is told of each that cannot be read.
Result<void> all_exports(ControlReader& reader, const RowSeal& seal,
                         FunctionRef<void(const ExportRow&)> visit, FunctionRef<void()> damaged);

// Opened straight into guarded memory. kCorrupt when absent.
Result<SigningKey> signing_key(ControlReader& reader, const RowSeal& seal, std::string_view name);
Result<void> put_signing_key(ControlWriter& writer, const RowSeal& seal, std::string_view name,
                             const SigningKey& key);

}  // namespace rows
}  // namespace quietus
