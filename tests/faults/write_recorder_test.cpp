#include "faults/write_recorder.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>

#include "faults/file_bytes.hpp"
#include "storage/lmdb_store.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace quietus::test {
namespace {

Result<void> put(ControlStore& store, std::string_view value) {
  return store.update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return writer.put(as_bytes("key"), as_bytes(value));
  });
}

std::unique_ptr<ControlStore> opened(const std::filesystem::path& path, bool create) {
  LmdbOptions options;
  options.create = create;
  return must(open_lmdb_control(path, options));
}

bool was_written(const std::vector<RecordedCall>& calls, std::string_view text) {
  return std::any_of(calls.begin(), calls.end(), [&](const RecordedCall& call) {
    return as_text(call.bytes).find(text) != std::string_view::npos;
  });
}

TEST_CASE("what LMDB writes is recorded, and makes the same file again") {
  const TemporaryFolder folder{TemporaryFolder::in_memory()};
  const auto path = folder / "store";
  const WriteRecorder recorder(folder.path());
  {
    const auto store = opened(path, true);
    must(put(*store, "the first value"));
    must(put(*store, "the second value"));
  }
  const auto calls = recorder.calls();
  CHECK(was_written(calls, "the first value"));
  CHECK(was_written(calls, "the second value"));
  CHECK(cost_of(calls).syncs >= 4);
  FileContents last;
  replay(calls, [&](const RecordedCall&, const FileContents& files) { last = files; });
  CHECK(last[path] == bytes_of_file(path));
}

TEST_CASE("pages that were flushed and never committed are recorded, across a kill") {
  const TemporaryFolder folder{TemporaryFolder::in_memory()};
  const auto path = folder / "store";
  must(put(*opened(path, true), "committed"));
  const WriteRecorder recorder(folder.path());
  const int status = status_of_child([&] {
    const auto store = opened(path, false);
    kill_at_waiting_write(1);
    static_cast<void>(put(*store, "flushed only"));
    return true;
  });
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);
  CHECK(was_written(recorder.calls(), "flushed only"));
  must(opened(path, false)->read([](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const auto value, reader.get(as_bytes("key")));
    CHECK((value && as_text(*value) == "committed"));
    return {};
  }));
}

TEST_CASE("writes elsewhere, and after the end, are not recorded") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  const WriteRecorder recorder(folder.path());
  std::ofstream(elsewhere / "file") << "not here";
  CHECK(recorder.calls().empty());
  std::ofstream(folder / "file") << "here";
  std::filesystem::rename(folder / "file", folder / "other");
  const auto calls = recorder.calls();
  CHECK(was_written(calls, "here"));
  REQUIRE_FALSE(calls.empty());
  CHECK(calls.back().kind == RecordedCall::Kind::kRename);
  CHECK(calls.back().to == folder / "other");
}

}  // namespace
}  // namespace quietus::test
