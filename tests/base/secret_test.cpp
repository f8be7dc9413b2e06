#include "base/secret.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <new>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::all_zero;

namespace {

struct TestRole {};
using TestKey = Key<TestRole>;

TestKey filled_key(std::uint8_t byte) {
  return TestKey::make([=](MutableBytes out) { std::fill(out.begin(), out.end(), byte); });
}

const std::uint8_t* address_of(const TestKey& key) {
  return key.expose([](ByteView bytes) { return bytes.data(); });
}

SecretBuffer filled_buffer(std::size_t size, std::uint8_t byte) {
  SecretBuffer buffer(size);
  buffer.fill([=](MutableBytes out) { std::fill(out.begin(), out.end(), byte); });
  return buffer;
}

const std::uint8_t* address_of(const SecretBuffer& buffer) {
  return buffer.expose([](ByteView bytes) { return bytes.data(); });
}

// What stands in a pool's cell, given back or not: slabs are never unmapped.
Bytes cell_at(const std::uint8_t* cell, std::size_t size) {
  const volatile std::uint8_t* from = cell;
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = from[i];
  return bytes;
}

}  // namespace

TEST_CASE("moving a key takes its memory along and leaves no second copy") {
  TestKey first = filled_key(7);
  const std::uint8_t* const cell = address_of(first);
  const TestKey second = std::move(first);
  CHECK(address_of(second) == cell);
  second.expose([](ByteView bytes) { CHECK(test::to_bytes(bytes) == Bytes(kKeySize, 7)); });
}

TEST_CASE("a key moved onto another wipes that one") {
  TestKey kept = filled_key(1);
  TestKey replaced = filled_key(2);
  const std::uint8_t* const cell = address_of(replaced);
  replaced = std::move(kept);
  CHECK(all_zero(cell_at(cell, kKeySize)));
  replaced.expose([](ByteView bytes) { CHECK(test::to_bytes(bytes) == Bytes(kKeySize, 1)); });
}

TEST_CASE("moving a key onto itself keeps it") {
  TestKey key = filled_key(3);
  TestKey& same = key;
  key = std::move(same);
  key.expose([](ByteView bytes) { CHECK(test::to_bytes(bytes) == Bytes(kKeySize, 3)); });
}

TEST_CASE("a duplicate is a second key") {
  const TestKey key = filled_key(4);
  const std::uint8_t* copied = nullptr;
  {
    const TestKey copy = key.duplicate();
    copied = address_of(copy);
    CHECK(copied != address_of(key));
    copy.expose([](ByteView bytes) { CHECK(test::to_bytes(bytes) == Bytes(kKeySize, 4)); });
  }
  CHECK(all_zero(cell_at(copied, kKeySize)));
  key.expose([](ByteView bytes) { CHECK(test::to_bytes(bytes) == Bytes(kKeySize, 4)); });
}

TEST_CASE("a key is wiped when its life ends, also by an exception while it is made") {
  const std::uint8_t* cell = nullptr;
  { cell = address_of(filled_key(5)); }
  CHECK(all_zero(cell_at(cell, kKeySize)));

  const auto fail_half_way = [&](MutableBytes out) {
    std::fill(out.begin(), out.end(), std::uint8_t{6});
    cell = out.data();
    throw std::bad_alloc();
  };
  CHECK_THROWS_AS(TestKey::make(fail_half_way), std::bad_alloc);
  CHECK(all_zero(cell_at(cell, kKeySize)));
}

TEST_CASE("cells come zeroed, whoever had them before") {
  for (const std::size_t size : {1U, 32U, 33U, 256U, 257U, 4096U, 4097U, 70000U}) {
    for (int round = 0; round < 3; ++round) {
      const SecretBuffer fresh(size);
      fresh.expose([](ByteView bytes) { CHECK(all_zero(bytes)); });
      static_cast<void>(filled_buffer(size, 0xAB));
    }
  }
}

TEST_CASE("secrets of every size are apart, writable to their ends, and wiped when given back") {
  for (const std::size_t size : {1U, 31U, 32U, 33U, 255U, 256U, 257U, 4095U, 4096U}) {
    INFO(size);
    std::set<const std::uint8_t*> cells;
    {
      std::vector<SecretBuffer> buffers;
      for (std::uint8_t i = 1; i <= 100; ++i) buffers.push_back(filled_buffer(size, i));
      for (std::uint8_t i = 1; i <= 100; ++i) {
        const SecretBuffer& buffer = buffers[i - 1U];
        CHECK(buffer.size() == size);
        CHECK(cells.insert(address_of(buffer)).second);
        buffer.expose([&](ByteView bytes) { CHECK(test::to_bytes(bytes) == Bytes(size, i)); });
      }
    }
    for (const std::uint8_t* cell : cells) CHECK(all_zero(cell_at(cell, size)));
  }
}

TEST_CASE("a moved buffer is empty") {
  SecretBuffer first = filled_buffer(100, 1);
  const std::uint8_t* const cell = address_of(first);
  SecretBuffer second = std::move(first);
  // NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move): to be empty is the promise
  CHECK(first.empty());
  CHECK(first.size() == 0);
  CHECK(address_of(first) == nullptr);
  // NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  CHECK(address_of(second) == cell);
  second = SecretBuffer();
  CHECK(all_zero(cell_at(cell, 100)));
  CHECK(SecretBuffer(0).empty());
}

TEST_CASE("a secret on the stack is wiped at the end of its scope") {
  alignas(StackSecret<64>) std::array<std::uint8_t, sizeof(StackSecret<64>)> place{};
  auto* const secret = new (place.data()) StackSecret<64>;
  std::iota(secret->bytes().begin(), secret->bytes().end(), std::uint8_t{1});
  CHECK_FALSE(all_zero(cell_at(place.data(), 64)));
  secret->~StackSecret<64>();
  CHECK(all_zero(cell_at(place.data(), 64)));
}

TEST_CASE("wipe clears exactly what it was given") {
  Bytes bytes(10, 0xFF);
  wipe(MutableBytes(bytes).subspan(2, 5));
  CHECK(bytes == Bytes{0xFF, 0xFF, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF});
  wipe({});
}

TEST_CASE("constant-time comparison compares") {
  CHECK(equal_constant_time({}, {}));
  CHECK(equal_constant_time(Bytes{1, 2}, Bytes{1, 2}));
  CHECK_FALSE(equal_constant_time(Bytes{1, 2}, Bytes{1, 3}));
  CHECK_FALSE(equal_constant_time(Bytes{2, 2}, Bytes{1, 2}));
  CHECK_FALSE(equal_constant_time(Bytes{1, 2}, Bytes{1}));
  CHECK_FALSE(equal_constant_time({}, Bytes{0}));
}

TEST_CASE("threads share guarded memory without sharing cells", "[concurrent]") {
  std::vector<std::thread> threads;
  std::atomic<int> mixed_up{0};
  for (std::uint8_t id = 1; id <= 4; ++id)
    threads.emplace_back([&, id] {
      for (int round = 0; round < 2000; ++round) {
        const std::size_t size = round % 50 == 0 ? 5000 : 32;
        const SecretBuffer mine = filled_buffer(size, id);
        mine.expose([&](ByteView bytes) {
          if (std::any_of(bytes.begin(), bytes.end(), [&](std::uint8_t b) { return b != id; }))
            ++mixed_up;
        });
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(mixed_up == 0);
}
