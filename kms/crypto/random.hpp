// Randomness from the kernel, one system call per request and no pool of our own: a pool would
// repeat itself in a cloned machine.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>

#include "base/secret.hpp"

namespace quietus {

// Fills `out`. Aborts the process when the kernel has no randomness to give: nothing here may go on
// with less.
void random_bytes(MutableBytes out);

std::uint64_t random_id63();  // 1 … 2^63-1

template <class Role>
Key<Role> random_key() {
  return Key<Role>::make([](MutableBytes out) { random_bytes(out); });
}

}  // namespace quietus
