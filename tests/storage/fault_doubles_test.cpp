#include "storage/stores.hpp"
#include "support/fault_control_store.hpp"
#include "support/fault_file_system.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

using Open = FileSystem::Open;

std::string text_in(const std::filesystem::path& path) {
  return text_of(content_of(path));
}

}  // namespace

TEST_CASE("a crash forgets a file that was not synced, and a name whose folder was not") {
  TemporaryFolder folder;
  FaultFileSystem files;
  const auto write = [&](const std::string& name, bool sync) {
    const auto file = must(files.open(folder / name, Open::kCreate));
    must(file->write_at(0, as_bytes(name)));
    if (sync) must(file->sync());
  };
  write("synced", true);
  write("unsynced", false);
  must(files.sync_folder(folder.path()));
  write("nameless", true);
  files.crash();
  CHECK(text_in(folder / "synced") == "synced");
  CHECK(text_in(folder / "unsynced").empty());
  CHECK_FALSE(std::filesystem::exists(folder / "nameless"));
}

TEST_CASE("a crash brings back what was overwritten, renamed or removed and not synced") {
  TemporaryFolder folder;
  for (const char* name : {"overwritten", "renamed", "removed", "target"})
    set_content(folder / name, {'o', 'l', 'd'});
  FaultFileSystem files;
  const auto overwritten = must(files.open(folder / "overwritten", Open::kReadWrite));
  must(overwritten->write_at(0, as_bytes("new")));
  must(files.rename(folder / "renamed", folder / "target"));
  must(files.remove(folder / "removed"));
  SECTION("nothing synced") {
    files.crash();
    for (const char* name : {"overwritten", "renamed", "removed", "target"})
      CHECK(text_in(folder / name) == "old");
  }
  SECTION("all synced") {
    must(overwritten->sync());
    must(files.sync_folder(folder.path()));
    files.crash();
    CHECK(text_in(folder / "overwritten") == "new");
    CHECK_FALSE(std::filesystem::exists(folder / "renamed"));
    CHECK_FALSE(std::filesystem::exists(folder / "removed"));
    CHECK(std::filesystem::exists(folder / "target"));
  }
  CHECK_FAILS_WITH(overwritten->write_at(0, as_bytes("x")), ErrorCode::kIo);
  // Life goes on after a crash, and a second one counts from there.
  must(write_file(files, folder / "overwritten", as_bytes("after")));
  files.crash();
  CHECK(text_in(folder / "overwritten") == "after");
}

TEST_CASE("write_file is atomic whichever step fails and whether or not the power goes") {
  const bool crash = GENERATE(false, true);
  for (std::uint64_t step = 1;; ++step) {
    TemporaryFolder folder;
    set_content(folder / "file", {'o', 'l', 'd'});
    FaultFileSystem files;
    files.fail_at(step, ErrorCode::kIo);
    const Result<void> written = write_file(files, folder / "file", as_bytes("new"));
    const bool failed = files.failed();
    files.fail_no_more();
    if (crash) files.crash();
    const std::string found = text_in(folder / "file");
    INFO("step " << step);
    CHECK((found == "old" || found == "new"));
    if (written) CHECK(found == "new");
    if (!failed) {
      must(written);
      CHECK(step > 6);
      CHECK(files.syncs() == 2);
      CHECK(files.bytes_written() == 3);
      break;
    }
    must(write_file(files, folder / "file", as_bytes("next")));
    CHECK(text_in(folder / "file") == "next");
  }
}

TEST_CASE("a write that is made to fail is torn, and a dead device stays dead") {
  TemporaryFolder folder;
  FaultFileSystem files;
  const auto file = must(files.open(folder / "file", Open::kCreate));
  files.fail_at(1, ErrorCode::kFull);
  CHECK_FAILS_WITH(file->write_at(0, as_bytes("12345678")), ErrorCode::kFull);
  CHECK(text_in(folder / "file") == "1234");
  must(file->write_at(0, as_bytes("12345678")));
  files.fail_from(2, ErrorCode::kIo);
  must(file->size());
  CHECK_FAILS_WITH(file->size(), ErrorCode::kIo);
  CHECK_FAILS_WITH(files.exists(folder / "file"), ErrorCode::kIo);
  CHECK_FAILS_WITH(file->sync(), ErrorCode::kIo);
  files.fail_no_more();
  CHECK_FAILS_WITH(file->write_at(0, as_bytes("x")), ErrorCode::kIo);  // its sync failed
  CHECK(must(files.exists(folder / "file")));
}

TEST_CASE("an update can be made to fail with each outcome, and is remembered") {
  TemporaryFolder folder;
  const auto real = must(open_lmdb_control(folder / "control.mdb", making()));
  FaultControlStore store(*real);
  must(put(store, "a", "1"));
  SECTION("refused") {
    store.fail_at(2, UpdateFault::kRefused, ErrorCode::kBusy);
    must(put(store, "a", "2"));
    CHECK_FAILS_WITH(put(store, "a", "3"), ErrorCode::kBusy);
    CHECK(value_of(store, "a") == "2");
    must(put(store, "a", "4"));
    CHECK(store.updates() == 4);
  }
  SECTION("unknown, and it happened") {
    store.fail_at(1, UpdateFault::kUnknownCommitted);
    CHECK_FAILS_WITH(put(store, "a", "2"), ErrorCode::kUnavailable);
    CHECK_FAILS_WITH(put(store, "a", "3"), ErrorCode::kUnavailable);
    CHECK_FAILS_WITH(store.read([](ControlReader&) -> Result<void> { return {}; }),
                     ErrorCode::kUnavailable);
    store.reopen();
    CHECK(value_of(store, "a") == "2");
  }
  SECTION("unknown, and it did not happen") {
    store.fail_at(1, UpdateFault::kUnknownLost);
    CHECK_FAILS_WITH(put(store, "a", "2"), ErrorCode::kUnavailable);
    store.reopen();
    CHECK(value_of(store, "a") == "1");
    const auto versions = store.versions();
    REQUIRE(versions.size() == 2);
    CHECK(versions[0].committed);
    CHECK_FALSE(versions[1].committed);
    CHECK(text_of(versions[1].key) == "a");
    CHECK(text_of(versions[1].value) == "2");
  }
  CHECK(store.failed());
}
