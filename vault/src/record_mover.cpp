#include "record_mover.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "plaintext_buffer.hpp"
#include "record_fence.hpp"
#include "record_keys.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMoverLooksAt = 4096;                    // in one snapshot
constexpr std::size_t kMovedBytes = std::size_t{1024} * 1024;  // moved in one transaction
constexpr std::size_t kMovedRows = 512;

Error replaced_again() {
  return {ErrorCode::kBusy, "the keys were replaced meanwhile"};
}

Result<Prf128> row_of(ByteView key) {
  Prf128 row{};
  if (key.size() != row.size()) return Error(ErrorCode::kCorrupt, "record: malformed key");
  std::ranges::copy(key, row.begin());
  return row;
}

// Damage of one record keeps the others from nothing.
bool is_damage(const Error& error) {
  return error.code() == ErrorCode::kCorrupt;
}

// One transaction among those of other writers. Who has to wait for the turn shares the store, and
// then lets the others work for as long as the own transaction took: re-encryption is in no hurry,
// and without a pause a load that writes would get a fifth of what it gets otherwise.
class Turn {
 public:
  void ask() noexcept { asked_ = Clock::now(); }
  // At the beginning of each attempt.
  void begin() noexcept { begun_ = Clock::now(); }
  // To be called with no key in hand.
  void pause() const {
    constexpr std::chrono::microseconds kUncontended{500};
    constexpr std::chrono::milliseconds kLongest{250};
    if (begun_ - asked_ <= kUncontended) return;
    std::this_thread::sleep_for(std::min<Clock::duration>(Clock::now() - begun_, kLongest));
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point asked_;
  Clock::time_point begun_;
};

}  // namespace

Result<MovedRecords> RecordMover::run(const Progress& progress, const GiveUp& give_up) {
  QUIETUS_FAILPOINT("move/before-fence");
  QUIETUS_TRY(store_.update(
      [&](RecordWriter& writer) { return raise_fence(writer, scope_, generation_); }));
  QUIETUS_FAILPOINT("move/after-fence");
  QUIETUS_TRY_AS(const ScopeUsage usage, store_.usage(scope_));
  for (bool more = true; more;) {
    QUIETUS_TRY_AS(more, pass(progress, usage.records));
  }
  if (moved_.damaged == 0 || !give_up) return moved_;
  give_up_ = &give_up;
  for (bool more = true; more;) {
    QUIETUS_TRY_AS(more, pass(progress, usage.records));
  }
  return moved_;
}

// Whether another pass is needed: rows move while they are looked at, forwards and backwards.
Result<bool> RecordMover::pass(const Progress& progress, std::uint64_t total) {
  found_ = false;
  moved_.damaged = 0;
  std::optional<Bytes> from = Bytes();
  while (from) {
    QUIETUS_TRY_AS(Page page, read_page(*from));
    if (!page.rows.empty()) QUIETUS_TRY(move_page(page));
    if (progress && !progress(moved_.records, std::max(total, moved_.records)))
      return Error(ErrorCode::kRefused, "stopped by the caller; what was moved stays moved");
    from = std::move(page.next);
  }
  return found_;
}

Result<RecordMover::Page> RecordMover::read_page(const Bytes& from) {
  Page page;
  QUIETUS_TRY(store_.read([&](RecordReader& reader) -> Result<void> {
    page = {};
    std::size_t looked_at = 0;
    std::size_t bytes = 0;
    return reader.scan(
        {RecordTable::kRecords, scope_, from}, [&](ByteView key, ByteView value) -> Result<bool> {
          const auto record = StoredRecord::parse(value);
          if (!record || record->generation() != generation_) {
            page.rows.push_back({Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end())});
            bytes += value.size();
          }
          if (++looked_at < kMoverLooksAt && bytes < kMovedBytes && page.rows.size() < kMovedRows)
            return true;
          page.next = Bytes(key.begin(), key.end());
          page.next->push_back(0);
          return false;
        });
  }));
  return page;
}

Result<void> RecordMover::move_page(const Page& page) {
  Rows rows;
  Rows unreadable;
  for (const Row& row : page.rows) {
    const auto record = StoredRecord::parse(row.value);
    bool readable = record.ok();
    if (record && record->is_object()) {
      QUIETUS_TRY_AS(readable, settle_object(row, move_object(row)));
    } else if (record) {
      rows.push_back(&row);
    }
    if (!readable) unreadable.push_back(&row);
  }
  if (!rows.empty()) QUIETUS_TRY(move_inline(rows, unreadable));
  moved_.damaged += unreadable.size();
  return give_up_ != nullptr && !unreadable.empty() ? give_up_rows(unreadable) : Result<void>();
}

