#include "keys/file_root.hpp"

#include <atomic>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "keys/file_contents.hpp"
#include "keys/sample_secrets.hpp"
#include "support/fault_file_system.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

struct Roots {
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  FaultFileSystem files;
  std::shared_ptr<const UnlockSecret> secret = key_file_secret("secret");
  FileRoot root{files, {folder / "roots", vault_id(1), false}, unlock_with(secret)};
  RootKey key = named_key<RootRole>("root");
  SlotName slot = slot_name(1, 0xA1);

  Roots() { must(root.prepare()); }

  std::set<std::string> names(const std::string& prefix) const {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "roots"))
      if (entry.path().filename().string().starts_with(prefix))
        found.insert(entry.path().filename().string());
    return found;
  }
  std::filesystem::path mirror(int n) const {
    for (const std::string& name : names("slot-"))
      if (name.ends_with("." + std::to_string(n))) return folder / "roots" / name;
    FAIL("no mirror " << n);
    return {};
  }
  // What somebody who has the secret, and took all files of the folder, can open: whatever their
  // names say.
  bool secret_is_somewhere(const SlotName& name) const {
    for (const auto& entry : std::filesystem::directory_iterator(folder / "roots"))
      for (std::uint8_t n = 0; n < kSlotMirrors; ++n)
        if (decode_slot({vault_id(1), name, n}, *secret, content_of(entry.path()))) return true;
    return false;
  }
};

}  // namespace

TEST_CASE("a slot is read back, and by another provider with the same secret", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  CHECK(same_key(must(roots.root.read(roots.slot)), roots.key));
  FileRoot other(posix_file_system(), {roots.folder / "roots", vault_id(1), false},
                 {roots.secret, {}});
  CHECK(same_key(must(other.read(roots.slot)), roots.key));
  CHECK(other.unlock().parameters->salt == roots.root.unlock().parameters->salt);
  CHECK(must(roots.root.list()) == std::vector<SlotName>{roots.slot});
  CHECK(roots.root.intact_mirrors(roots.slot) == 2);
}

TEST_CASE("either mirror opens the slot when the other is damaged or gone", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  const int broken = GENERATE(0, 1);
  const bool gone = GENERATE(false, true);
  const auto path = roots.mirror(broken);
  if (gone) {
    std::filesystem::remove(path);
  } else {
    Bytes content = content_of(path);
    content[1000] ^= 1;
    set_content(path, content);
  }
  CHECK(same_key(must(roots.root.read(roots.slot)), roots.key));
  CHECK(roots.root.intact_mirrors(roots.slot) == 1);
}

TEST_CASE("with both mirrors gone or damaged the slot does not open", "[root]") {
  Roots roots;
  CHECK_FAILS_WITH(roots.root.read(roots.slot), ErrorCode::kNotFound);
  must(roots.root.create(roots.slot, roots.key));
  const auto first = roots.mirror(0);
  const auto second = roots.mirror(1);
  set_content(first, Bytes(kSlotFileSize));
  SECTION("both damaged") {
    set_content(second, {});
    CHECK_FAILS_WITH(roots.root.read(roots.slot), ErrorCode::kCorrupt);
  }
  SECTION("one damaged, one gone") {
    std::filesystem::remove(second);
    CHECK_FAILS_WITH(roots.root.read(roots.slot), ErrorCode::kCorrupt);
  }
  SECTION("both gone") {
    std::filesystem::remove(first);
    std::filesystem::remove(second);
    CHECK_FAILS_WITH(roots.root.read(roots.slot), ErrorCode::kNotFound);
  }
  SECTION("one damaged, and the secret is another one") {
    roots.root.use(unlock_with(key_file_secret("other")));
    CHECK_FAILS_WITH(roots.root.read(roots.slot), ErrorCode::kWrongKey);
  }
}

TEST_CASE("a mirror put in the other's place is not taken for it", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  const Bytes first = content_of(roots.mirror(0));
  set_content(roots.mirror(1), first);
  CHECK(roots.root.intact_mirrors(roots.slot) == 1);
}

TEST_CASE("destroying overwrites the blocks that held the slot", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  const int mirror = GENERATE(0, 1);
  const Bytes before = content_of(roots.mirror(mirror));
  // Opened before: it sees the blocks, whatever becomes of the names.
  std::ifstream blocks(roots.mirror(mirror), std::ios::binary);
  const SlotDestruction done = must(roots.root.destroy(roots.slot));
  CHECK(done.complete());
  CHECK(done.mirrors == 2);
  Bytes after(kSlotFileSize);
  blocks.read(reinterpret_cast<char*>(after.data()), static_cast<std::streamsize>(after.size()));
  REQUIRE(blocks.gcount() == static_cast<std::streamsize>(kSlotFileSize));
  std::size_t same = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    same += before[i] == after[i] ? std::size_t{1} : 0;
  CHECK(same < kSlotFileSize / 100);
  CHECK(must(roots.root.list()).empty());
  CHECK_FAILS_WITH(roots.root.read(roots.slot), ErrorCode::kNotFound);
  CHECK_FALSE(roots.secret_is_somewhere(roots.slot));
}

