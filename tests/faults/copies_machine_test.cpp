// The time machine over backups, with restores among the operations: whoever has every file of the
// vault and of all its other instances, every backup and every snapshot, at every time, opens what
// the certificates say, and nothing else. Sequences of operations are generated.
#include <catch2/catch.hpp>

#include <random>

#include "faults/copies_machine.hpp"
#include "support/sanitized.hpp"

namespace quietus::test {
namespace {

CopiesOp copies_op(std::size_t number) {
  return static_cast<CopiesOp>(number);
}

std::vector<CopiesOp> copies_ops(std::string_view letters) {
  std::vector<CopiesOp> ops;
  for (const char letter : letters) ops.push_back(copies_op(kCopiesLetters.find(letter)));
  return ops;
}

void run_copies(const std::vector<CopiesOp>& ops) {
  std::string letters;
  for (const CopiesOp op : ops) letters += kCopiesLetters[static_cast<std::size_t>(op)];
  INFO("operations " << letters);
  CopiesMachine machine;
  machine.run(ops);
  machine.settle();
}

// Every sequence of so many operations behind the given ones.
void run_every_copy(std::vector<CopiesOp> ops, int depth) {
  if (depth == 0) return run_copies(ops);
  ops.emplace_back();
  for (std::size_t i = 0; i < kCopiesLetters.size(); ++i) {
    ops.back() = copies_op(i);
    run_every_copy(ops, depth - 1);
  }
}

void run_drawn(unsigned first, unsigned sequences, int length) {
  for (unsigned seed = first; seed < first + sequences; ++seed) {
    INFO("seed " << seed);
    std::mt19937 draw(seed);
    std::vector<CopiesOp> ops = {CopiesOp::kCreate, CopiesOp::kBackup};
    for (int i = 0; i < length; ++i) ops.push_back(copies_op(draw() % kCopiesLetters.size()));
    run_copies(ops);
  }
}

// The depth: each operation behind each way to another instance, and 40 sequences of 16; about 15
// s.
TEST_CASE("every operation behind each way to another instance: certificates say who opens what",
          "[machine]") {
  for (const char* begin : {"CBT", "CBV", "CBW", "CBEW", "CBTK"})
    run_every_copy(copies_ops(begin), kPointStep > 1 ? 0 : 1);
}

// What generated sequences have come upon before.
TEST_CASE("sequences that once left a key behind that no certificate named", "[machine]") {
  for (const char* ops : {"CBTNE", "CBEWD", "CBWESD", "CBEDDTWD", "CBCTSWDPPPXPPPE", "BCTKEVD",
                          "CBTXKBW", "CBTcXVK", "CBRTppEg", "CBDCRTBPPXW", "CBNECKTTCKSNXV"})
    run_copies(copies_ops(ops));
}

TEST_CASE("long sequences with other instances, drawn at random", "[machine]") {
  run_drawn(0, kPointStep > 1 ? 3 : 40, 14);
}

// 361 and 6,859 sequences, and 1,000 of 27 operations: half an hour.
TEST_CASE("every two operations behind a restore", "[.deep]") {
  run_every_copy(copies_ops("CBT"), 2);
}

TEST_CASE("every three operations behind a backup", "[.deep]") {
  run_every_copy(copies_ops("CB"), 3);
}

TEST_CASE("many long sequences with other instances", "[.deep]") {
  run_drawn(1000, 1000, 25);
}

}  // namespace
}  // namespace quietus::test