// Rows of a newer generation than the one that is moved to are somebody else's work: without this,
// each pass would find them again.
Result<void> RecordMover::check_newest(const ScopeKeys& keys) const {
  return keys.generation == generation_ ? Result<void>() : replaced_again();
}

// The same content and metadata, under the newest key and the same N.
Result<RecordMover::Resealed> RecordMover::reseal(const ScopeKeys& keys, const KeyCache::Use& use,
                                                  const Row& row) {
  Resealed moved;
  QUIETUS_TRY_AS(moved.from, row_of(row.key));
  QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(row.value));
  QUIETUS_TRY_AS(const RecordSeal old,
                 seal_of_generation(keys_.vault_id(), keys, use, record.generation()));
  RecordOpener opener(old, moved.from, record);
  MetadataRoom room;
  QUIETUS_TRY_AS(const RecordMetadata metadata, opener.open_metadata(room));
  PlaintextBuffer content(record.inline_size());
  QUIETUS_TRY(opener.open_content(content.bytes()));
  moved.to = prf128(keys.names, as_bytes(metadata.name));
  moved.version = record.version();
  moved.size = content.size();
  moved.sealed.resize(stored_record_size(metadata, content.size()));
  seal_record(active_seal(keys_.vault_id(), keys, use), moved.to, moved.version, metadata,
              content.bytes(), moved.sealed);
  return moved;
}

Result<void> RecordMover::move_inline(const Rows& rows, Rows& unreadable) {
  MovedRecords done;
  Rows failed;
  Turn turn;
  const auto move = [&](const ScopeKeys& keys, const KeyCache::Use& use) -> Result<void> {
    QUIETUS_TRY(check_newest(keys));
    std::vector<Resealed> sealed;
    failed.clear();
    for (const Row* row : rows) {
      auto one = reseal(keys, use, *row);
      if (!one && !is_damage(one.error())) return std::move(one).error();
      if (one)
        sealed.push_back(std::move(one).value());
      else
        failed.push_back(row);
    }
    QUIETUS_FAILPOINT("move/before-update");
    turn.ask();
    QUIETUS_TRY(store_.update([&](RecordWriter& writer) -> Result<void> {
      turn.begin();
      done = {};
      QUIETUS_TRY(check_fence(writer, scope_, keys.generation, use));
      if (!use.current()) return replaced_again();
      for (const Resealed& one : sealed) {
        QUIETUS_TRY_AS(const bool moved, put_in_place(writer, one));
        done.records += moved ? 1 : 0;
        done.bytes += moved ? one.size : 0;
      }
      return {};
    }));
    use.set_committed();
    return {};
  };
  QUIETUS_TRY(keys_.with_scope(scope_, KeyUse::kMaintain, move));
  turn.pause();
  QUIETUS_FAILPOINT("move/after-update");
  found_ = found_ || done.records > 0;
  moved_.records += done.records;
  moved_.bytes += done.bytes;
  unreadable.insert(unreadable.end(), failed.begin(), failed.end());
  return {};
}

// False when somebody changed or removed the record meanwhile, under the newest key.
Result<bool> RecordMover::still_there(RecordReader& reader, const Resealed& moved) {
  QUIETUS_TRY_AS(const auto value, reader.get({RecordTable::kRecords, scope_, moved.from}));
  if (!value) return false;
  const auto record = StoredRecord::parse(*value);
  return record.ok() && record->version() == moved.version && record->generation() != generation_;
}

Result<bool> RecordMover::put_in_place(RecordWriter& writer, const Resealed& moved) {
  QUIETUS_TRY_AS(const bool there, still_there(writer, moved));
  if (!there) return false;
  QUIETUS_TRY(writer.remove({RecordTable::kRecords, scope_, moved.from}));
  QUIETUS_TRY(writer.put({RecordTable::kRecords, scope_, moved.to}, moved.sealed));
  return true;
}

// False for one that does not open. One that is replaced while it is copied is looked at again in
// the next pass.
Result<bool> RecordMover::settle_object(const Row& row, const Result<void>& moved) {
  if (moved) return true;
  if (moved.error().code() == ErrorCode::kChanged) {
    found_ = true;
    return true;
  }
  if (!is_damage(moved.error())) return moved.error();
  // That it could not be written anew is no reason to give up what can be read.
  const Result<void> read = read_through(row);
  if (read) return moved.error();
  if (read.error().code() == ErrorCode::kChanged) {
    found_ = true;
    return true;
  }
  if (!is_damage(read.error())) return read.error();
  return false;
}

Result<void> RecordMover::read_through(const Row& row) {
  ObjectMove look;
  QUIETUS_TRY(look_at_object(row, look));
  PlaintextBuffer group(ObjectReader::kGroupSize);
  for (ObjectReader reader(keys_, store_, look.old, {false, true}); !reader.done();)
    QUIETUS_TRY(reader.next(group.bytes().first(reader.next_size())));
  return {};
}

