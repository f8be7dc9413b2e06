#include "terminal.hpp"

#include "printable_text.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace quietus::cli {
namespace {

void to_stderr(std::string_view text) {
  // Nothing is left to do when standard error itself does not take it.
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

Error io_error(std::string_view doing, int error_number) {
  const ErrorCode code =
      error_number == ENOSPC || error_number == EDQUOT ? ErrorCode::kFull : ErrorCode::kIo;
  return {code, std::string(doing) + ": " + std::generic_category().message(error_number)};
}

void Terminal::put(std::string_view text) {
  if (failed_ != 0) return;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
    failed_ = errno != 0 ? errno : EIO;
}

void Terminal::print(std::string_view text) {
  put(printable(text, "\n"));
}
void Terminal::line(std::string_view text) {
  put(printable(text) + "\n");
}
void Terminal::verbatim(std::string_view text) {
  put(text);
}
void Terminal::document(const Json& document) {
  put(to_text(document));
}

Result<void> Terminal::content(ByteView bytes) {
  if (isatty(STDOUT_FILENO) == 0) {
    put(as_text(bytes));
  } else {
    tail_ += as_text(bytes);
    const std::size_t whole = tail_.size() - unfinished_tail(tail_);
    put(printable(std::string_view(tail_).substr(0, whole), "\n\t"));
    tail_.erase(0, whole);
  }
  return written();
}

Result<void> Terminal::finish() {
  put(printable(tail_));
  tail_.clear();
  errno = 0;
  if (std::fflush(stdout) != 0 && failed_ == 0) failed_ = errno != 0 ? errno : EIO;
  return written();
}

// A full disk behind standard output is the caller's: never kFull, which speaks of the vault's.
Result<void> Terminal::written() const {
  if (failed_ == 0) return {};
  return Error(ErrorCode::kIo, io_error("cannot write to standard output", failed_).context());
}

void Terminal::message(std::string_view text) {
  to_stderr("quietus: " + printable(text) + "\n");
}
void Terminal::hint(std::string_view text) {
  to_stderr("quietus: hint: " + printable(text) + "\n");
}
void Terminal::plan(std::string_view text) {
  to_stderr(printable(text, "\n"));
}

Result<void> Terminal::confirm(std::string_view question, std::string_view expected) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0)
    return Error(ErrorCode::kRefused,
                 "not confirmed: there is no terminal to ask on; give --yes to go ahead");
  to_stderr("quietus: " + printable(question) + " Type \"" + printable(expected) +
            "\" to go ahead: ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == expected) return {};
  return Error(ErrorCode::kRefused, "not confirmed; nothing was changed");
}

}  // namespace quietus::cli
