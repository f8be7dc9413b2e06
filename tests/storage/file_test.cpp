#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "storage/file.hpp"
#include "storage/medium.hpp"
#include "storage/stores.hpp"
#include "storage/system_faults.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

using Open = FileSystem::Open;
using Answer = MediumDescription::Answer;

FileSystem& files() {
  return posix_file_system();
}

std::string read_text(File& file, std::uint64_t offset, std::size_t size) {
  Bytes bytes(size);
  must(file.read_at(offset, bytes));
  return text_of(bytes);
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("what is written to a file is read from it") {
  TemporaryFolder folder;
  const auto path = folder / "file";
  {
    const auto file = must(files().open(path, Open::kCreate));
    must(file->write_at(0, as_bytes("hello")));
    must(file->write_at(8, as_bytes("world")));
    must(file->sync());
    CHECK(must(file->size()) == 13);
    CHECK(read_text(*file, 0, 5) == "hello");
  }
  CHECK(mode_of(path) == 0600);
  const auto file = must(files().open(path, Open::kReadWrite));
  must(file->write_at(5, as_bytes("...")));
  must(file->sync());
  CHECK(read_text(*must(files().open(path, Open::kRead)), 0, 13) == "hello...world");
  Bytes beyond(14);
  CHECK_FAILS_WITH(file->read_at(0, beyond), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(file->read_at(100, beyond), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(file->write_at(~std::uint64_t{0}, as_bytes("x")), ErrorCode::kFull);
}

TEST_CASE("opening says what stands in the way") {
  TemporaryFolder folder;
  const auto path = folder / "file";
  CHECK_FAILS_WITH(files().open(path, Open::kRead), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(files().open(path, Open::kReadWrite), ErrorCode::kNotFound);
  must(files().open(path, Open::kCreate));
  CHECK_FAILS_WITH(files().open(path, Open::kCreate), ErrorCode::kAlreadyExists);
  std::filesystem::create_symlink(path, folder / "link");
  CHECK_FAILS_WITH(files().open(folder / "link", Open::kReadWrite), ErrorCode::kIo);
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_FAILS_WITH(files().open(folder / "pipe", Open::kRead), ErrorCode::kIo);
  CHECK_FAILS_WITH(files().open(folder.path(), Open::kRead), ErrorCode::kIo);
  const auto only_read = must(files().open(path, Open::kRead));
  CHECK_FAILS_WITH(only_read->write_at(0, as_bytes("x")), ErrorCode::kIo);
}

TEST_CASE("files are closed when a program is started, and when they are dropped") {
  TemporaryFolder folder;
  const std::size_t before = open_descriptors();
  {
    const auto file = must(files().open(folder / "file", Open::kCreate));
    CHECK(open_descriptors() == before + 1);
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry.path(), gone) != folder / "file") continue;
      CHECK((fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) != 0);
    }
  }
  CHECK_FAILS_WITH(files().open(folder / "file", Open::kCreate), ErrorCode::kAlreadyExists);
  CHECK_FAILS_WITH(files().open(folder.path(), Open::kRead), ErrorCode::kIo);
  CHECK(open_descriptors() == before);
}

TEST_CASE("interrupted and short writes are continued, real errors are not") {
  TemporaryFolder folder;
  const std::string content(10000, 'x');
  const auto file = must(files().open(folder / "file", Open::kCreate));
  for (const int error : {EINTR, kShortWrite}) {
    fail_call(SystemCall::kPageWrite, 1, error);
    must(file->write_at(8192, as_bytes(content)));
    CHECK(read_text(*file, 8192, content.size()) == content);
  }
  fail_call(SystemCall::kPageWrite, 1, ENOSPC);
  CHECK_FAILS_WITH(file->write_at(8192, as_bytes(content)), ErrorCode::kFull);
  fail_call(SystemCall::kPageWrite, 1, EIO);
  CHECK_FAILS_WITH(file->write_at(8192, as_bytes(content)), ErrorCode::kIo);
  must(file->write_at(8192, as_bytes(content)));
}

TEST_CASE("after a failed sync a file refuses everything") {
  TemporaryFolder folder;
  const auto path = folder / "file";
  {
    const auto fresh = must(files().open(path, Open::kCreate));
    must(fresh->write_at(0, as_bytes("hello")));
    // A new file is synced whole, and only its first time.
    fail_call(SystemCall::kDataSync, 1, EIO);
    must(fresh->sync());
    CHECK_FAILS_WITH(fresh->sync(), ErrorCode::kIo);
    CHECK_FAILS_WITH(fresh->sync(), ErrorCode::kIo);
    Bytes bytes(5);
    CHECK_FAILS_WITH(fresh->read_at(0, bytes), ErrorCode::kIo);
    CHECK_FAILS_WITH(fresh->write_at(0, as_bytes("x")), ErrorCode::kIo);
    CHECK_FAILS_WITH(fresh->size(), ErrorCode::kIo);
    CHECK_FAILS_WITH(fresh->deallocate(), ErrorCode::kIo);
  }
  const auto file = must(files().open(path, Open::kReadWrite));
  fail_call(SystemCall::kDataSync, 1, EINTR);
  must(file->sync());
  fail_no_calls();
}

TEST_CASE("the blocks of a file are given back and its length stays") {
  TemporaryFolder folder;
  const auto path = folder / "file";
  const auto file = must(files().open(path, Open::kCreate));
  CHECK(must(file->deallocate()));
  must(file->write_at(0, as_bytes(std::string(32768, 'x'))));
  must(file->sync());
  if (!must(file->deallocate())) {
    WARN("skipped: the file system does not punch holes");
    return;
  }
  CHECK(must(file->size()) == 32768);
  CHECK(read_text(*file, 0, 32768) == std::string(32768, '\0'));
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK(status.st_blocks == 0);
}

TEST_CASE("names are made, listed, renamed and removed") {
  TemporaryFolder folder;
  CHECK(must(files().list(folder.path())).empty());
  CHECK_FAILS_WITH(files().list(folder / "none"), ErrorCode::kNotFound);
  for (const char* name : {"c", "a", "b"}) must(files().open(folder / name, Open::kCreate));
  CHECK(must(files().list(folder.path())) == std::vector<std::string>{"a", "b", "c"});
  CHECK_FAILS_WITH(files().list(folder / "a"), ErrorCode::kIo);
  must(files().rename(folder / "a", folder / "b"));
  CHECK_FAILS_WITH(files().rename(folder / "a", folder / "b"), ErrorCode::kNotFound);
  CHECK(must(files().list(folder.path())) == std::vector<std::string>{"b", "c"});
  CHECK(must(files().exists(folder / "b")));
  CHECK_FALSE(must(files().exists(folder / "a")));
  CHECK_FALSE(must(files().exists(folder / "b" / "c")));
  must(files().remove(folder / "b"));
  CHECK_FAILS_WITH(files().remove(folder / "b"), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(files().remove(folder.path()), ErrorCode::kIo);
  std::filesystem::create_symlink(folder / "nowhere", folder / "dangling");
  CHECK(must(files().exists(folder / "dangling")));
}

TEST_CASE("folders are made with their parents, for their owner only") {
  TemporaryFolder folder;
  const auto deep = folder / "one" / "two" / "three";
  must(files().make_folder(deep));
  must(files().make_folder(deep));
  must(files().make_folder(folder / "four/"));
  for (const auto& made : {deep, deep.parent_path(), folder / "four"}) CHECK(mode_of(made) == 0700);
  must(files().open(folder / "file", Open::kCreate));
  CHECK_FAILS_WITH(files().make_folder(folder / "file"), ErrorCode::kIo);
  CHECK_FAILS_WITH(files().make_folder(folder / "file" / "below"), ErrorCode::kIo);
  must(files().sync_folder(deep));
  CHECK_FAILS_WITH(files().sync_folder(folder / "none"), ErrorCode::kNotFound);
  fail_call(SystemCall::kSync, 1, EIO);
  CHECK_FAILS_WITH(files().sync_folder(deep), ErrorCode::kIo);
}

TEST_CASE("small files are written whole and read whole") {
  TemporaryFolder folder;
  const auto path = folder / "file";
  must(write_file(files(), path, as_bytes("first")));
  set_content(folder / "file.new", Bytes(100, 'x'));  // what an interrupted call left
  must(write_file(files(), path, as_bytes("second")));
  CHECK(text_of(must(read_file(files(), path, 6))) == "second");
  CHECK_FAILS_WITH(read_file(files(), path, 5), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(read_file(files(), folder / "none", 5), ErrorCode::kNotFound);
  CHECK(must(files().list(folder.path())) == std::vector<std::string>{"file"});
  CHECK(mode_of(path) == 0600);
  fail_call(SystemCall::kSync, 1, EIO);
  CHECK_FAILS_WITH(write_file(files(), path, as_bytes("third")), ErrorCode::kIo);
  CHECK(text_of(must(read_file(files(), path, 6))) == "second");
  CHECK(must(files().list(folder.path())) == std::vector<std::string>{"file"});
}

TEST_CASE("what is known of file systems is said, and nothing else") {
  CHECK(describe_file_system(0xEF53).overwrites_in_place == Answer::kYes);
  CHECK(describe_file_system(0x58465342).file_system == "xfs");
  CHECK(describe_file_system(0x9123683E).file_system == "btrfs");
  for (const std::uint64_t magic : {0x9123683EU, 0x2FC12FC1U, 0xCA451A4EU, 0xF2F52010U, 0x3434U})
    CHECK(describe_file_system(magic).overwrites_in_place == Answer::kNo);
  CHECK(describe_file_system(0x794C7630).overwrites_in_place == Answer::kUnknown);
  CHECK(describe_file_system(0x65735546).local == Answer::kUnknown);
  CHECK(describe_file_system(0x6969).local == Answer::kNo);
  CHECK(describe_file_system(0xFF534D42).local == Answer::kNo);
  const MediumDescription unknown = describe_file_system(0x12345);
  CHECK(unknown.file_system == "unknown (0x12345)");
  CHECK(unknown.overwrites_in_place == Answer::kUnknown);
  CHECK(unknown.local == Answer::kUnknown);
  CHECK(unknown.rotational == Answer::kUnknown);
}

TEST_CASE("a path is described by the file system under it, there or not yet") {
  TemporaryFolder folder;
  const MediumDescription here = files().describe(folder.path());
  const MediumDescription below = files().describe(folder / "not" / "yet" / "there");
  CHECK(here.file_system == below.file_system);
  CHECK(here.rotational == below.rotational);
  CHECK(files().describe("relative/path/of/nothing").file_system.empty() == false);
  CHECK(files().describe("/proc/self/status").overwrites_in_place == Answer::kUnknown);
  CHECK(files().describe("/proc").rotational == Answer::kUnknown);
}

TEST_CASE("a file system that journals contents does not overwrite in place") {
  const std::string table =
      "25 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro\n"
      "31 25 8:2 / /var rw,relatime shared:2 - ext4 /dev/sda2 rw,data=journal\n";
  std::istringstream mounts(table);
  CHECK_FALSE(mount_journals_data(mounts, "8:1"));
  std::istringstream again(table);
  CHECK(mount_journals_data(again, "8:2"));
}

TEST_CASE("a file is cut and lengthened") {
  const TemporaryFolder folder;
  auto file = must(posix_file_system().open(folder / "f", FileSystem::Open::kCreate));
  must(file->write_at(0, Bytes(100, 7)));
  must(file->resize(10));
  CHECK(must(file->size()) == 10);
  must(file->resize(12));
  Bytes seen(12);
  must(file->read_at(0, seen));
  CHECK((seen == Bytes{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0}));
  must(file->sync());
}
