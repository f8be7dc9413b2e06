#include <algorithm>

#include "record_keys.hpp"
#include "records.hpp"

namespace quietus {
namespace {

constexpr std::size_t kPageRows = 256;  // looked at in one snapshot

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
    if (metadata.name.starts_with(prefix_)) fill_info(metadata, record.version(), next_info());
    if (++rows_ < kPageRows) return true;
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

Result<void> read_page(RecordStore& store, ByteView from, const HeldScope& held, ListPage& page) {
  page.begin();
  return store.read([&](RecordReader& reader) {
    return reader.scan(
        {RecordTable::kRecords, held.keys.id, from},
        [&](ByteView key, ByteView value) -> Result<bool> {
          QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(value));
          QUIETUS_TRY_AS(const RecordSeal seal,
                         seal_of_generation(held.vault, held.keys, held.use, record.generation()));
          return page.add(seal, key, record);
        });
  });
}

// Visits what a page shows, outside of any snapshot. False when the caller has seen enough.
Result<bool> visit_page(const ListPage& page, const Records::Visitor& visit) {
  for (const RecordInfo& info : page.infos()) {
    QUIETUS_TRY_AS(const bool more, visit(info));
    if (!more) return false;
  }
  return true;
}

}  // namespace

void fill_info(const RecordMetadata& metadata, const Version& version, RecordInfo& info) {
  info.name.assign(metadata.name);
  info.size_bytes = metadata.size;
  info.modified_unix_ms = metadata.modified;
  info.content_type.assign(metadata.content_type);
  info.version = version;
}

Result<void> Records::list(const ScopeAccess& scope, std::string_view prefix,
                           const Visitor& visit) {
  ListPage page(prefix);
  std::optional<Bytes> from = Bytes();
  while (from) {
    QUIETUS_TRY(keys_.with_scope(
        scope, KeyUse::kProcess, [&](const ScopeKeys& keys, const KeyCache::Use& use) {
          return read_page(store_, *from, {keys_.vault_id(), keys, use}, page);
        }));
    QUIETUS_TRY_AS(const bool more, visit_page(page, visit));
    if (!more) return {};
    from = page.next();
  }
  return {};
}

}  // namespace quietus
