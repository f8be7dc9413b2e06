#include <algorithm>

#include "byte_source.hpp"
#include "crypto/random.hpp"
#include "plaintext_buffer.hpp"
#include "records.hpp"
#include "refusals.hpp"

namespace quietus {
namespace {

constexpr std::uint64_t kMaxValue = std::uint64_t{1} << 32;

Result<void> validate_put(std::string_view name, const PutOptions& options) {
  QUIETUS_TRY(validate_record_name(name));
  return validate_content_type(options.content_type);
}

RecordChange put_of(std::string_view name, const PutOptions& options) {
  RecordChange change;
  change.name = name;
  change.content_type = options.content_type;
  change.expected = options.expected;
  change.must_be_new = options.must_be_new;
  return change;
}

Result<RecordChange> change_of(const Batch::Write& write) {
  QUIETUS_TRY(validate_put(write.name, write.options));
  RecordChange change = put_of(write.name, write.options);
  change.removes = !write.value;
  if (write.value) change.content = *write.value;
  if (change.content.size() > kMaxValue)
    return Error(ErrorCode::kInvalidArgument, "larger than 2^32 bytes; use a stream");
  return change;
}

// Cuts what a source delivers into pieces for an ObjectWriter.
class StreamPieces {
 public:
  explicit StreamPieces(const ByteSource& source) : source_(source) {}

  // Everything, when it is no more than a record holds. To be called first.
  Result<std::optional<ByteView>> small_enough() {
    buffer_ = PlaintextBuffer(kMaxInlineContent + 1);
    QUIETUS_TRY(fill());
    if (!ended_) return std::optional<ByteView>();
    return std::optional<ByteView>(buffer_.bytes().first(filled_));
  }

  // The next piece, beginning with what small_enough() looked at.
  Result<ByteView> next() {
    if (buffer_.size() != kObjectPieceSize) {
      PlaintextBuffer larger(kObjectPieceSize);
      std::ranges::copy(buffer_.bytes().first(filled_), larger.bytes().begin());
      buffer_ = std::move(larger);
    }
    QUIETUS_TRY(fill());
    return ByteView(buffer_.bytes().first(std::exchange(filled_, 0)));
  }

 private:
  Result<void> fill() {
    if (ended_) return {};
    QUIETUS_TRY_AS(const std::size_t got, fill_from(source_, buffer_.bytes().subspan(filled_)));
    filled_ += got;
    ended_ = filled_ < buffer_.size();
    return {};
  }

  const ByteSource& source_;
  PlaintextBuffer buffer_;
  std::size_t filled_ = 0;
  bool ended_ = false;
};

}  // namespace

Records::Records(KeyStore& keys, RecordStore& store, const Clock& clock)
    : keys_(keys), store_(store), clock_(clock) {
  random_bytes(token_);
}

// A hold that keeps records from being changed is told to the log once per scope and open vault:
// who tries again and again must not be able to fill it.
Result<void> Records::apply(ChangeSet& changes, const ScopeAccess& scope) {
  Result<void> applied = changes.apply(clock_.now());
  if (applied || applied.error().code() != ErrorCode::kHeld) return applied;
  const std::lock_guard lock(refused_mutex_);
  if (refused_.insert(scope.scope).second)
    note_refused(keys_, scope.scope, "change-record", clock_.now());
  return applied;
}

Result<Version> Records::put(const ScopeAccess& scope, std::string_view name, ByteView value,
                             const PutOptions& options) {
  QUIETUS_TRY(validate_put(name, options));
  if (value.size() > kMaxValue)
    return Error(ErrorCode::kInvalidArgument, "larger than 2^32 bytes; use a stream");
  RecordChange change = put_of(name, options);
  change.content = value;
  ChangeSet changes(keys_, store_, scope, token_);
  changes.add(change);
  QUIETUS_TRY(apply(changes, scope));
  return changes[0].version;
}

Result<Version> Records::put_stream(const ScopeAccess& scope, std::string_view name,
                                    const ByteSource& source, const PutOptions& options) {
  QUIETUS_TRY(validate_put(name, options));
  QUIETUS_TRY(check_condition_early(scope, name, options));
  StreamPieces pieces(source);
  QUIETUS_TRY_AS(const auto small, pieces.small_enough());
  if (small) return put(scope, name, *small, options);
  ObjectWriter writer(keys_, store_, scope, token_);
  RecordChange change = put_of(name, options);
  QUIETUS_TRY_AS(change.object, writer.write([&] { return pieces.next(); }));
  ChangeSet changes(keys_, store_, scope, token_);
  changes.add(change);
  QUIETUS_TRY(apply(changes, scope));
  return changes[0].version;
}

// A large object is not written for nothing. It is checked again when it is there.
Result<void> Records::check_condition_early(const ScopeAccess& scope, std::string_view name,
                                            const PutOptions& options) {
  if (!options.expected && !options.must_be_new) return {};
  std::optional<Version> now;
  const auto note_version = [&](const StoredRecord& record, const Prf128&,
                                RecordOpener& opener) -> Result<void> {
    MetadataRoom room;
    QUIETUS_TRY_AS(const RecordMetadata metadata, opener.open_metadata(room));
    now = public_version(metadata, record);
    return {};
  };
  QUIETUS_TRY_AS(const bool found, open_record(scope, name, note_version));
  if (!found) now.reset();
  return check_condition(now, options.expected, options.must_be_new);
}

Result<bool> Records::remove(const ScopeAccess& scope, std::string_view name,
                             const std::optional<Version>& expected) {
  QUIETUS_TRY(validate_record_name(name));
  RecordChange change;
  change.name = name;
  change.removes = true;
  change.expected = expected;
  ChangeSet changes(keys_, store_, scope, token_);
  changes.add(change);
  QUIETUS_TRY(apply(changes, scope));
  return changes[0].existed;
}

Result<void> Records::write(const ScopeAccess& scope, std::span<const Batch::Write> writes) {
  ChangeSet changes(keys_, store_, scope, token_);
  for (const Batch::Write& write : writes) {
    QUIETUS_TRY_AS(const RecordChange change, change_of(write));
    changes.add(change);
  }
  return apply(changes, scope);
}

Result<void> Records::collect_garbage(WriterAlive writer_alive) {
  return sweep_garbage(
      store_, [&](const WriterToken& token) { return token == token_ || writer_alive(token); });
}

}  // namespace quietus
