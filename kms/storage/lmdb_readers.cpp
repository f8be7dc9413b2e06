#include "storage/lmdb_readers.hpp"

#include <chrono>
#include <thread>

namespace quietus {
namespace {

constexpr auto kPause = std::chrono::microseconds(100);
constexpr int kPauses = 20000;

// Where a thread begins to look: threads begin at different places and so rarely meet.
std::size_t first_place() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t first = next.fetch_add(1, std::memory_order_relaxed);
  return first;
}

bool try_take_place(LmdbReaders::Place& place) noexcept {
  return !place.taken.load(std::memory_order_relaxed) &&
         !place.taken.exchange(true, std::memory_order_acquire);
}

}  // namespace

LmdbReaders::Place* LmdbReaders::try_take(std::size_t first) noexcept {
  for (std::size_t i = 0; i < kPlaces; ++i) {
    Place& place = places_[(first + i) % kPlaces];
    if (try_take_place(place)) return &place;
  }
  return nullptr;
}

LmdbReaders::Place* LmdbReaders::take() noexcept {
  const std::size_t first = first_place();
  for (int pause = 0; pause < kPauses; ++pause) {
    if (Place* const place = try_take(first)) return place;
    std::this_thread::sleep_for(kPause);
  }
  return nullptr;
}

void LmdbReaders::take_all() noexcept {
  for (Place& place : places_)
    while (!try_take_place(place)) std::this_thread::sleep_for(kPause);
}

void LmdbReaders::give_back_all() noexcept {
  for (Place& place : places_) give_back(place);
}

void LmdbReaders::abort_all() noexcept {
  for (Place& place : places_) {
    if (place.transaction != nullptr) mdb_txn_abort(place.transaction);
    place.transaction = nullptr;
  }
}

}  // namespace quietus
