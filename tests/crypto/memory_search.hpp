// Looks for a secret in the memory of this process.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "crypto/random.hpp"

namespace quietus::test {

class MemorySearch {
 public:
  MemorySearch() {
    random_bytes(masked_);
    file_ = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  }
  ~MemorySearch() { ::close(file_); }
  MemorySearch(const MemorySearch&) = delete;
  MemorySearch& operator=(const MemorySearch&) = delete;

  // Shows a random secret, which exists only during the call.
  template <class F>
  void with_secret(F&& use) const {
    StackSecret<32> secret;
    for (std::size_t i = 0; i < masked_.size(); ++i) secret.bytes()[i] = unmask(i);
    use(std::span<const std::uint8_t, 32>(secret.bytes()));
  }

  // How often a half of the secret stands in writable memory. Halves, because an allocator may have
  // written over the beginning of what was freed.
  int occurrences() const {
    int found = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::uintptr_t begin = 0;
      std::uintptr_t end = 0;
      std::array<char, 5> rights{};
      // NOLINTNEXTLINE(cert-err34-c): the kernel wrote the line
      if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights.data()) == 3 &&
          rights[0] == 'r' && rights[1] == 'w')
        found += occurrences_in(begin, end);
    }
    return found;
  }

 private:
  std::uint8_t unmask(std::size_t i) const { return static_cast<std::uint8_t>(masked_[i] ^ 0xA5); }

  bool half_at(const std::uint8_t* at, std::size_t half) const {
    for (std::size_t i = 0; i < 16; ++i)
      if (at[i] != unmask(half + i)) return false;
    return true;
  }

  int occurrences_in(std::uintptr_t begin, std::uintptr_t end) const {
    std::vector<std::uint8_t> copy(end - begin);
    const ssize_t got = pread(file_, copy.data(), copy.size(), static_cast<off_t>(begin));
    int found = 0;
    for (ssize_t i = 0; i + 16 <= got; ++i)
      if (half_at(copy.data() + i, 0) || half_at(copy.data() + i, 16)) ++found;
    wipe(copy);  // or the next search would find this copy
    return found;
  }

  std::array<std::uint8_t, 32> masked_{};
  int file_ = -1;
};

}  // namespace quietus::test
