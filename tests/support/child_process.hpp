// Code that must run in a process of its own: because it ends the process, or changes its limits.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>

// The sanitizers take over memory locking and address-space limits; tests of those say so and pass.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define QUIETUS_TEST_SANITIZED 1
#else
#define QUIETUS_TEST_SANITIZED 0
#endif

namespace quietus::test {

// What waitpid() says of a forked child that runs `body`, whose bool becomes exit status 0 or 1.
template <class F>
int status_of_child(F&& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Catch2 turns SIGABRT into a report; here the plain signal is wanted.
    static_cast<void>(std::signal(SIGABRT, SIG_DFL));
    _exit(body() ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

template <class F>
bool true_in_child(F&& body) {
  const int status = status_of_child(body);
  return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

// Whether `body` ends its process by abort().
template <class F>
bool aborts(F&& body) {
  const int status = status_of_child([&] {
    body();
    return true;
  });
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace quietus::test
