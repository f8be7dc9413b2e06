// Another process of the test, which does something, says so, and then stays until it is ended.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <utility>

namespace quietus::test {

class OtherProcess {
 public:
  // `begin` runs in the child and returns what must live as long as it does, or nothing usable:
  // then the child ends at once. Waits until it has returned.
  template <class F>
  explicit OtherProcess(F&& begin) {
    std::array<int, 2> ready{};
    REQUIRE(pipe2(ready.data(), O_CLOEXEC) == 0);
    child_ = fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      // Catch2's handlers would print a second report.
      static_cast<void>(std::signal(SIGTERM, SIG_DFL));
      const auto held = std::forward<F>(begin)();
      if (!held || write(ready[1], "r", 1) != 1) _exit(1);
      for (;;) pause();
    }
    close(ready[1]);
    char byte = 0;
    const bool began = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    REQUIRE(began);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() { end(); }

  void stop() const {
    REQUIRE(kill(child_, SIGSTOP) == 0);
    int status = 0;
    REQUIRE(waitpid(child_, &status, WUNTRACED) == child_);
    REQUIRE(WIFSTOPPED(status));
  }
  void go_on() const { REQUIRE(kill(child_, SIGCONT) == 0); }
  void end() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
  }
  pid_t id() const { return child_; }

 private:
  pid_t child_ = -1;
};

}  // namespace quietus::test
