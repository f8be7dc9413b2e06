// Records by scope and name: what the public Scope offers, in terms of ids. Contracts and errors
// are those of <quietus/scope.hpp>.
//
// Reads open records straight from the store's memory into the caller's buffer, inside one
// KeyStore::with_scope() and one snapshot. Writes are sealed outside the transaction that stores
// them; inside it, fence, keys and conditions are checked before anything is changed.
#pragma once

#include <mutex>
#include <set>
#include <span>

#include "base/clock.hpp"
#include "change_set.hpp"
#include "object_store.hpp"

namespace quietus {

// What is shown of a record.
void fill_info(const RecordMetadata& metadata, const Version& version, RecordInfo& info);

// Thread-safe.
class Records {
 public:
  // All borrowed for its life.
  Records(KeyStore& keys, RecordStore& store, const Clock& clock);

  Result<Version> put(const ScopeAccess& scope, std::string_view name, ByteView value,
                      const PutOptions& options);
  Result<Version> put_stream(const ScopeAccess& scope, std::string_view name,
                             const ByteSource& source, const PutOptions& options);
  Result<bool> remove(const ScopeAccess& scope, std::string_view name,
                      const std::optional<Version>& expected);
  // Conditions of a write see the writes before it in the batch.
  Result<void> write(const ScopeAccess& scope, std::span<const Batch::Write> writes);

  Result<std::optional<Bytes>> get(const ScopeAccess& scope, std::string_view name);
  Result<std::optional<std::size_t>> get_into(const ScopeAccess& scope, std::string_view name,
                                              MutableBytes out);
  Result<bool> get_stream(const ScopeAccess& scope, std::string_view name, const ByteSink& sink);
  Result<std::optional<RecordInfo>> stat(const ScopeAccess& scope, std::string_view name);
  using Visitor = std::function<Result<bool>(const RecordInfo&)>;
  Result<void> list(const ScopeAccess& scope, std::string_view prefix, const Visitor& visit);

  // Tells this open vault's writers apart from others.
  const WriterToken& token() const noexcept { return token_; }

  // Removes what is left of large objects that were replaced or removed, or whose writer is gone.
  // Writers of this object count as alive. For when this process is the only holder of the vault.
  Result<void> collect_garbage(WriterAlive writer_alive);

 private:
  // Opens a record's parts: inside a snapshot, and perhaps more than once.
  using Open = FunctionRef<Result<void>(const StoredRecord&, const Prf128& row, RecordOpener&)>;
  Result<bool> open_record(const ScopeAccess& scope, std::string_view name, Open open);
  struct HeldKeys {
    const ScopeKeys& keys;
    const KeyCache::Use& use;
  };
  Result<void> open_row(ByteView value, const Prf128& row, const HeldKeys& held, Open open);

  // Gives room for a content of that size; may be asked again.
  using Room = FunctionRef<Result<MutableBytes>(std::uint64_t size)>;
  struct Content {
    enum class Kind { kNone, kInline, kObject };
    Kind kind = Kind::kNone;
    StoredObject object;
  };
  Result<Content> find_content(const ScopeAccess& scope, std::string_view name,
                               Room room_for_inline);
  Result<bool> fetch(const ScopeAccess& scope, std::string_view name, Room room);
  Result<bool> fetch_once(const ScopeAccess& scope, std::string_view name, Room room);
  Result<void> stream_object(const ScopeAccess& scope, std::string_view name, StoredObject object,
                             const ByteSink& sink);
  Result<bool> find_again(const ScopeAccess& scope, std::string_view name, StoredObject& object);
  Result<void> check_condition_early(const ScopeAccess& scope, std::string_view name,
                                     const PutOptions& options);

  Result<void> apply(ChangeSet& changes, const ScopeAccess& scope);

  KeyStore& keys_;
  RecordStore& store_;
  const Clock& clock_;
  WriterToken token_{};
  std::mutex refused_mutex_;
  std::set<ScopeId> refused_;  // whose hold was told to the log; guarded by refused_mutex_
};

}  // namespace quietus
