#include "crypto/random.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace quietus {

void random_bytes(MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      static_cast<void>(std::fputs("quietus: the system gives no random bytes\n", stderr));
      std::abort();
    }
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

std::uint64_t random_id63() {
  std::uint64_t id = 0;
  while (id == 0) {
    std::array<std::uint8_t, 8> bytes{};
    random_bytes(bytes);
    for (const std::uint8_t byte : bytes) id = id << 8 | byte;
    id &= ~(std::uint64_t{1} << 63);
  }
  return id;
}

}  // namespace quietus
