// Changes of records of one scope that happen together or not at all.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "object_store.hpp"

namespace quietus {

// One put or removal. The caller's bytes are borrowed until the change is applied.
struct RecordChange {
  std::string_view name;
  bool removes = false;
  std::string_view content_type;
  ByteView content;
  std::optional<WrittenObject> object;  // a put whose content is stored already
  std::optional<Version> expected;
  bool must_be_new = false;

  // Known afterwards.
  Version version{};     // of a put
  bool existed = false;  // there was a record before
};

class ChangeSet {
 public:
  // `keys` and `store` are borrowed for its life. Requires: valid names and content types.
  ChangeSet(KeyStore& keys, RecordStore& store, const ScopeAccess& access, const WriterToken& token)
      : keys_(keys), store_(store), access_(access), scope_(access.scope), token_(token) {}

  void add(const RecordChange& change);
  const RecordChange& operator[](std::size_t index) const { return steps_[index].change; }

  // Large contents are stored first. Durable on return; after an error nothing was changed, and
  // objects of the set are on their way out. Errors of ObjectWriter::write, KeyStore::with_scope,
  // check_fence and RecordStore::update; kConflict; kHeld when it would replace or remove a record
  // that a legal hold covers.
  Result<void> apply(UnixMillis now);

 private:
  struct Step {
    RecordChange change;
    std::optional<std::size_t> earlier;  // the step before it that changes the same record
    bool superseded = false;             // by a later one: checked, but not written
    bool wrote_object = false;           // change.object was made here, of the content
    Prf128 row{};
    std::optional<Prf128> stored_row;  // where the record is that was there, if elsewhere
    std::size_t sealed_size = 0;
    std::optional<ObjectId> replaced;  // the large object that was there
  };

  Result<void> apply_once(UnixMillis now);
  Result<void> write_objects();
  bool take_back_objects();
  Result<void> seal_and_commit(const ScopeKeys& keys, const KeyCache::Use& use, UnixMillis now);
  Bytes seal_all(const RecordSeal& seal, UnixMillis now);
  Result<void> check_all(RecordWriter& writer, const ScopeKeys& keys, const KeyCache::Use& use);
  Result<void> check(RecordWriter& writer, const ScopeKeys& keys, const KeyCache::Use& use,
                     Step& step);
  Result<std::optional<ByteView>> find_stored(RecordWriter& writer, const ScopeKeys& keys,
                                              Step& step);
  Result<std::optional<Version>> look_at_stored(RecordWriter& writer, const ScopeKeys& keys,
                                                const KeyCache::Use& use, Step& step);
  Result<void> write_all(RecordWriter& writer, ByteView sealed);
  Result<void> write(RecordWriter& writer, const Step& step, ByteView sealed);
  void sweep(bool applied);

  KeyStore& keys_;
  RecordStore& store_;
  ScopeAccess access_;
  ScopeId scope_;
  WriterToken token_;
  std::vector<Step> steps_;
  std::unordered_map<std::string_view, std::size_t> last_;  // the last step of each name
};

// Whether a put or removal may go on where the record has version `now`, or is not there.
// kConflict.
Result<void> check_condition(const std::optional<Version>& now,
                             const std::optional<Version>& expected, bool must_be_new);

}  // namespace quietus
