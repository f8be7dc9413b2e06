#include <algorithm>
#include <cstring>

#include "record_fence.hpp"
#include "record_keys.hpp"
#include "records.hpp"

namespace quietus {
namespace {

constexpr std::size_t kListedRows = 256;  // looked at in one snapshot

// The records of one page of rows whose name starts with a prefix. Their memory is used again for
// the next page.
class ListPage {
 public:
  explicit ListPage(std::string_view prefix) : prefix_(prefix) {}
  ListPage(ListPage&&) = delete;
  ListPage& operator=(ListPage&&) = delete;
  ListPage(const ListPage&) = delete;
  ListPage& operator=(const ListPage&) = delete;
  ~ListPage() {
    for (RecordInfo& info : infos_)
      wipe({reinterpret_cast<std::uint8_t*>(info.name.data()), info.name.size()});
  }

  // To be called before each look at a page, also at the same one again.
  void begin() {
    used_ = 0;
    rows_ = 0;
    next_.reset();
  }

  // False when the page is full.
  Result<bool> add(const RecordSeal& seal, ByteView key, const StoredRecord& record) {
    Prf128 row{};
    if (key.size() != row.size()) return Error(ErrorCode::kCorrupt, "record: malformed key");
    std::ranges::copy(key, row.begin());
    MetadataRoom room;
    QUIETUS_TRY_AS(const RecordMetadata metadata,
                   RecordOpener(seal, row, record).open_metadata(room));
    if (metadata.name.starts_with(prefix_))
      fill_info(metadata, public_version(metadata, record), next_info());
    return pass_over(key);
  }

  // Counts a row without showing it. False when the page is full.
  bool pass_over(ByteView key) {
    if (++rows_ < kListedRows) return true;
    next_.emplace(key.begin(), key.end());
    next_->push_back(0);
    return false;
  }

  std::span<const RecordInfo> infos() const noexcept { return std::span(infos_).first(used_); }
  // Where the next page begins, if there is one.
  const std::optional<Bytes>& next() const noexcept { return next_; }

 private:
  RecordInfo& next_info() {
    if (used_ == infos_.size()) infos_.emplace_back();
    return infos_[used_++];
  }

  std::string_view prefix_;
  std::vector<RecordInfo> infos_;
  std::size_t used_ = 0;
  std::size_t rows_ = 0;
  std::optional<Bytes> next_;
};

struct HeldScope {
  const VaultId& vault;
  const ScopeKeys& keys;
  const KeyCache::Use& use;
};

// Which rows a pass over a scope shows.
enum class Pass { kAll, kOlder, kNewest };

bool shows(Pass pass, const StoredRecord& record, const ScopeKeys& keys) {
  return pass == Pass::kAll || (pass == Pass::kNewest) == (record.generation() == keys.generation);
}

struct PageRequest {
  ByteView from;
  Pass pass;
};

Result<void> read_page(RecordStore& store, const PageRequest& request, const HeldScope& held,
                       ListPage& page) {
  page.begin();
  return store.read([&](RecordReader& reader) -> Result<void> {
    // Else what moved to before this page would be missed.
    QUIETUS_TRY(check_fence(reader, held.keys.id, held.keys.generation, held.use));
    return reader.scan(
        {RecordTable::kRecords, held.keys.id, request.from},
        [&](ByteView key, ByteView value) -> Result<bool> {
          QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(value));
          if (!shows(request.pass, record, held.keys)) return page.pass_over(key);
          QUIETUS_TRY_AS(const RecordSeal seal,
                         seal_of_generation(held.vault, held.keys, held.use, record.generation()));
          return page.add(seal, key, record);
        });
  });
}

// The records that were visited, by the beginning of their versions, which a rotation leaves as
// they are.
class Seen {
 public:
  void add(const RecordInfo& info) { versions_.push_back(beginning(info)); }
  // From then on contains() works.
  void sort() { std::sort(versions_.begin(), versions_.end()); }
  bool contains(const RecordInfo& info) const {
    return std::binary_search(versions_.begin(), versions_.end(), beginning(info));
  }

 private:
  static std::uint64_t beginning(const RecordInfo& info) {
    std::uint64_t value = 0;
    std::memcpy(&value, info.version.data(), sizeof(value));
    return value;
  }
  std::vector<std::uint64_t> versions_;
};

}  // namespace

void fill_info(const RecordMetadata& metadata, const Version& version, RecordInfo& info) {
  info.name.assign(metadata.name);
  info.size_bytes = metadata.size;
  info.modified_unix_ms = metadata.modified;
  info.content_type.assign(metadata.content_type);
  info.version = version;
}

namespace {

// One list of a scope. While a scope's key is replaced, its rows move to other places, forwards and
// backwards; so what is under older keys is visited first then, what is under the newest after it,
// and nothing twice.
class Listing {
 public:
  Listing(KeyStore& keys, RecordStore& store, const ScopeAccess& scope, std::string_view prefix)
      : keys_(keys), store_(store), scope_(scope), page_(prefix) {}

  Result<void> run(const Records::Visitor& visit) {
    QUIETUS_TRY_AS(Outcome outcome, one_pass(Pass::kAll, visit));
    while (outcome == Outcome::kMoved) {
      seen_.sort();
      settled_ = seen_;
      generation_ = 0;
      QUIETUS_TRY_AS(outcome, one_pass(Pass::kOlder, visit));
      if (outcome != Outcome::kDone) continue;
      seen_.sort();
      settled_ = seen_;
      QUIETUS_TRY_AS(outcome, one_pass(Pass::kNewest, visit));
    }
    return {};
  }

 private:
  enum class Outcome { kDone, kStopped, kMoved };

  Result<Outcome> one_pass(Pass pass, const Records::Visitor& visit) {
    std::optional<Bytes> from = Bytes();
    while (from) {
      bool moved = false;
      QUIETUS_TRY(keys_.with_scope(
          scope_, KeyUse::kProcess, [&](const ScopeKeys& keys, const KeyCache::Use& use) {
            moved = must_begin_again(pass, keys);
            return moved ? Result<void>()
                         : read_page(store_, {*from, pass}, {keys_.vault_id(), keys, use}, page_);
          }));
      if (moved) return Outcome::kMoved;
      QUIETUS_TRY_AS(const bool more, visit_page(visit));
      if (!more) return Outcome::kStopped;
      from = page_.next();
    }
    return Outcome::kDone;
  }

  bool must_begin_again(Pass pass, const ScopeKeys& keys) {
    if (generation_ == 0) generation_ = keys.generation;
    return keys.generation != generation_ || (pass == Pass::kAll && !keys.older.empty());
  }

  // Outside of any snapshot. False when the caller has seen enough.
  Result<bool> visit_page(const Records::Visitor& visit) {
    for (const RecordInfo& info : page_.infos()) {
      if (settled_.contains(info)) continue;
      seen_.add(info);
      QUIETUS_TRY_AS(const bool more, visit(info));
      if (!more) return false;
    }
    return true;
  }

  KeyStore& keys_;
  RecordStore& store_;
  ScopeAccess scope_;
  ListPage page_;
  std::uint32_t generation_ = 0;  // of the newest key, since this pass began; 0: not known yet
  Seen seen_;
  Seen settled_;  // what was seen before this pass
};

}  // namespace

Result<void> Records::list(const ScopeAccess& scope, std::string_view prefix,
                           const Visitor& visit) {
  return Listing(keys_, store_, scope, prefix).run(visit);
}

}  // namespace quietus
