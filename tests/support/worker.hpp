// A process of its own that works on a vault, tells over a pipe what it has done, and can be killed
// or stopped in the middle. To be made only while this process has no vault open.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

namespace quietus::test {

// The child's end of the pipe: lines that are with the parent before tell() returns.
class Telling {
 public:
  explicit Telling(int descriptor) : descriptor_(descriptor) {}
  void tell(std::string_view line) const {
    const std::string text = std::string(line) + "\n";
    if (write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(3);
  }

 private:
  int descriptor_;
};

class Worker {
 public:
  // `body(const Telling&)` runs in the child; false is exit status 1.
  template <class F>
  explicit Worker(const F& body) {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    child_ = fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      for (const int caught : {SIGABRT, SIGSEGV, SIGBUS, SIGTERM, SIGFPE})
        static_cast<void>(std::signal(caught, SIG_DFL));
      close(ends[0]);
      _exit(body(Telling(ends[1])) ? 0 : 1);
    }
    close(ends[1]);
    from_ = ends[0];
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    close(from_);
  }

  // The next line; empty when the child has ended without one.
  std::string hear() {
    std::string line;
    for (char byte = 0; read(from_, &byte, 1) == 1 && byte != '\n';) line += byte;
    if (!line.empty()) heard_.push_back(line);
    return line;
  }
  // Everything told so far and until the child ended.
  const std::vector<std::string>& hear_all() {
    while (!hear().empty()) {
    }
    return heard_;
  }

  void send(int signal) const { REQUIRE(kill(child_, signal) == 0); }
  // Returns when the child is stopped, by itself or by stop().
  void await_stopped() const {
    int status = 0;
    REQUIRE(waitpid(child_, &status, WUNTRACED) == child_);
    REQUIRE(WIFSTOPPED(status));
  }
  void stop() const {
    send(SIGSTOP);
    await_stopped();
  }
  void go_on() const { send(SIGCONT); }
  void end() {
    send(SIGKILL);
    await_end();
  }
  // Its status as waitpid() says it.
  int await_end() {
    int status = -1;
    REQUIRE(waitpid(child_, &status, 0) == child_);
    child_ = -1;
    return status;
  }
  bool succeeds() {
    hear_all();
    const int status = await_end();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t child_ = -1;
  int from_ = -1;
  std::vector<std::string> heard_;
};

inline bool was_killed(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

}  // namespace quietus::test
