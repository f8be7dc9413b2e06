#include "faults/write_recorder.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <mutex>

namespace quietus::test {
namespace {

using Kind = RecordedCall::Kind;

// Behind it in the log: path, second path, bytes.
struct LogHead {
  std::uint64_t offset;
  std::uint64_t size;
  std::uint16_t path_size;
  std::uint16_t to_size;
  Kind kind;
  bool waits;
};

struct Recording {
  std::atomic<int> log{-1};
  std::atomic<int> waiting_writes_left{0};
  std::string folder;  // with a slash at the end; set while log is -1
};

Recording& recording() {
  static auto* const instance = new Recording;
  return *instance;
}

// Whether the path is the recorded folder or below it.
bool recorded(std::string_view path) noexcept {
  const std::string_view folder = recording().folder;
  return path.starts_with(folder) || path == folder.substr(0, folder.size() - 1);
}

// The path of an open file, empty when it is not in the recorded folder.
std::string_view path_of(int descriptor, std::array<char, PATH_MAX>& room) noexcept {
  std::array<char, 32> link{};
  static_cast<void>(std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", descriptor));
  const ssize_t size = readlink(link.data(), room.data(), room.size());
  const std::string_view path(room.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  return recorded(path) ? path : std::string_view();
}

iovec part(const void* bytes, std::size_t size) noexcept {
  return {const_cast<void*>(bytes), size};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

// One system call, so that the calls of several threads and processes do not mix.
void append(const LogHead& head, std::string_view path, std::string_view to,
            const void* bytes) noexcept {
  const int kept = errno;
  LogHead whole = head;
  whole.path_size = static_cast<std::uint16_t>(path.size());
  whole.to_size = static_cast<std::uint16_t>(to.size());
  const std::array<iovec, 4> parts = {part(&whole, sizeof whole), part(path.data(), path.size()),
                                      part(to.data(), to.size()),
                                      part(bytes, bytes == nullptr ? 0 : head.size)};
  const std::size_t size = sizeof whole + path.size() + to.size() + parts[3].iov_len;
  const auto written = syscall(SYS_writev, recording().log.load(), parts.data(), parts.size());
  if (written != static_cast<long>(size)) std::abort();  // a test must not go on with a lame log
  errno = kept;
}

bool recording_now() noexcept {
  return recording().log.load(std::memory_order_relaxed) >= 0;
}

bool waits(int descriptor) noexcept {
  return (fcntl(descriptor, F_GETFL) & (O_SYNC | O_DSYNC)) != 0;
}

void die_if_planned(int descriptor) noexcept {
  if (!recording_now() || recording().waiting_writes_left.load() == 0) return;
  std::array<char, PATH_MAX> room{};
  if (path_of(descriptor, room).empty() || !waits(descriptor)) return;
  if (recording().waiting_writes_left.fetch_sub(1) == 1) kill(getpid(), SIGKILL);
}

void note_write(int descriptor, const void* bytes, long size, std::uint64_t offset) noexcept {
  if (!recording_now() || size < 0) return;
  std::array<char, PATH_MAX> room{};
  const std::string_view path = path_of(descriptor, room);
  if (path.empty()) return;
  append({offset, static_cast<std::uint64_t>(size), 0, 0, Kind::kWrite, waits(descriptor)}, path,
         {}, bytes);
}

// As note_write, of a call that wrote the first `size` bytes of several parts.
void note_parts(int descriptor, const iovec* parts, int count, long size,
                std::uint64_t offset) noexcept {
  for (int i = 0; i < count && size > 0; ++i) {
    const long here = std::min(size, static_cast<long>(parts[i].iov_len));
    note_write(descriptor, parts[i].iov_base, here, offset);
    offset += static_cast<std::uint64_t>(here);
    size -= here;
  }
}

void note_sync(int descriptor, long outcome) noexcept {
  if (!recording_now() || outcome != 0) return;
  std::array<char, PATH_MAX> room{};
  const std::string_view path = path_of(descriptor, room);
  if (!path.empty()) append({0, 0, 0, 0, Kind::kSync, true}, path, {}, nullptr);
}

// Where a write without an offset began.
std::uint64_t position_before(int descriptor, long written) noexcept {
  const off_t now = lseek(descriptor, 0, SEEK_CUR);
  return now < written || written < 0 ? 0 : static_cast<std::uint64_t>(now - written);
}

}  // namespace

WriteRecorder::WriteRecorder(const std::filesystem::path& folder)
    : log_(memfd_create("write-recorder", MFD_CLOEXEC)) {
  REQUIRE(log_ >= 0);
  REQUIRE(!recording_now());
  recording().folder = std::filesystem::canonical(folder).string() + "/";
  recording().log = log_;
}

WriteRecorder::~WriteRecorder() {
  kill_at_waiting_write(0);
  recording().log = -1;
  close(log_);
}

std::vector<RecordedCall> WriteRecorder::calls() const {
  const off_t end = lseek(log_, 0, SEEK_END);
  std::vector<RecordedCall> calls;
  off_t at = 0;
  const auto take = [&](void* to, std::size_t size) {
    REQUIRE(pread(log_, to, size, at) == static_cast<ssize_t>(size));
    at += static_cast<off_t>(size);
  };
  while (at < end) {
    LogHead head{};
    take(&head, sizeof head);
    RecordedCall& call = calls.emplace_back();
    call.kind = head.kind;
    call.waits = head.waits;
    call.offset = head.offset;
    call.path.resize(head.path_size);
    call.to.resize(head.to_size);
    call.bytes.resize(head.size);
    take(call.path.data(), call.path.size());
    take(call.to.data(), call.to.size());
    take(call.bytes.data(), call.bytes.size());
  }
  return calls;
}

void kill_at_waiting_write(int n) {
  recording().waiting_writes_left = n;
}

void replay(const std::vector<RecordedCall>& calls,
            FunctionRef<void(const RecordedCall&, const FileContents&)> visit) {
  FileContents files;
  for (const RecordedCall& call : calls) {
    switch (call.kind) {
      case Kind::kWrite: {
        Bytes& content = files[call.path];
        const std::size_t end = call.offset + call.bytes.size();
        if (content.size() < end) content.resize(end);
        std::copy(call.bytes.begin(), call.bytes.end(),
                  content.begin() + static_cast<std::ptrdiff_t>(call.offset));
        break;
      }
      case Kind::kTruncate: files[call.path].resize(call.offset); break;
      case Kind::kRename:
        if (auto moved = files.extract(call.path)) {
          files.erase(call.to);
          moved.key() = call.to;
          files.insert(std::move(moved));
        }
        break;
      case Kind::kRemove: files.erase(call.path); break;
      case Kind::kSync: break;
    }
    visit(call, files);
  }
}

WriteCost cost_of(const std::vector<RecordedCall>& calls) {
  WriteCost cost;
  for (const RecordedCall& call : calls) {
    if (call.waits) ++cost.syncs;
    cost.bytes += call.bytes.size();
  }
  return cost;
}

}  // namespace quietus::test

using quietus::test::append;
using quietus::test::die_if_planned;
using quietus::test::Kind;
using quietus::test::note_parts;
using quietus::test::note_sync;
using quietus::test::note_write;
using quietus::test::path_of;
using quietus::test::position_before;
using quietus::test::recorded;
using quietus::test::recording_now;

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's are reserved
// names
#define TAKES_THE_PLACE extern "C" __attribute__((visibility("default")))

TAKES_THE_PLACE ssize_t write(int descriptor, const void* from, size_t size) {
  die_if_planned(descriptor);
  const long written = syscall(SYS_write, descriptor, from, size);
  if (recording_now() && written > 0)
    note_write(descriptor, from, written, position_before(descriptor, written));
  return written;
}

TAKES_THE_PLACE ssize_t pwrite(int descriptor, const void* from, size_t size, off_t offset) {
  die_if_planned(descriptor);
  const long written = syscall(SYS_pwrite64, descriptor, from, size, offset);
  note_write(descriptor, from, written, static_cast<std::uint64_t>(offset));
  return written;
}

TAKES_THE_PLACE ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  die_if_planned(descriptor);
  const long written = syscall(SYS_writev, descriptor, parts, count);
  if (recording_now() && written > 0)
    note_parts(descriptor, parts, count, written, position_before(descriptor, written));
  return written;
}

TAKES_THE_PLACE ssize_t pwritev(int descriptor, const struct iovec* parts, int count,
                                off_t offset) {
  die_if_planned(descriptor);
  const long written = syscall(SYS_pwritev, descriptor, parts, count, offset, 0);
  note_parts(descriptor, parts, count, written, static_cast<std::uint64_t>(offset));
  return written;
}

TAKES_THE_PLACE int ftruncate(int descriptor, off_t size) noexcept {
  const long outcome = syscall(SYS_ftruncate, descriptor, size);
  if (recording_now() && outcome == 0) {
    std::array<char, PATH_MAX> room{};
    const std::string_view path = path_of(descriptor, room);
    if (!path.empty())
      append({static_cast<std::uint64_t>(size), 0, 0, 0, Kind::kTruncate, false}, path, {},
             nullptr);
  }
  return static_cast<int>(outcome);
}

TAKES_THE_PLACE int rename(const char* from, const char* to) noexcept {
  const long outcome = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (recording_now() && outcome == 0 && recorded(from))
    append({0, 0, 0, 0, Kind::kRename, false}, from, to, nullptr);
  return static_cast<int>(outcome);
}

TAKES_THE_PLACE int unlink(const char* path) noexcept {
  const long outcome = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  if (recording_now() && outcome == 0 && recorded(path))
    append({0, 0, 0, 0, Kind::kRemove, false}, path, {}, nullptr);
  return static_cast<int>(outcome);
}

TAKES_THE_PLACE int fdatasync(int descriptor) {
  const long outcome = syscall(SYS_fdatasync, descriptor);
  note_sync(descriptor, outcome);
  return static_cast<int>(outcome);
}

TAKES_THE_PLACE int fsync(int descriptor) {
  const long outcome = syscall(SYS_fsync, descriptor);
  note_sync(descriptor, outcome);
  return static_cast<int>(outcome);
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
