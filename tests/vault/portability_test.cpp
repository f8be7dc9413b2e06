// Import and export where a scenario of the command line tool cannot reach: files that change under
// the reader, names that lead out of a folder, sources and sinks that fail. The rest is in
// tests/cli.
#include <quietus/portability.hpp>

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "folder_tree.hpp"
#include "ndjson_line.hpp"
#include "support/temp_vault.hpp"

namespace quietus {
namespace {

using test::must;
using test::TemporaryFolder;
using test::TempVault;

void write_file(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ByteSource source_of(std::string text) {
  return [text = std::move(text),
          at = std::size_t{0}](MutableBytes to) mutable -> Result<std::size_t> {
    const std::size_t size = std::min(to.size(), text.size() - at);
    std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(at), size, to.begin());
    at += size;
    return size;
  };
}

FileDescriptor open_file(const std::filesystem::path& folder, const std::string& name) {
  const FileDescriptor parent = must(open_folder(folder));
  OpenedEntry entry = must(open_entry(parent, name));
  REQUIRE(entry.kind == EntryKind::kFile);
  return std::move(entry.descriptor);
}

std::uint64_t count_records(const Scope& scope) {
  std::uint64_t count = 0;
  must(scope.list("", [&](const RecordInfo&) -> Result<bool> {
    ++count;
    return true;
  }));
  return count;
}

TEST_CASE("A file that changes while it is read is found out") {
  const TemporaryFolder folder;
  const auto path = folder / "file";
  write_file(path, "0123456789");
  const FileDescriptor file = open_file(folder.path(), "file");
  UnchangedFile content = must(UnchangedFile::start(file));
  std::array<std::uint8_t, 4> piece{};
  std::array<std::uint8_t, 16> rest{};
  REQUIRE(must(content.read(piece)) == 4);

  SECTION("not at all") {
    CHECK(must(content.read(rest)) == 6);
    CHECK(must(content.read(rest)) == 0);
  }
  SECTION("longer") {
    std::ofstream(path, std::ios::app) << "more";
    CHECK_FAILS_WITH(content.read(rest), ErrorCode::kChanged);
  }
  SECTION("longer, after all that was expected was read") {
    CHECK(must(content.read(rest)) == 6);
    std::ofstream(path, std::ios::app) << "more";
    CHECK_FAILS_WITH(content.read(rest), ErrorCode::kChanged);
  }
  SECTION("shorter") {
    std::filesystem::resize_file(path, 5);
    CHECK(must(content.read(rest)) == 1);
    CHECK_FAILS_WITH(content.read(rest), ErrorCode::kChanged);
  }
  SECTION("other content of the same length") {
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
    CHECK(must(content.read(rest)) == 6);
    CHECK_FAILS_WITH(content.read(rest), ErrorCode::kChanged);
  }
}

TEST_CASE("A new file tree is never left") {
  const TemporaryFolder folder;
  NewFileTree tree = must(NewFileTree::open(folder / "out"));
  for (const char* path : {"", ".", "..", "../x", "a/../../x", "a/..", "/x", "a//b", "a/", "./a"})
    CHECK_FAILS_WITH(tree.create(path), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(tree.create(std::string_view("a\0b", 3)), ErrorCode::kInvalidArgument);
  CHECK_FALSE(std::filesystem::exists(folder / "x"));

  must(tree.create("a/b/c"));
  CHECK_FAILS_WITH(tree.create("a/b/c"), ErrorCode::kAlreadyExists);
  CHECK_FAILS_WITH(tree.create("a/b"), ErrorCode::kAlreadyExists);
  CHECK_FAILS_WITH(tree.create("a/b/c/d"), ErrorCode::kAlreadyExists);
  CHECK_FAILS_WITH(tree.create(std::string(300, 'x')), ErrorCode::kInvalidArgument);

  std::filesystem::create_directory_symlink(folder.path(), folder / "out/link");
  CHECK_FAILS_WITH(tree.create("link/x"), ErrorCode::kAlreadyExists);
  CHECK_FALSE(std::filesystem::exists(folder / "x"));
}

TEST_CASE("A line of .ndjson comes back as it was") {
  const NdjsonRecord record{"a/\"b\"\\ größe", {0, 255, 10, 13}, "text/plain"};
  const std::string line = format_ndjson_line(record);
  CHECK(line.find('\n') == line.size() - 1);
  const NdjsonRecord again = must(parse_ndjson_line(line));
  CHECK(again.name == record.name);
  CHECK(again.value == record.value);
  CHECK(again.content_type == record.content_type);
}

TEST_CASE("The largest value of a line fits with the longest name") {
  const NdjsonRecord record{std::string(1024, '"'), Bytes(kNdjsonValueLimit),
                            std::string(255, '\\')};
  CHECK(format_ndjson_line(record).size() <= kNdjsonLineLimit + 1);
}

TEST_CASE("A source that fails stops an import and keeps what came before") {
  const TempVault home;
  Scope scope = home.scope("acme");
  const ByteSource lines = source_of("{\"name\":\"a\",\"value\":\"\"}\n{\"name\":\"b\",");
  const ByteSource failing = [&](MutableBytes to) -> Result<std::size_t> {
    auto got = lines(to);
    if (got && *got == 0) return Error(ErrorCode::kIo, "the cable was pulled");
    return got;
  };
  const TransferReport report = import_ndjson(scope, failing);
  REQUIRE(report.stopped);
  CHECK(report.stopped->code() == ErrorCode::kIo);
  CHECK(report.stopped->context() == "line 2: the cable was pulled");
  CHECK(report.records == 1);
  CHECK(count_records(scope) == 1);
}

TEST_CASE("A caller can stop an import and an export") {
  const TempVault home;
  Scope scope = home.scope("acme");
  std::string lines;
  for (int i = 0; i < 2500; ++i)
    lines += "{\"name\":\"" + std::to_string(i) + "\",\"value\":\"\"}\n";
  const Progress stop_at_once = [](std::uint64_t, std::uint64_t) { return false; };
  const TransferReport in = import_ndjson(scope, source_of(lines), stop_at_once);
  REQUIRE(in.stopped);
  CHECK(in.stopped->code() == ErrorCode::kRefused);
  CHECK(in.records == 1000);
  CHECK(count_records(scope) == 1000);

  Vault vault = home.vault();
  const TransferReport out = must(export_ndjson(
      vault, "acme", [](ByteView) { return Result<void>(); }, stop_at_once));
  CHECK(out.stopped);
  CHECK(out.records == 1);
  CHECK(out.recorded);
}

TEST_CASE("A sink that fails stops an export, which is recorded all the same") {
  const TempVault home;
  Scope scope = home.scope("acme");
  for (const char* name : {"a", "b", "c"}) must(scope.put(name, as_bytes("content")));
  Vault vault = home.vault();
  const std::uint64_t before = must(vault.log_head()).size;
  int taken = 0;
  const TransferReport report = must(export_ndjson(vault, "acme", [&](ByteView) -> Result<void> {
    if (++taken == 2) return Error(ErrorCode::kInvalidArgument, "enough");
    return {};
  }));
  REQUIRE(report.stopped);
  CHECK(report.stopped->code() ==
        ErrorCode::kIo);  // half a line may be out: no failure of one record
  CHECK(report.failed.empty());
  CHECK(report.records == 1);
  CHECK(report.recorded);
  CHECK(must(vault.log_head()).size == before + 1);
}

TEST_CASE("A folder of all sizes comes back") {
  const TempVault home;
  const TemporaryFolder folder;
  const std::vector<std::size_t> sizes = {0, 1, 262'143, 262'144, 262'145, 1'048'579};
  std::filesystem::create_directories(folder / "in/sub");
  for (const std::size_t size : sizes)
    write_file(folder / "in/sub" / std::to_string(size), std::string(size, 'x'));
  Scope scope = home.scope("acme");
  const TransferReport in = must(import_folder(scope, folder / "in"));
  CHECK(in.complete());
  CHECK(in.records == sizes.size());
  Vault vault = home.vault();
  CHECK(must(export_folder(vault, "acme", folder / "new/out")).complete());
  for (const std::size_t size : sizes)
    CHECK(read_file(folder / "new/out/sub" / std::to_string(size)) == std::string(size, 'x'));
}

TEST_CASE("A record that cannot be a file does not keep the others in") {
  const TempVault home;
  const TemporaryFolder folder;
  Scope scope = home.scope("acme");
  for (const char* name : {"a", "b", "c"}) must(scope.put(name, as_bytes("content")));
  Vault vault = home.vault();
  // "b" is in the way of "b/…", so one of the two cannot be a file.
  must(scope.put("b/below", as_bytes("content")));
  const TransferReport report = must(export_folder(vault, "acme", folder / "out"));
  CHECK(report.records == 3);
  REQUIRE(report.failed.size() == 1);
  CHECK(report.failed.front().name == "b/below");
  CHECK_FALSE(report.stopped);
}

TEST_CASE("What is not there, is erased or is no folder") {
  const TempVault home;
  const TemporaryFolder folder;
  Scope scope = home.scope("acme");
  Vault vault = home.vault();
  CHECK_FAILS_WITH(import_folder(scope, folder / "none"), ErrorCode::kNotFound);
  write_file(folder / "file", "x");
  CHECK_FAILS_WITH(import_folder(scope, folder / "file"), ErrorCode::kIo);
  CHECK_FAILS_WITH(export_folder(vault, "acme", folder / "file"), ErrorCode::kIo);
  CHECK_FAILS_WITH(export_folder(vault, "none", folder / "out"), ErrorCode::kNotFound);
  home.erase("acme");
  CHECK_FAILS_WITH(export_folder(vault, "acme", folder / "out"), ErrorCode::kErased);
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
  const TransferReport in = import_ndjson(scope, source_of("{\"name\":\"a\",\"value\":\"\"}"));
  REQUIRE(in.stopped);
  CHECK(in.stopped->code() == ErrorCode::kErased);
}

}  // namespace
}  // namespace quietus