TEST_CASE("destroying again says the same", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  must(roots.root.destroy(roots.slot));
  CHECK(must(roots.root.destroy(roots.slot)).complete());
}

TEST_CASE("a slot that somebody renamed is overwritten before it is called destroyed", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  for (const std::string& name : roots.names("slot-")) {
    const auto from = roots.folder / "roots" / name;
    std::filesystem::rename(from, from.parent_path() / ("gone-" + name.substr(5)));
  }
  REQUIRE(roots.secret_is_somewhere(roots.slot));
  CHECK(must(roots.root.destroy(roots.slot)).complete());
  CHECK_FALSE(roots.secret_is_somewhere(roots.slot));
}

TEST_CASE("I7: a slot with a missing mirror is destroyed but not called complete", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  std::filesystem::remove(roots.mirror(1));
  const SlotDestruction done = must(roots.root.destroy(roots.slot));
  CHECK_FALSE(done.complete());
  CHECK(done.mirrors == 1);
  CHECK(done.gone);
  CHECK_FALSE(must(roots.root.destroy(slot_name(9, 9))).complete());
}

TEST_CASE("the room of a destroyed slot is used for the next one", "[root]") {
  Roots roots;
  CHECK(roots.names("gone-").size() == 4);
  must(roots.root.create(roots.slot, roots.key));
  CHECK(roots.names("gone-").size() == 2);
  for (std::uint8_t n = 2; n < 8; ++n) {
    must(roots.root.create(slot_name(n, n), roots.key));
    must(roots.root.destroy(slot_name(n, n)));
    CHECK(roots.names("gone-").size() == 2);
  }
  CHECK(roots.names("slot-").size() == 2);
}

TEST_CASE("without any room files are made", "[root]") {
  Roots roots;
  for (const std::string& name : roots.names("gone-"))
    std::filesystem::remove(roots.folder / "roots" / name);
  must(roots.root.create(roots.slot, roots.key));
  CHECK(same_key(must(roots.root.read(roots.slot)), roots.key));
}

TEST_CASE("torn slots of any size are listed and destroyed", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  const auto first = roots.mirror(0);
  const auto second = roots.mirror(1);
  const std::size_t size = GENERATE(0, 1, 511, 32767, 32769, 100000);
  set_content(first, Bytes(size, 0x55));
  if (size % 2 == 1) std::filesystem::remove(second);
  CHECK(must(roots.root.list()) == std::vector<SlotName>{roots.slot});
  CHECK(must(roots.root.destroy(roots.slot)).gone);
  CHECK(must(roots.root.list()).empty());
  for (const auto& entry : std::filesystem::directory_iterator(roots.folder / "roots")) {
    const Bytes content = content_of(entry.path());
    CHECK(std::count(content.begin(), content.end(), 0x55) <
          static_cast<std::ptrdiff_t>(kSlotFileSize / 50));
  }
  // What is left of it must not stand in the way of the next slot.
  must(roots.root.create(slot_name(2, 2), roots.key));
  CHECK(roots.root.intact_mirrors(slot_name(2, 2)) == 2);
}

TEST_CASE("a torn slot of no size is destroyed on a full disk", "[root]") {
  Roots roots;
  for (const std::string& name : roots.names("gone-"))
    std::filesystem::remove(roots.folder / "roots" / name);
  // Every write that would need a block fails.
  set_content(roots.folder / "roots" / "slot-0000000000000001-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1.0",
              {});
  const std::uint64_t written = roots.files.bytes_written();
  CHECK(must(roots.root.destroy(roots.slot)).gone);
  CHECK(roots.files.bytes_written() == written);
  CHECK(must(roots.root.list()).empty());
}

TEST_CASE("foreign files are neither listed nor touched", "[root]") {
  Roots roots;
  const std::vector<std::string> foreign = {
      "slot-",
      "slot-1-2.0",
      "slot-0000000000000001-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1.2",
      "slot-0000000000000001-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1.0~",
      "slot-0000000000000001-A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1.0",
      "slot-000000000000000g-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1.0",
      "anchor",
      "notes.txt"};
  for (const std::string& name : foreign) set_content(roots.folder / "roots" / name, {1, 2, 3});
  CHECK(must(roots.root.list()).empty());
  must(roots.root.create(roots.slot, roots.key));
  must(roots.root.destroy(roots.slot));
  must(roots.root.remove_remains());
  for (const std::string& name : foreign)
    CHECK(content_of(roots.folder / "roots" / name) == Bytes{1, 2, 3});
}

