// Scopes: random keys, wrapped under what must live for them to live.
//
//   wrapping key = HKDF-SHA256(key material = leaf key || parent's child-wrapping key ||
//   child-wrapping
//                  key of each source in ascending order of id; no salt;
//                  info = "quietus/v1/wrap" || 00 || binding)
//   wrapped key  = nonce || XAES-256-GCM(wrapping key, scope key) || tag;
//                  associated data = "quietus/v1/ad/wrap" || 00 || binding
//   binding      = vault id 16 || scope id u64 || parent id u64 || key id u64 || line u8 ||
//                  generation u32 || parent generation u32 || sources u8 || (source id u64 ||
//                  source generation u32) each
//
// The vault itself is scope 0: no parent, its own leaf. Destroying any of leaf, parent or a source
// makes the key underivable. Parent and sources are fixed when a scope is made.
#pragma once

#include <quietus/result.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keys/control_rows.hpp"
#include "keys/key_cache.hpp"
#include "keys/key_tree.hpp"
#include "keys/root_row.hpp"

namespace quietus {

inline constexpr ScopeId kVaultScope = 0;
inline constexpr KeyId kControlKeyId = 1;
inline constexpr LeafRef kControlLeaf{kControlKeyId, 0};  // the row key derives from it
inline constexpr std::size_t kMaxScopeDepth = 32;
inline constexpr std::size_t kMaxScopeName = 255;  // bytes; of a data class too

// Whose keys are wanted. `by_exception`: for one of the uses that the law allows of restricted
// data, stated and logged by the caller.
struct ScopeAccess {
  ScopeAccess(ScopeId id, bool exception = false)  // NOLINT(google-explicit-constructor)
      : scope(id), by_exception(exception) {}
  ScopeId scope;
  bool by_exception;
};

// Whether the keys may be used so. kRestricted; kRefused, and the text says in which state they
// are.
Result<void> check_allowed(const ScopeKeys& keys, const ScopeAccess& access, KeyUse use);

// One transaction's view of the scopes: keys come from the cache or are unwrapped. What is cached
// may lack a generation that was made since and is not published yet; where that shows, it is
// unwrapped again.
class ScopeTable {
 public:
  // All borrowed for one transaction, whose root row is `root`; `vault` must be of its generation.
  ScopeTable(const VaultId& id, const VaultKeys& vault, const KeyCache::Use& use,
             const RootRow& root)
      : id_(id), vault_(vault), use_(use), overlay_(root.overlay), batch_(root.batch) {}

  RowSeal seal() const { return {vault_.rows, id_, use_.context(), batch_}; }
  RowSeal seal_under(const GenerationKeys& scope) const {
    return {scope.rows, id_, use_.context()};
  }

  // The keys of a scope. kErased when it, an ancestor or a source was erased; kNotFound for an
  // unknown id; kCorrupt, also when a key does not match its commitment.
  Result<std::shared_ptr<const ScopeKeys>> keys(ControlReader& reader, ScopeId scope);

  // The key that a scope's lasting line began with: it lives as long as the scope, whatever
  // rotates. Errors as keys().
  Result<LastingKey> first_lasting_key(ControlReader& reader, ScopeId scope);

  // What the keys of a scope's lasting line are used through. Errors as keys().
  Result<std::shared_ptr<const LastingKeys>> lasting_keys(ControlReader& reader, ScopeId scope);

  // Unwraps every key of a scope that is not destroyed and compares it with its commitment. Errors
  // as keys().
  Result<void> check_keys(ControlReader& reader, const KeyRow& row);

  // The child of that name. kErased when it was erased itself (its name stays taken); no value when
  // there is none. Does not open the child.
  Result<std::optional<ScopeId>> child(ControlReader& reader, ScopeId parent,
                                       std::string_view name);

  // As child(), but an erased one is found too.
  Result<std::optional<ScopeId>> child_of_any_state(ControlReader& reader, ScopeId parent,
                                                    std::string_view name);

