#include "progress.hpp"

#include "printable_text.hpp"

#include <unistd.h>

#include <cstdio>

namespace quietus::cli {
namespace {

constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

ProgressLine::ProgressLine(std::string doing, std::string unit)
    : doing_(std::move(doing)), unit_(std::move(unit)), on_terminal_(isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() {
  if (shown_) (void)std::fputs("\r\033[K", stderr);
}

Progress ProgressLine::callback() {
  if (!on_terminal_) return {};
  return [this](std::uint64_t done, std::uint64_t total) {
    show(done, total);
    return true;
  };
}

void ProgressLine::show(std::uint64_t done, std::uint64_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  shown_ = true;
  const auto amount = [this](std::uint64_t number) {
    return unit_.empty() ? byte_size(number) : grouped(number);
  };
  std::string text = "\r\033[Kquietus: " + doing_ + ": " + amount(done);
  if (total != 0) text += " of " + amount(total);
  if (!unit_.empty()) text += " " + unit_;
  (void)std::fputs(text.c_str(), stderr);
}

}  // namespace quietus::cli
