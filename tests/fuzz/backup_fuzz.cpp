// Backups, pairs of a base and the changes since, and manifests, from strangers: a verdict each,
// never a crash. What is taken for a backup is taken for the same one however it is delivered, and
// neither with more behind it nor with less. What a pair comes to is in order.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include <quietus/backup.hpp>

#include "backup_merge.hpp"

namespace {

using namespace quietus;

constexpr std::string_view kPairMagic = "QUIETUSP";

void require(bool holds) {
  if (!holds) std::abort();
}

// At most `piece` bytes at a time. What it reads is borrowed.
ByteSource source_of(ByteView content, std::size_t piece) {
  return [content, piece](MutableBytes to) mutable -> Result<std::size_t> {
    const std::size_t size = std::min({to.size(), piece, content.size()});
    std::copy_n(content.begin(), size, to.begin());
    content = content.subspan(size);
    return size;
  };
}

// A key that signs nothing here.
const Trust& stranger() {
  static const Trust trust =
      Trust::parse("log " + format_vkey({"log.example", {1}}) + "\nquorum none\n").value();
  return trust;
}

void check_order(const ByteSource& base, const ByteSource& changes) {
  BackupMerge both(&base, changes);
  if (!both.head()) return;
  std::optional<RecordKeyRef> before;
  Bytes key;
  for (auto row = both.next(); row && *row; row = both.next()) {
    require(!(*row)->removed);
    if (!(*row)->table) break;
    const RecordKeyRef at = place_of(**row);
    require(!before || order_of(*before, at) < 0);
    key.assign(at.key.begin(), at.key.end());
    before = {at.table, at.scope, key};
  }
}

// "QUIETUSP" || size of the base u32 || base || changes
void check_pair(ByteView input) {
  ByteReader in(input.subspan(kPairMagic.size()));
  const ByteView base = in.field(input.size());
  if (in.failed()) return;
  const auto checked = [&](std::size_t piece) {
    const ByteSource first = source_of(base, piece);
    return check_backup(source_of(in.rest(), piece), nullptr, &first);
  };
  check_order(source_of(base, 1000), source_of(in.rest(), 1000));
  const auto whole = checked(input.size());
  const auto pieces = checked(1 + input.size() / 64);
  require(whole.ok() == pieces.ok());
  if (!whole) {
    require(whole.error().code() == pieces.error().code());
    return;
  }
  const auto alone = check_backup(source_of(in.rest(), input.size()));
  require(alone.ok() && alone->info.manifest_sha256 == whole->info.manifest_sha256);
  const auto its_base = check_backup(source_of(base, input.size()));
  require(its_base.ok() && its_base->info.id == whole->info.base_id &&
          its_base->info.manifest_sha256 == whole->base_manifest_sha256);
}

void check_refusal(ErrorCode code) {
  require(code == ErrorCode::kCorrupt || code == ErrorCode::kUnverified ||
          code == ErrorCode::kUnsupported);
}

void check_stream(ByteView input) {
  const auto whole = check_backup(source_of(input, input.size()));
  const auto pieces = check_backup(source_of(input, 1 + input.size() / 64));
  require(!check_backup(source_of(input, input.size()), &stranger()).ok());
  require(whole.ok() == pieces.ok());
  if (!whole) {
    check_refusal(whole.error().code());
    require(whole.error().code() == pieces.error().code());
    return;
  }
  require(!whole->trusted && whole->info.id == pieces->info.id &&
          whole->info.manifest_sha256 == pieces->info.manifest_sha256);
  require(!check_backup(source_of(input.first(input.size() - 1), input.size())).ok());
  Bytes longer(input.begin(), input.end());
  longer.push_back(0);
  require(!check_backup(source_of(longer, longer.size())).ok());
}

void check_manifest(std::string_view text) {
  if (const auto manifest = parse_manifest(text)) require(format_manifest(*manifest) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  if (as_text(input).starts_with("quietus-backup/"))
    check_manifest(as_text(input));
  else if (as_text(input).starts_with(kPairMagic))
    check_pair(input);
  else
    check_stream(input);
  return 0;
}
