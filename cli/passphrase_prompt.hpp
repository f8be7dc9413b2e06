// A passphrase typed at the terminal, with echo off. It lies in one locked buffer, is wiped when
// that goes, and reaches the library through a pipe: it is never in a std::string, an argument or a
// file.
#pragma once

#include <quietus/result.hpp>

#include <cstddef>
#include <memory>
#include <string_view>

namespace quietus::cli {

class Passphrase {
 public:
  // Asks once. kWrongKey when there is no terminal; kRefused when the person gives up.
  static Result<Passphrase> ask(std::string_view question);
  // Asks twice and refuses an empty one or two that differ.
  static Result<Passphrase> ask_new(std::string_view question);

  // A descriptor from which the passphrase can be read once, as one line. The caller closes it.
  Result<int> as_pipe() const;

 private:
  struct Line;
  struct Wipe {
    void operator()(Line* line) const noexcept;
  };
  explicit Passphrase(std::unique_ptr<Line, Wipe> line) : line_(std::move(line)) {}

  std::unique_ptr<Line, Wipe> line_;
};

}  // namespace quietus::cli
