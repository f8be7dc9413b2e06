#include <quietus/trust.hpp>

#include <filesystem>
#include <fstream>

#include "base/text_encoding.hpp"
#include "evidence/cosignature.hpp"
#include "evidence/log_tiles.hpp"
#include "evidence/sample_log.hpp"
#include "storage/file.hpp"
#include "support/mentions.hpp"
#include "support/temporary_folder.hpp"

namespace quietus::test {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, ByteView content) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(content.data()),
             static_cast<std::streamsize>(content.size()));
  REQUIRE(file.good());
}
Bytes get(const fs::path& path) {
  return must(read_file(posix_file_system(), path, 1 << 26));
}
void flip(const fs::path& path, std::size_t at) {
  Bytes content = get(path);
  content.at(at) ^= 1;
  put(path, content);
}

// A log of 70,000 entries would be slow here: 600 have full and partial tiles on two levels.
struct Folder {
  explicit Folder(std::size_t size, const std::string& story = "entry") : log(size, story) {
    for (std::uint8_t level = 0; level < kTileLevels; ++level)
      for (std::uint64_t i = 0; i < tile_count(size, level); ++i) write(tile_at(size, level, i));
    put(folder / "checkpoint", as_bytes(log.note(size)));
  }
  void write(const Tile& tile) {
    put(folder.path() / tile_path(tile), must(read_tile(log.store(), tile)));
    if (tile.level == 0)
      put(folder.path() / bundle_path(tile), must(read_bundle(log.store(), log.seal(), tile)));
  }
  Result<VerifiedLog> verify(const LogExpectations& expectations = {}) const {
    return verify_log_folder(folder.path(), expectations);
  }
  Trust trust(const std::string& quorum = "quorum none\n") const {
    return must(Trust::parse("log " + log.vkey() + "\n" + quorum));
  }

  TemporaryFolder folder{TemporaryFolder::in_memory()};
  SampleLog log;
};

TEST_CASE("paths of tiles are those of the specification", "[tiles]") {
  CHECK(tile_path({0, 0, 256}) == "tile/0/000");
  CHECK(tile_path({0, 1234067, 256}) == "tile/0/x001/x234/067");
  CHECK(tile_path({1, 999, 17}) == "tile/1/999.p/17");
  CHECK(tile_path({2, 1000, 1}) == "tile/2/x001/000.p/1");
  CHECK(bundle_path({0, 273, 112}) == "tile/entries/273.p/112");
}

TEST_CASE("tiles of a size are those of the specification's examples", "[tiles]") {
  CHECK(tile_count(70000, 0) == 274);
  CHECK(tile_at(70000, 0, 272) == Tile{0, 272, 256});
  CHECK(tile_at(70000, 0, 273) == Tile{0, 273, 112});
  CHECK(tile_count(70000, 1) == 2);
  CHECK(tile_at(70000, 1, 1) == Tile{1, 1, 17});
  CHECK(tile_count(70000, 2) == 1);
  CHECK(tile_at(70000, 2, 0) == Tile{2, 0, 1});
  CHECK(tile_count(70000, 3) == 0);
  CHECK(tile_count(256, 0) == 1);
  CHECK(tile_at(256, 1, 0) == Tile{1, 0, 1});
  CHECK(tile_count(0, 0) == 0);
  CHECK(tile_count(kMaxTreeSize, 7) == 1);
}

TEST_CASE("an exported log verifies at every kind of size", "[tiles]") {
  for (const std::size_t size : {0, 1, 2, 255, 256, 257, 512, 600}) {
    INFO(size);
    const Folder exported(size);
    const VerifiedLog log = must(exported.verify({exported.trust(), {}}));
    CHECK(log.head.size == size);
    CHECK(log.head.origin == "log.example");
    CHECK(log.head.log_vkey == exported.log.vkey());
    CHECK_FALSE(log.older);
  }
}

