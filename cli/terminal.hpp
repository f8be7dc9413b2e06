// The two streams. Results go to standard output and nothing else does; messages, hints, plans and
// questions go to standard error. Messages start with "quietus: " and are made printable.
#pragma once

#include "json_output.hpp"

#include <quietus/result.hpp>

#include <string>
#include <string_view>

namespace quietus::cli {

class Terminal {
 public:
  bool json = false;  // print one JSON document instead of text

  // Results. A failed write is remembered and told by finish().
  void print(std::string_view text);     // made printable, line ends kept
  void line(std::string_view text);      // made printable, one line
  void verbatim(std::string_view text);  // as it is: a certificate, a key, a checkpoint
  void document(const Json& document);
  // Content of a record; escaped when somebody looks at it on a terminal.
  Result<void> content(ByteView bytes);
  // kIo when anything printed did not arrive.
  Result<void> finish();

  // Everything else.
  static void message(std::string_view text);
  static void hint(std::string_view text);
  static void plan(std::string_view text);  // several lines, no prefix

  // Asks the person at the terminal to type `expected`. kRefused when they type something else, and
  // when nobody is there to ask.
  static Result<void> confirm(std::string_view question, std::string_view expected);

 private:
  void put(std::string_view text);
  Result<void> written() const;

  std::string tail_;  // of content on a terminal: an unfinished character
  int failed_ = 0;    // errno of the first failed write
};

// "cannot write x: No space left on device" with the text of an errno.
Error io_error(std::string_view doing, int error_number);

}  // namespace quietus::cli