TEST_CASE("two vaults under one base do not see each other's slots", "[root]") {
  TemporaryFolder base(TemporaryFolder::in_memory());
  const auto secret = key_file_secret("secret");
  FileRoot one(posix_file_system(), {base / "one", vault_id(1), false}, unlock_with(secret));
  FileRoot two(posix_file_system(), {base / "two", vault_id(2), false}, unlock_with(secret));
  must(one.prepare());
  must(two.prepare());
  const SlotName slot = slot_name(1, 1);
  must(one.create(slot, named_key<RootRole>("one")));
  CHECK(must(two.list()).empty());
  CHECK_FAILS_WITH(two.read(slot), ErrorCode::kNotFound);
  // Not even when its files are put there.
  for (const auto& entry : std::filesystem::directory_iterator(base / "one"))
    if (entry.path().filename().string().starts_with("slot-"))
      std::filesystem::copy(entry.path(), base / "two");
  CHECK_FAILS_WITH(two.read(slot), ErrorCode::kCorrupt);
}

TEST_CASE("making and destroying a slot cost three syncs each", "[root]") {
  Roots roots;
  std::uint64_t before = roots.files.syncs();
  must(roots.root.create(roots.slot, roots.key));
  CHECK(roots.files.syncs() - before == 3);
  before = roots.files.syncs();
  const std::uint64_t written = roots.files.bytes_written();
  must(roots.root.destroy(roots.slot));
  CHECK(roots.files.syncs() - before == 3);
  CHECK(roots.files.bytes_written() - written == 2 * kSlotFileSize);
}

TEST_CASE("a slot that could not be made is found and destroyed, wherever it failed", "[root]") {
  const bool crash = GENERATE(false, true);
  const bool with_room = GENERATE(false, true);
  for (std::uint64_t n = 1;; ++n) {
    Roots roots;
    if (!with_room)
      for (const std::string& name : roots.names("gone-"))
        must(roots.files.remove(roots.folder / "roots" / name));
    must(roots.files.sync_folder(roots.folder / "roots"));
    roots.files.fail_from(n, n % 2 == 0 ? ErrorCode::kIo : ErrorCode::kFull);
    const auto made = roots.root.create(roots.slot, roots.key);
    const bool failed = roots.files.failed();
    roots.files.fail_no_more();
    if (crash) roots.files.crash();
    INFO("operation " << n << (crash ? ", then a crash" : ""));
    CHECK(made.ok() == !failed);
    if (!failed) {
      CHECK(same_key(must(roots.root.read(roots.slot)), roots.key));
      break;
    }
    for (const SlotName& slot : must(roots.root.list())) CHECK(must(roots.root.destroy(slot)).gone);
    CHECK(must(roots.root.list()).empty());
    // C4: no file may keep it, under no name.
    CHECK_FALSE(roots.secret_is_somewhere(roots.slot));
    must(roots.root.create(slot_name(2, 2), roots.key));
    CHECK(roots.root.intact_mirrors(slot_name(2, 2)) == 2);
  }
}

TEST_CASE("a slot that could not be destroyed stays listed until it is", "[root]") {
  const bool crash = GENERATE(false, true);
  for (std::uint64_t n = 1;; ++n) {
    Roots roots;
    must(roots.root.create(roots.slot, roots.key));
    roots.files.fail_from(n, ErrorCode::kIo);
    const auto done = roots.root.destroy(roots.slot);
    const bool failed = roots.files.failed();
    roots.files.fail_no_more();
    if (crash) roots.files.crash();
    INFO("operation " << n << (crash ? ", then a crash" : ""));
    CHECK(done.ok() == !failed);
    if (roots.secret_is_somewhere(roots.slot))
      CHECK(must(roots.root.list()) == std::vector<SlotName>{roots.slot});
    CHECK(must(roots.root.destroy(roots.slot)).complete());
    CHECK_FALSE(roots.secret_is_somewhere(roots.slot));
    if (!failed) break;
  }
}

TEST_CASE("every block of a created slot is on the device", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  roots.files.crash();
  CHECK(roots.root.intact_mirrors(roots.slot) == 2);
}

TEST_CASE("the assurance names the medium and what weakens it", "[root]") {
  Roots roots;
  CHECK(roots.root.assurance().known);
  CHECK(roots.root.assurance().text.find("tmpfs") != std::string::npos);
  FileRoot inside(posix_file_system(), {roots.folder / "roots", vault_id(1), true}, {});
  CHECK(inside.assurance().text.find("inside the vault") != std::string::npos);
}

TEST_CASE("threads read slots side by side", "[root][concurrent]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const auto key = roots.root.read(roots.slot);
        if (!key || !same_key(*key, roots.key) || !roots.root.unlock().parameters) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("remove_remains leaves no slot and no room", "[root]") {
  Roots roots;
  must(roots.root.create(roots.slot, roots.key));
  must(roots.root.destroy(roots.slot));
  must(roots.root.remove_remains());
  CHECK(roots.names("gone-").empty());
  CHECK(roots.names("slot-").empty());
}