TEST_CASE("entries lie in bundles as they were logged", "[tiles]") {
  Folder exported(2);
  const Bytes bundle = get(exported.folder.path() / "tile/entries/000.p/2");
  CHECK(as_text(bundle) == std::string("\0\x07"
                                       "entry 0\0\x07"
                                       "entry 1",
                                       18));
  Bytes leaves;
  for (const char* entry : {"entry 0", "entry 1"}) {
    const Hash hash = leaf_hash(as_bytes(entry));
    leaves.insert(leaves.end(), hash.begin(), hash.end());
  }
  CHECK(get(exported.folder.path() / "tile/0/000.p/2") == leaves);
}

TEST_CASE("what nobody checked is said", "[tiles]") {
  const Folder exported(3);
  const VerifiedLog blind = must(exported.verify());
  CHECK(blind.head.log_vkey.empty());
  REQUIRE(blind.not_checked.size() == 4);
  CHECK(mentions(blind.not_checked[0], "no trust file was given"));
  CHECK(mentions(blind.not_checked[2], "no older checkpoint"));
}

TEST_CASE("a log goes on from its older checkpoints", "[tiles]") {
  Folder exported(600);
  for (const std::uint64_t size : {0, 1, 255, 256, 300, 599, 600}) {
    INFO(size);
    const VerifiedLog log = must(exported.verify({exported.trust(), exported.log.note(size)}));
    REQUIRE(log.older);
    CHECK(log.older->size == size);
  }
}

struct FolderDamage {
  const char* name;
  void (*apply)(Folder& folder);
  ErrorCode code;
  const char* named;  // in the error
};

// Each to an exported log of 600 entries.
constexpr auto kUnverified = ErrorCode::kUnverified;

std::vector<FolderDamage> gaps() {
  return {
      {"no checkpoint", [](Folder& f) { fs::remove(f.folder / "checkpoint"); },
       ErrorCode::kNotFound, "not finished"},
      {"a bundle is gone", [](Folder& f) { fs::remove(f.folder / "tile/entries/001"); },
       kUnverified, "gap: no entries 256 to 511 (tile/entries/001)"},
      {"the last bundle is gone",
       [](Folder& f) { fs::remove_all(f.folder / "tile/entries/002.p"); }, kUnverified,
       "gap: no entries 512 to 599"},
      {"a bundle is cut short",
       [](Folder& f) {
         Bytes bundle = get(f.folder / "tile/entries/001");
         bundle.pop_back();
         put(f.folder / "tile/entries/001", bundle);
       },
       kUnverified, "gap: no entry 511, or cut short"},
      {"a bundle has one entry more",
       [](Folder& f) {
         Bytes bundle = get(f.folder / "tile/entries/001");
         bundle.insert(bundle.end(), {0, 1, 'x'});
         put(f.folder / "tile/entries/001", bundle);
       },
       kUnverified, "holds more than entries 256 to 511"},
      {"a tile is gone", [](Folder& f) { fs::remove(f.folder / "tile/0/001"); }, kUnverified,
       "gap: no hashes (tile/0/001)"},
      {"an upper tile is gone", [](Folder& f) { fs::remove_all(f.folder / "tile/1"); }, kUnverified,
       "gap: no hashes (tile/1/000.p/2)"},
      {"a tile is cut short",
       [](Folder& f) { put(f.folder / "tile/0/001", Bytes(255 * sizeof(Hash))); }, kUnverified,
       "gap: tile/0/001 does not hold 256 hashes"},
  };
}