  // The scope's own row. Errors as keys().
  Result<InfoRow> info(ControlReader& reader, ScopeId scope);

  struct NewScope {
    ScopeId parent = kVaultScope;
    std::string name;
    std::string data_class;
    std::vector<ScopeId> sources;  // ascending, at most kMaxSources, existing and alive
    UnixMillis now = 0;
  };
  // Makes a scope with both key lines, logs its keys, writes its rows. kAlreadyExists; kErased;
  // kRestricted and kRefused as check_allowed() of parent and sources; kInvalidArgument, also when
  // it would lie deeper than kMaxScopeDepth.
  Result<ScopeId> create(ControlWriter& writer, RootRow& root, const NewScope& scope);
  // Gives the row a new generation of its data line, and on request of its lasting line; the older
  // ones are deactivated, unless they are compromised. The row is the caller's to write. The new
  // generation of the data line.
  struct Renewal {
    bool lasting_too = false;
    KeyState state = KeyState::kActive;  // of the new keys
    UnixMillis now = 0;
  };
  Result<std::uint32_t> renew(ControlWriter& writer, RootRow& root, KeyRow& row,
                              const Renewal& renewal);
  // Wraps the keys of a scope under the newest keys of its parent and sources; false when they are
  // already, or when the scope is erased. kCorrupt.
  Result<bool> rewrap(ControlWriter& writer, ScopeId scope);

  // Writes a root row that was changed in this transaction.
  Result<void> save(ControlWriter& writer, const RootRow& root) const {
    return write_root_row(writer, root, vault_.root);
  }
  // Scope 0, once.
  Result<void> create_vault_scope(ControlWriter& writer, RootRow& root, UnixMillis now);

 private:
  Result<std::shared_ptr<const ScopeKeys>> unwrap(ControlReader& reader, ScopeId scope,
                                                  std::size_t depth);
  Result<std::shared_ptr<const ScopeKeys>> unwrap_anew(ControlReader& reader, ScopeId scope,
                                                       std::size_t depth);
  Result<bool> are_newest(ControlReader& reader, const ScopeKeys& keys);
  Result<Standing> standing_of(ControlReader& reader, const KeyRow& row, std::size_t depth);
  Result<void> wrap_under_newest(ControlReader& reader, const KeyRow& row, KeyRecord& record);
  template <class Role>
  Result<Key<Role>> unwrap_line(ControlReader& reader, const KeyRow& row, const KeyRecord& key,
                                std::size_t depth);
  Result<WrapKey> wrapping_key(const KeyRow& row, const KeyRecord& key, const LeafKey& leaf,
                               ControlReader& reader, std::size_t depth);
  struct NewKey {
    KeyLine line = KeyLine::kData;
    std::uint32_t generation = 1;
    UnixMillis now = 0;
  };
  template <class Role>
  Result<KeyRecord> make_key(ControlWriter& writer, RootRow& root, const KeyRow& row,
                             const NewKey& made, const Key<Role>& key);
  template <class Role>
  Result<bool> rewrap_line(ControlReader& reader, const KeyRow& row, KeyRecord& key);
  Result<void> tell_staged_of_key(ControlWriter& writer, const RootRow& root, ScopeId scope,
                                  const LeafRef& leaf);
  Result<void> tell_staged_of_scope(ControlWriter& writer, const RootRow& root, ScopeId scope);
  Result<void> write_scope(ControlWriter& writer, RootRow& root, KeyRow row, const NewScope& scope);

  const VaultId& id_;
  const VaultKeys& vault_;
  const KeyCache::Use& use_;
  const std::uint64_t overlay_;
  const ErasureId batch_;
};

// What a generation of a scope's data line is used through.
GenerationKeys derive_generation(std::uint32_t generation, const ScopeKey& key);

// An id that no row has: random, checked for absence.
Result<ScopeId> fresh_scope_id(ControlReader& reader, const RowSeal& seal);
Result<KeyId> fresh_key_id(ControlReader& reader, const RowSeal& seal);

}  // namespace quietus
