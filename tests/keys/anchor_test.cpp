#include "keys/anchor.hpp"

#include <fstream>
#include <iterator>

#include "keys/sample_secrets.hpp"
#include "support/fault_file_system.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

constexpr std::size_t kSector = 512;

struct Anchors {
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  std::filesystem::path path = folder / "anchor";
  FaultFileSystem files;
  AnchorFile file{files, path};
  AnchorKey key = named_key<AnchorRole>("anchor");

  static Anchor anchor(std::uint64_t generation) {
    Anchor anchor;
    anchor.vault = vault_id(1);
    anchor.generation = generation;
    anchor.log_size = 10 * generation;
    anchor.log_root.fill(static_cast<std::uint8_t>(generation));
    return anchor;
  }
  Bytes content() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void set(const Bytes& bytes) const {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }
  void damage(std::size_t sector) const {
    Bytes bytes = content();
    bytes[sector * kSector + 50] ^= 1;
    set(bytes);
  }
};

}  // namespace

TEST_CASE("the anchor says what was written last", "[anchor]") {
  Anchors anchors;
  CHECK_FAILS_WITH(anchors.file.read(vault_id(1)), ErrorCode::kNotFound);
  must(anchors.file.create(Anchors::anchor(1), anchors.key));
  CHECK(anchors.content().size() == 2 * kSector);
  for (std::uint64_t n = 2; n < 6; ++n) {
    must(anchors.file.write(Anchors::anchor(n), anchors.key));
    const Anchor read = must(anchors.file.read(vault_id(1)));
    CHECK(read.generation == n);
    CHECK(read.log_size == 10 * n);
    CHECK(read.log_root == Anchors::anchor(n).log_root);
    CHECK(read.sequence == n + 1);
    CHECK(AnchorFile::authentic(read, anchors.key));
    CHECK(anchors.content().size() == 2 * kSector);
  }
}

TEST_CASE("writing the anchor costs one sync and touches one sector", "[anchor]") {
  Anchors anchors;
  must(anchors.file.create(Anchors::anchor(1), anchors.key));
  for (std::uint64_t n = 2; n < 5; ++n) {
    const Bytes before = anchors.content();
    const std::uint64_t syncs = anchors.files.syncs();
    must(anchors.file.write(Anchors::anchor(n), anchors.key));
    CHECK(anchors.files.syncs() - syncs == 1);
    const Bytes after = anchors.content();
    const bool first = !std::equal(before.begin(), before.begin() + kSector, after.begin());
    const bool second =
        !std::equal(before.begin() + kSector, before.end(), after.begin() + kSector);
    CHECK(first != second);
  }
}

TEST_CASE("with the newer sector torn the older one counts, and is not written over", "[anchor]") {
  Anchors anchors;
  must(anchors.file.create(Anchors::anchor(1), anchors.key));
  must(anchors.file.write(Anchors::anchor(2), anchors.key));  // sequence 3: sector 0
  anchors.damage(0);
  CHECK(must(anchors.file.read(vault_id(1))).generation == 1);
  const Bytes before = anchors.content();
  must(anchors.file.write(Anchors::anchor(3), anchors.key));
  CHECK(must(anchors.file.read(vault_id(1))).generation == 3);
  CHECK(std::equal(before.begin() + kSector, before.end(), anchors.content().begin() + kSector));
}

TEST_CASE("with the older sector torn nothing is lost", "[anchor]") {
  Anchors anchors;
  must(anchors.file.create(Anchors::anchor(1), anchors.key));
  must(anchors.file.write(Anchors::anchor(2), anchors.key));
  anchors.damage(1);
  CHECK(must(anchors.file.read(vault_id(1))).generation == 2);
}

TEST_CASE("with both sectors torn, or bytes missing, the anchor is corrupt", "[anchor]") {
  Anchors anchors;
  must(anchors.file.create(Anchors::anchor(1), anchors.key));
  SECTION("both torn") {
    anchors.damage(0);
    anchors.damage(1);
  }
  SECTION("empty") {
    anchors.set({});
  }
  SECTION("short of one sector") {
    const Bytes content = anchors.content();
    anchors.set(Bytes(content.begin(), content.begin() + kSector - 1));
  }
  SECTION("too long") {
    Bytes content = anchors.content();
    content.push_back(0);
    anchors.set(content);
  }
  CHECK_FAILS_WITH(anchors.file.read(vault_id(1)), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(anchors.file.write(Anchors::anchor(2), anchors.key), ErrorCode::kCorrupt);
}

TEST_CASE("an anchor of another vault is refused, and left alone", "[anchor]") {
  Anchors anchors;
  must(anchors.file.create(Anchors::anchor(1), anchors.key));
  const Bytes before = anchors.content();
  CHECK_FAILS_WITH(anchors.file.read(vault_id(2)), ErrorCode::kCorrupt);
  Anchor other = Anchors::anchor(2);
  other.vault = vault_id(2);
  CHECK_FAILS_WITH(anchors.file.write(other, anchors.key), ErrorCode::kCorrupt);
  CHECK(anchors.content() == before);
}

TEST_CASE("every changed bit of a sector is found", "[anchor]") {
  Anchors anchors;
  must(anchors.file.create(Anchors::anchor(1), anchors.key));
  const Bytes good = anchors.content();
  for (std::size_t offset = 0; offset < kSector; ++offset) {
    Bytes bad = good;
    bad[offset] ^= 0x10;
    bad[kSector + offset] ^= 0x10;
    anchors.set(bad);
    const auto read = anchors.file.read(vault_id(1));
    INFO("offset " << offset);
    // The authenticator is all that the checksum does not cover: that is checked with the key.
    CHECK((!read || !AnchorFile::authentic(*read, anchors.key)));
  }
}

TEST_CASE("an anchor made by somebody without the key is whole but not authentic", "[anchor]") {
  Anchors anchors;
  must(anchors.file.create(Anchors::anchor(9), named_key<AnchorRole>("other")));
  const Anchor read = must(anchors.file.read(vault_id(1)));
  CHECK(read.generation == 9);
  CHECK_FALSE(AnchorFile::authentic(read, anchors.key));
}

TEST_CASE("an anchor of a newer version is unsupported, not damaged", "[anchor]") {
  Anchors anchors;
  must(anchors.file.create(Anchors::anchor(1), anchors.key));
  Bytes content = anchors.content();
  content[9] = content[kSector + 9] = 2;
  anchors.set(content);
  CHECK_FAILS_WITH(anchors.file.read(vault_id(1)), ErrorCode::kUnsupported);
  CHECK_FAILS_WITH(anchors.file.write(Anchors::anchor(2), anchors.key), ErrorCode::kUnsupported);
  CHECK(anchors.content() == content);
}

TEST_CASE("a write that fails or is cut off leaves the last anchor", "[anchor]") {
  for (std::uint64_t n = 1;; ++n) {
    Anchors anchors;
    must(anchors.file.create(Anchors::anchor(1), anchors.key));
    must(anchors.file.write(Anchors::anchor(2), anchors.key));
    anchors.files.fail_from(n, ErrorCode::kIo);
    const auto written = anchors.file.write(Anchors::anchor(3), anchors.key);
    const bool failed = anchors.files.failed();
    anchors.files.fail_no_more();
    anchors.files.crash();
    INFO("operation " << n);
    CHECK(written.ok() == !failed);
    CHECK(must(anchors.file.read(vault_id(1))).generation == (failed ? 2U : 3U));
    if (!failed) break;
  }
}
