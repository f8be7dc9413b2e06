// The read transactions of one environment, kept and renewed, so that a read takes no lock and
// allocates nothing once the place it uses has been used before.
#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>

namespace quietus {

class LmdbReaders {
 public:
  // Whoever has taken a place owns its transaction until the place is given back. Reset between
  // uses, so that it pins no pages.
  struct alignas(64) Place {
    std::atomic<bool> taken{false};
    MDB_txn* transaction = nullptr;
  };

  // A free place, or null after waiting in vain for about two seconds.
  Place* take() noexcept;
  static void give_back(Place& place) noexcept {
    place.taken.store(false, std::memory_order_release);
  }

  // Waits until no read runs and lets none begin.
  void take_all() noexcept;
  void give_back_all() noexcept;

  // Frees the transactions. Requires: take_all(), or that no other thread is here.
  void abort_all() noexcept;

 private:
  static constexpr std::size_t kPlaces = 128;

  Place* try_take(std::size_t first) noexcept;

  std::array<Place, kPlaces> places_;
};

}  // namespace quietus
