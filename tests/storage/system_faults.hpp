// Makes system calls of this program fail, LMDB's included: the functions are defined anew here and
// so take the place of the C library's.
#pragma once

namespace quietus::test {

enum class SystemCall {
  kPageWrite,  // of an LMDB data page, or of a file at offset 8192 or beyond
  kMetaWrite,  // of an LMDB meta page
  kDataSync,
  kSync,
};

// Instead of an errno value: ends the process there, as a power cut would; or writes half.
constexpr int kKill = -1;
constexpr int kShortWrite = -2;

// The n-th such call from now (1: the next) fails with `error`, once.
void fail_call(SystemCall call, int n, int error);
void fail_no_calls();

// Every kDataSync takes at least so long, as on a real disk; 0 ends it.
void slow_data_syncs(int microseconds);

}  // namespace quietus::test
