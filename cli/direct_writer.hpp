// Writes a large file past the page cache, on a thread of its own: the device works while the next
// part is made. What would be read again soon, such as a vault's own pages, stays in memory, and
// nothing piles up that who wants something durable would have to wait for.
#pragma once

#include <quietus/result.hpp>

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

namespace quietus::cli {

class DirectWriter {
 public:
  // For a file whose offset is a multiple of kAlignment; the descriptor is borrowed. None where the
  // system does not do it.
  static std::unique_ptr<DirectWriter> over(int descriptor);

  DirectWriter(const DirectWriter&) = delete;
  DirectWriter& operator=(const DirectWriter&) = delete;
  ~DirectWriter();

  // 0, or an errno: of these bytes, when there is no room for them; else of an earlier part. Each
  // is told at the latest by finish().
  int write(ByteView bytes);
  // The system has all of it when this returns 0; it is not durable yet. Nothing after it.
  int finish();

  static constexpr std::size_t kAlignment = 4096;

 private:
  static constexpr std::int64_t kReserve = std::int64_t{16} << 20;
  static constexpr std::size_t kPiece = std::size_t{4} << 20;
  struct Free {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };
  using Buffer = std::unique_ptr<std::uint8_t, Free>;

  explicit DirectWriter(int descriptor);
  int reserve();
  void run();
  int hand_over();
  int settle();
  int write_all(ByteView bytes) const;

  int descriptor_;
  std::int64_t size_;      // of the file, with what is still to be written
  std::int64_t reserved_;  // up to where there is room
  bool reserves_ = true;
  Buffer buffers_[2];
  std::size_t filling_ = 0;  // which of them
  std::size_t filled_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false;  // the other buffer is written
  bool ended_ = false;
  int error_ = 0;
  std::thread thread_;  // last: it uses the others
};

}  // namespace quietus::cli
