#include <algorithm>
#include <set>

#include "base/text_encoding.hpp"
#include "check.hpp"
#include "object_inventory.hpp"
#include "object_store.hpp"
#include "plaintext_buffer.hpp"
#include "record_keys.hpp"
#include "record_opening.hpp"

namespace quietus {
namespace {

// One page of rows is copied at a time: at most so many, or about so many bytes.
constexpr std::size_t kCheckedRows = 256;
constexpr std::size_t kPageBytes = std::size_t{4} << 20;

struct RowCopy {
  Bytes key;
  Bytes value;
};

struct RowPage {
  std::vector<RowCopy> rows;
  Bytes next;  // where the page after it begins; empty at the end
};

// What a page showed. Made anew when the keys changed while it was looked at.
struct PageFindings {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::vector<Damage> damages;
  std::vector<StoredObject> objects;
};

Result<RowPage> copy_page(RecordStore& store, ScopeId scope, const Bytes& from) {
  RowPage page;
  QUIETUS_TRY(store.read([&](RecordReader& reader) {
    page = {};
    std::size_t bytes = 0;
    return reader.scan(
        {RecordTable::kRecords, scope, from}, [&](ByteView key, ByteView value) -> Result<bool> {
          page.rows.push_back({Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end())});
          bytes += value.size();
          if (page.rows.size() < kCheckedRows && bytes < kPageBytes) return true;
          page.next.assign(key.begin(), key.end());
          page.next.push_back(0);
          return false;
        });
  }));
  return page;
}

std::string place_of(ScopeId scope) {
  return "record store, scope " + hex_id(scope);
}

std::string place_of(ScopeId scope, ByteView row) {
  return place_of(scope) + ", row " + to_hex(row);
}

// Checks the records of one scope.
class ScopeCheck {
 public:
  ScopeCheck(KeyStore& keys, RecordStore& store, ScopeId scope, CheckReport& report)
      : keys_(keys), store_(store), scope_(scope), report_(report) {}

  // `rows_done` goes on from scope to scope.
  Result<void> run(const Progress& progress, std::uint64_t& rows_done) {
    QUIETUS_TRY_AS(ObjectInventory objects, take_inventory());
    Bytes from;
    do {
      QUIETUS_TRY_AS(RowPage page, copy_page(store_, scope_, from));
      QUIETUS_TRY_AS(const bool readable, check_page(page, objects));
      rows_done += page.rows.size();
      if (progress && !progress(rows_done, 0))
        return Error(ErrorCode::kRefused, "stopped by the caller");
      readable_ = readable_ && readable;
      from = std::move(page.next);
    } while (!from.empty() && !hopeless_);
    if (!readable_) return {};
    QUIETUS_TRY_AS(const std::uint64_t orphaned, objects.orphaned_rows(store_));
    report_.orphaned_rows += orphaned;
    return {};
  }

 private:
  Result<ObjectInventory> take_inventory() {
    auto objects = ObjectInventory::take(store_, scope_);
    if (objects || objects.error().code() != ErrorCode::kCorrupt) return objects;
    report_.damages.push_back({place_of(scope_), objects.error().context()});
    return ObjectInventory(scope_);
  }

  // False when the scope cannot be read at all, which is noted.
  Result<bool> check_page(const RowPage& page, ObjectInventory& objects) {
    PageFindings found;
    const Result<void> looked =
        keys_.with_scope(scope_, KeyUse::kMaintain,
                         [&](const ScopeKeys& keys, const KeyCache::Use& use) -> Result<void> {
                           found = {};
                           for (const RowCopy& row : page.rows) look_at_row(keys, use, row, found);
                           return {};
                         });
    if (!looked) {
      QUIETUS_TRY(note_unreadable(looked.error(), page.rows.size()));
      return false;
    }
    report_.records += found.records;
    report_.bytes += found.bytes;
    std::ranges::move(found.damages, std::back_inserter(report_.damages));
    for (const StoredObject& object : found.objects) {
      objects.mark_referenced(object.ref.id);
      QUIETUS_TRY(check_object(object));
    }
    return true;
  }

