#include "faults/process_memory.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bitset>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unordered_map>

namespace quietus::test {
namespace {

constexpr std::size_t kHalfWindow = 16;

// Both halves of every key, found by their first bytes.
class Halves {
 public:
  explicit Halves(const std::vector<WantedKey>& keys) {
    for (const WantedKey& key : keys) {
      add(key.what + ", first half", ByteView(key.bytes).first(kHalfWindow));
      add(key.what + ", second half", ByteView(key.bytes).last(kHalfWindow));
    }
  }

  void search(ByteView bytes, const std::string& where, std::vector<std::string>& found) const {
    for (std::size_t at = 0; at + kHalfWindow <= bytes.size(); ++at) {
      if (!seen_[head<std::uint16_t>(bytes.subspan(at))]) continue;
      const auto [first, last] = halves_.equal_range(head<std::uint64_t>(bytes.subspan(at)));
      for (auto half = first; half != last; ++half)
        if (std::equal(half->second.bytes.begin(), half->second.bytes.end(),
                       bytes.begin() + static_cast<std::ptrdiff_t>(at)))
          found.push_back(half->second.what + ", in " + where);
    }
  }

 private:
  struct Half {
    std::string what;
    Bytes bytes;
  };
  template <class Number>
  static Number head(ByteView bytes) {
    Number number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    return number;
  }
  void add(const std::string& what, ByteView bytes) {
    seen_.set(head<std::uint16_t>(bytes));
    halves_.emplace(head<std::uint64_t>(bytes), Half{what, Bytes(bytes.begin(), bytes.end())});
  }

  std::bitset<65536> seen_;
  std::unordered_multimap<std::uint64_t, Half> halves_;
};

// Every thread of a process, stopped.
class Standstill {
 public:
  explicit Standstill(pid_t process) {
    const auto tasks = std::filesystem::path("/proc") / std::to_string(process) / "task";
    for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
      const pid_t thread = std::stoi(entry.path().filename());
      if (ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) return;
      threads_.push_back(thread);
      int status = 0;
      if (ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0 ||
          waitpid(thread, &status, __WALL) != thread)
        return;
    }
    complete_ = true;
  }
  Standstill(const Standstill&) = delete;
  Standstill& operator=(const Standstill&) = delete;
  ~Standstill() {
    for (const pid_t thread : threads_) ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
  }

  bool complete() const noexcept { return complete_; }

  void search_registers(const Halves& halves, std::vector<std::string>& found) const {
    for (const pid_t thread : threads_)
      for (const long set : {long{NT_PRSTATUS}, long{NT_PRFPREG}, long{NT_X86_XSTATE}}) {
        Bytes registers(std::size_t{64} * 1024);
        iovec room{registers.data(), registers.size()};
        if (ptrace(PTRACE_GETREGSET, thread, set, &room) == 0)
          halves.search(ByteView(registers).first(room.iov_len),
                        "registers of thread " + std::to_string(thread), found);
      }
  }

 private:
  std::vector<pid_t> threads_;
  bool complete_ = false;
};

// As far as it can be read: maps of files end with the file.
void search_range(int memory, std::uintptr_t begin, std::uintptr_t end, const std::string& where,
                  const Halves& halves, std::vector<std::string>& found) {
  constexpr std::size_t kStep = std::size_t{1} << 20;
  Bytes piece(kStep + kHalfWindow);
  for (std::uintptr_t at = begin; at < end; at += kStep) {
    const std::size_t wanted = std::min<std::size_t>(piece.size(), end - at);
    const ssize_t got = pread(memory, piece.data(), wanted, static_cast<off_t>(at));
    if (got <= 0) return;
    halves.search(ByteView(piece).first(static_cast<std::size_t>(got)), where, found);
  }
}

}  // namespace

std::optional<std::vector<std::string>> find_in_process(pid_t process,
                                                        const std::vector<WantedKey>& keys) {
  const Halves halves(keys);
  const Standstill still(process);
  const std::string proc = "/proc/" + std::to_string(process);
  const int memory = open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  if (!still.complete() || memory < 0) return std::nullopt;
  std::vector<std::string> found;
  still.search_registers(halves, found);
  std::ifstream maps(proc + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char readable = 0;
    // NOLINTNEXTLINE(cert-err34-c): the kernel wrote the line
    if (std::sscanf(line.c_str(), "%lx-%lx %c", &begin, &end, &readable) == 3 && readable == 'r')
      search_range(memory, begin, end, line, halves, found);
  }
  close(memory);
  return found;
}

}  // namespace quietus::test