std::vector<FolderDamage> forgeries() {
  return {
      {"an entry is rewritten", [](Folder& f) { flip(f.folder / "tile/entries/000", 2); },
       kUnverified, "rewritten: log entry 0 is not what hash 0 in tile/0/000"},
      {"the last entry is rewritten",
       [](Folder& f) {
         const fs::path path = f.folder / "tile/entries/002.p/88";
         flip(path, get(path).size() - 1);
       },
       kUnverified, "rewritten: log entry 599"},
      {"a hash is rewritten",
       [](Folder& f) { flip(f.folder / "tile/0/001", std::size_t{44} * 32); }, kUnverified,
       "rewritten: log entry 300"},
      {"an upper hash is rewritten", [](Folder& f) { flip(f.folder / "tile/1/000.p/2", 32); },
       kUnverified, "hash 1 in tile/1/000.p/2"},
      {"everything is rewritten but the checkpoint",
       [](Folder& f) {
         const std::string note = f.log.note(600);
         Folder other(600, "another story");
         fs::copy(other.folder / "tile", f.folder / "tile",
                  fs::copy_options::recursive | fs::copy_options::overwrite_existing);
       },
       kUnverified, "rewritten: the entries hash to another root"},
      {"the checkpoint is not by the log",
       [](Folder& f) {
         put(f.folder / "checkpoint",
             as_bytes(must(sign_checkpoint(f.log.checkpoint(600), signing_key("stranger")))));
       },
       kUnverified, "not signed by a known key"},
      {"the checkpoint has a size that cannot be",
       [](Folder& f) {
         const Checkpoint huge{"log.example", {kMaxTreeSize, f.log.checkpoint(600).head.root}};
         put(f.folder / "checkpoint",
             as_bytes(must(sign_checkpoint(huge, signing_key("log.example")))));
       },
       kUnverified, "gap: no hashes (tile/1/000)"},
      {"the checkpoint is nonsense",
       [](Folder& f) { put(f.folder / "checkpoint", as_bytes("nonsense")); }, kUnverified,
       "checkpoint: note is not plain text"},
  };
}

void check_named(const std::vector<FolderDamage>& damages) {
  for (const FolderDamage& damage : damages) {
    INFO(damage.name);
    Folder exported(600);
    const LogExpectations expectations{exported.trust(), {}};
    must(exported.verify(expectations));
    damage.apply(exported);
    const Result<VerifiedLog> verdict = exported.verify(expectations);
    INFO(describe(verdict));
    REQUIRE_FALSE(verdict.ok());
    CHECK(verdict.error().code() == damage.code);
    CHECK(mentions(verdict.error().context(), damage.named));
  }
}

TEST_CASE("what is missing from an exported log is named", "[tiles]") {
  check_named(gaps());
}

TEST_CASE("what was rewritten in an exported log is named", "[tiles]") {
  check_named(forgeries());
}

std::string why(const Result<VerifiedLog>& verdict, ErrorCode code) {
  INFO(describe(verdict));
  REQUIRE_FALSE(verdict.ok());
  CHECK(verdict.error().code() == code);
  return verdict.error().context();
}

TEST_CASE("I3: a log that was forked, cut or exchanged is named so", "[tiles]") {
  Folder exported(300);
  SampleLog forked(400, "another story");
  const auto against = [&](const std::string& note) {
    return exported.verify({exported.trust(), note});
  };
  CHECK(
      mentions(why(against(forked.note(7)), ErrorCode::kUnverified), "fork: the first 7 entries"));
  CHECK(mentions(why(against(forked.note(300)), ErrorCode::kUnverified),
                 "fork: the first 300 entries"));
  SampleLog longer(301);
  CHECK(mentions(why(against(longer.note(301)), ErrorCode::kRolledBack),
                 "rolled back: the log has 300 entries, the older checkpoint 301"));
  SampleLog other(7, "entry", "other.example");
  CHECK(mentions(why(against(other.note(7)), ErrorCode::kUnverified), "older checkpoint: "));
  CHECK(mentions(why(exported.verify({{}, other.note(7)}), ErrorCode::kUnverified),
                 "older checkpoint is of another log"));
  CHECK(mentions(why(against(""), ErrorCode::kUnverified), "older checkpoint: "));
}

TEST_CASE("the quorum is asked of the newest checkpoint", "[tiles]") {
  Folder exported(9);
  const NoteKey witness{"w", ed25519_public_key(signing_key("w")), NoteKeyType::kCosignature};
  const Trust trust = exported.trust("witness w " + format_vkey(witness) + "\nquorum w\n");
  CHECK(mentions(why(exported.verify({trust, {}}), ErrorCode::kUnverified), "quorum w is not met"));
  put(exported.folder / "checkpoint",
      as_bytes(exported.log.note(9) +
               must(cosign_text(format_checkpoint(exported.log.checkpoint(9)), "w",
                                signing_key("w"), 1772368205))));
  const VerifiedLog log = must(exported.verify({trust, exported.log.note(3)}));
  REQUIRE(log.head.witnesses.size() == 1);
  CHECK(log.head.witnesses[0].witness == "w");
}

}  // namespace
}  // namespace quietus::test
