// One line on standard error that says how far long work has come; on a terminal only.
#pragma once

#include <quietus/vault.hpp>

#include <chrono>
#include <string>

namespace quietus::cli {

class ProgressLine {
 public:
  // `doing`: "importing". `unit`: "records", or "" for bytes.
  ProgressLine(std::string doing, std::string unit);
  ~ProgressLine();  // takes the line away
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ProgressLine(ProgressLine&&) = delete;
  ProgressLine& operator=(ProgressLine&&) = delete;

  // To be handed to the library; valid as long as this object. Empty when there is no terminal.
  Progress callback();

 private:
  void show(std::uint64_t done, std::uint64_t total);

  std::string doing_;
  std::string unit_;
  bool on_terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace quietus::cli
