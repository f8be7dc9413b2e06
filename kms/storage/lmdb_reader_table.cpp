// LMDB's table of readers, which all processes share.
#include <charconv>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

#include "storage/lmdb_environment.hpp"
#include "storage/lmdb_error.hpp"

namespace quietus {
namespace {

struct ReaderList {
  StoreReaders readers;
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
};

// A line for each place that is taken: process, thread, and the number of the commit that it reads,
// or "-" while it reads nothing. The first line is a heading.
void note_line(const std::string& line, ReaderList& list) {
  std::istringstream words(line);
  std::int64_t process = 0;
  std::string thread;
  std::string commit;
  if (!(words >> process >> thread >> commit)) return;
  ++list.readers.taken;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(commit.data(), commit.data() + commit.size(), number);
  if (error != std::errc() || end != commit.data() + commit.size() || number >= list.oldest) return;
  list.oldest = number;
  list.readers.oldest_process = process;
}

// LMDB may hand over several lines, or a part of one, at a time.
int collect(const char* text, void* lines) {
  static_cast<std::string*>(lines)->append(text);
  return 0;
}

}  // namespace

Result<StoreReaders> LmdbEnvironment::readers() {
  QUIETUS_TRY(usable());
  int cleared = 0;
  int rc = mdb_reader_check(env_, &cleared);
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "clearing stale readers");
  std::string lines;
  rc = mdb_reader_list(env_, collect, &lines);
  if (rc < 0) return lmdb_error(rc, "listing readers");
  MDB_envinfo info{};
  {
    const std::lock_guard lock(write_mutex_);  // nobody maps the file anew meanwhile
    QUIETUS_TRY(usable());
    mdb_env_info(env_, &info);  // fails only without an environment
  }
  ReaderList list;
  std::istringstream text(lines);
  for (std::string line; std::getline(text, line);) note_line(line, list);
  list.readers.places = info.me_maxreaders;
  list.readers.cleared = static_cast<std::uint32_t>(cleared_at_start_ + cleared);
  if (list.oldest < info.me_last_txnid) list.readers.oldest_age = info.me_last_txnid - list.oldest;
  return list.readers;
}

}  // namespace quietus
