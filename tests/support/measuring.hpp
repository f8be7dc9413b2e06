// Time and memory, for tests that print or bound them.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

namespace quietus::test {

// Anonymous memory of this process; pages of the store's file are the kernel's to drop.
inline std::uint64_t anonymous_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10);
  return 0;
}

// The most that was in use while it lived.
class PeakMemory {
 public:
  PeakMemory()
      : thread_([this] {
          while (!stop_) {
            peak_ = std::max<std::uint64_t>(peak_, anonymous_kib());
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
          }
        }) {}
  PeakMemory(PeakMemory&&) = delete;
  PeakMemory& operator=(PeakMemory&&) = delete;
  PeakMemory(const PeakMemory&) = delete;
  PeakMemory& operator=(const PeakMemory&) = delete;
  ~PeakMemory() {
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t stop() {
    stop_ = true;
    thread_.join();
    return peak_;
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> peak_{0};
  std::thread thread_;
};

class Timer {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace quietus::test
