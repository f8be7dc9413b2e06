// A call of the library that takes or gives bytes piece by piece.
#pragma once

#include <quietus/quietus.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "secret.hpp"

namespace quietus::node {

// The call runs on a thread of its own, because the library waits in it for JavaScript: were that
// one of libuv's few, four streams from files would wait for ever, for files need those threads
// too. It moves by step(), which is asked for on a thread of the pool and ends as soon as the
// library wants to hear from JavaScript again.
class Stream {
 public:
  using Call = std::function<int(Stream&)>;  // gives source() or sink() to the library

  explicit Stream(Call call) : call_(std::move(call)) {}
  ~Stream();  // stops it
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  struct Step {
    bool ended = false;
    int code = QUIETUS_OK;  // when it has ended
    std::string error;
    Secret piece;  // when it has not: what was read
  };
  // Gives the library a chunk, of which the empty one is the last, and waits until it wants
  // another, has a piece, or has ended. The first step begins the call and gives nothing.
  Step step(Secret chunk);
  // Lets the call end, with nothing written, and waits for that.
  void stop();

  // For the library. The context is the stream.
  static int source(void* context, std::uint8_t* data, std::size_t capacity, std::size_t* size);
  static int sink(void* context, const std::uint8_t* data, std::size_t size);

  quietus_record_version* version() { return &version_; }

 private:
  enum class Turn { kNotBegun, kLibrary, kJavaScript, kEnded };

  void run();
  // False: it was stopped.
  bool ask(std::unique_lock<std::mutex>& lock);

  const Call call_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Turn turn_ = Turn::kNotBegun;
  bool stopped_ = false;
  Secret chunk_;
  std::size_t taken_ = 0;  // of it
  Secret piece_;
  int code_ = QUIETUS_EINTERNAL;
  std::string error_ = "out of memory";
  quietus_record_version version_{};
  std::thread thread_;
};

}  // namespace quietus::node