  // Errors that say something about this scope alone are findings.
  Result<void> note_unreadable(const Error& error, std::size_t rows) {
    if (error.code() == ErrorCode::kErased) {
      report_.erased_records += rows;
      return {};
    }
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kCorrupt) return error;
    hopeless_ = true;
    report_.damages.push_back({place_of(scope_), error.code() == ErrorCode::kNotFound
                                                     ? "rows of a scope that does not exist"
                                                     : error.context()});
    return {};
  }

  void look_at_row(const ScopeKeys& keys, const KeyCache::Use& use, const RowCopy& row,
                   PageFindings& found) {
    const Result<void> opened = open_row(keys, use, row, found);
    if (!opened && is_still_stored(row))
      found.damages.push_back({place_of(scope_, row.key), opened.error().context()});
  }

  // One that was replaced or moved since it was copied may be of a key that is gone by now.
  bool is_still_stored(const RowCopy& row) {
    bool stored = true;
    const auto looked = store_.read([&](RecordReader& reader) -> Result<void> {
      QUIETUS_TRY_AS(const auto now, reader.get({RecordTable::kRecords, scope_, row.key}));
      stored = now && std::ranges::equal(*now, row.value);
      return {};
    });
    return !looked || stored;
  }

  Result<void> open_row(const ScopeKeys& keys, const KeyCache::Use& use, const RowCopy& copy,
                        PageFindings& found) {
    QUIETUS_TRY_AS(const RecordRow row, RecordRow::parse(copy.key, copy.value));
    const std::uint32_t generation = row.record.generation();
    QUIETUS_TRY_AS(const RecordSeal seal,
                   seal_of_generation(keys_.vault_id(), keys, use, generation));
    QUIETUS_TRY_AS(const auto object, open_whole(seal, keys.of_generation(generation)->names, row));
    if (object) {
      found.objects.push_back(*object);
      return {};
    }
    ++found.records;
    found.bytes += row.record.inline_size();
    return {};
  }

  Result<void> check_object(const StoredObject& object) {
    PlaintextBuffer buffer(std::min<std::uint64_t>(object.size, ObjectReader::kGroupSize));
    ObjectReader reader(keys_, store_, object, {false, true, ReadFrom::kCopied});
    while (!reader.done()) {
      const std::size_t size = reader.next_size();
      const Result<void> opened = reader.next(buffer.bytes().first(size));
      if (!opened) return note_broken_object(object, opened.error());
      report_.bytes += size;
    }
    ++report_.records;
    return {};
  }

  Result<void> note_broken_object(const StoredObject& object, const Error& error) {
    switch (error.code()) {
      case ErrorCode::kChanged: return {};  // replaced since: no longer what is stored
      case ErrorCode::kErased: ++report_.erased_records; return {};
      case ErrorCode::kCorrupt:
        report_.damages.push_back({place_of(scope_, object.row), error.context()});
        return {};
      default: return error;
    }
  }

  KeyStore& keys_;
  RecordStore& store_;
  ScopeId scope_;
  CheckReport& report_;
  bool readable_ = true;
  bool hopeless_ = false;  // no use in looking at more rows
};

}  // namespace

Result<void> check_records(KeyStore& keys, RecordStore& store, const Progress& progress,
                           CheckReport& report) {
  std::set<ScopeId> scopes;
  for (const RecordTable table : {RecordTable::kRecords, RecordTable::kChunks})
    QUIETUS_TRY(store.scopes(table, [&](ScopeId scope) -> Result<bool> {
      scopes.insert(scope);
      return true;
    }));
  std::uint64_t rows_done = 0;
  for (const ScopeId scope : scopes) {
    Result<void> checked = ScopeCheck(keys, store, scope, report).run(progress, rows_done);
    if (checked) continue;
    if (checked.error().code() != ErrorCode::kCorrupt) return checked;
    report.damages.push_back({place_of(scope), checked.error().context()});
  }
  return {};
}

}  // namespace quietus
