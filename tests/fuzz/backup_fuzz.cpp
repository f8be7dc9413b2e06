// Backups and their manifests, from strangers: a verdict each, never a crash. What is taken for a
// backup is taken for the same one however it is delivered, and neither with more behind it nor
// with less.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include <quietus/backup.hpp>

#include "backup_format.hpp"

namespace {

using namespace quietus;

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
  else
    check_stream(input);
  return 0;
}