RecordMover::ObjectMove::~ObjectMove() {
  wipe({reinterpret_cast<std::uint8_t*>(name.data()), name.size()});
}

// A large object is written anew, and the record flips to it last.
Result<void> RecordMover::move_object(const Row& row) {
  ObjectMove move;
  QUIETUS_TRY(look_at_object(row, move));
  QUIETUS_TRY(copy_object(move));
  const Result<void> flipped = flip(move);
  const ObjectId& left = move.done ? move.old.ref.id : move.written.ref.id;
  static_cast<void>(sweep_object(store_, scope_, left));
  QUIETUS_TRY(flipped);
  found_ = true;
  if (!move.done) return {};
  ++moved_.records;
  moved_.bytes += move.old.size;
  return {};
}

Result<void> RecordMover::look_at_object(const Row& row, ObjectMove& move) {
  const auto look = [&](const ScopeKeys& keys, const KeyCache::Use& use) -> Result<void> {
    QUIETUS_TRY(check_newest(keys));
    QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(row.value));
    QUIETUS_TRY_AS(const Prf128 at, row_of(row.key));
    QUIETUS_TRY_AS(const RecordSeal seal,
                   seal_of_generation(keys_.vault_id(), keys, use, record.generation()));
    MetadataRoom room;
    QUIETUS_TRY_AS(const RecordMetadata metadata,
                   RecordOpener(seal, at, record).open_metadata(room));
    move.name = metadata.name;
    move.content_type = metadata.content_type;
    move.modified = metadata.modified;
    move.old = {scope_, at, record.version(), record.generation(), metadata.size, *metadata.object};
    return {};
  };
  return keys_.with_scope(scope_, KeyUse::kMaintain, look);
}

Result<void> RecordMover::copy_object(ObjectMove& move) {
  PlaintextBuffer piece(kObjectPieceSize);
  PlaintextBuffer group(ObjectReader::kGroupSize);
  MutableBytes rest;  // of the group
  ObjectReader reader(keys_, store_, move.old, {false, true});
  const auto next_piece = [&]() -> Result<ByteView> {
    std::size_t filled = 0;
    while (filled < piece.size() && (!rest.empty() || !reader.done())) {
      if (rest.empty()) {
        rest = group.bytes().first(reader.next_size());
        QUIETUS_TRY(reader.next(rest));
      }
      const std::size_t size = std::min(rest.size(), piece.size() - filled);
      std::copy_n(rest.begin(), size, piece.bytes().subspan(filled).begin());
      rest = rest.subspan(size);
      filled += size;
    }
    return ByteView(piece.bytes().first(filled));
  };
  ObjectWriter writer(keys_, store_, scope_, token_, KeyUse::kMaintain);
  QUIETUS_TRY_AS(move.written, writer.write(next_piece));
  move.written.ref.origin = move.old.ref.origin;
  return {};
}

// Under a new N, because what is sealed is not the same.
Result<void> RecordMover::flip(ObjectMove& move) {
  const auto seal_and_flip = [&](const ScopeKeys& keys, const KeyCache::Use& use) -> Result<void> {
    if (move.written.generation != keys.generation) return replaced_again();
    Resealed to;
    to.from = move.old.row;
    to.to = prf128(keys.names, as_bytes(move.name));
    to.version = move.old.version;
    Version fresh{};
    random_bytes(fresh);
    const RecordMetadata metadata{move.modified, move.old.size, move.name, move.content_type,
                                  move.written.ref};
    to.sealed.resize(stored_record_size(metadata, 0));
    seal_record(active_seal(keys_.vault_id(), keys, use), to.to, fresh, metadata, {}, to.sealed);
    QUIETUS_FAILPOINT("move/before-flip");
    QUIETUS_TRY(
        store_.update([&](RecordWriter& writer) { return flip_in(writer, use, to, move); }));
    use.set_committed();
    return {};
  };
  return keys_.with_scope(scope_, KeyUse::kMaintain, seal_and_flip);
}

Result<void> RecordMover::flip_in(RecordWriter& writer, const KeyCache::Use& use,
                                  const Resealed& to, ObjectMove& move) {
  move.done = false;
  QUIETUS_TRY(check_fence(writer, scope_, move.written.generation, use));
  if (!use.current()) return replaced_again();
  QUIETUS_TRY(check_announced(writer, scope_, move.written.ref.id, token_));
  QUIETUS_TRY_AS(const bool there, still_there(writer, to));
  if (!there) return {};
  QUIETUS_TRY(abandon_object(writer, scope_, move.old.ref.id));
  QUIETUS_TRY_AS(move.done, put_in_place(writer, to));
  return adopt_object(writer, scope_, move.written.ref.id);
}

}  // namespace quietus
