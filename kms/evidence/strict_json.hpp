// JSON as signed things need it: one reading for everybody. Members keep their order, and text that
// different parsers would read differently is refused.
#pragma once

#include <quietus/result.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/text_encoding.hpp"
#include "evidence/code.hpp"

namespace quietus {

using Json = nlohmann::ordered_json;

// Refuses duplicate members at any depth, numbers that are not unsigned integers of 64 bits, bytes
// outside ASCII, nesting beyond 16, more than 64 members in one object. kUnverified.
Result<Json> parse_strict_json(std::string_view text);

// The one text of a value: no white space, members in their order, ASCII.
std::string canonical_text(const Json& json);

// Takes an object apart. As with ByteReader, a reader that has once failed keeps failing: a parser
// reads all members first and asks once. What a failed read returns is empty.
class JsonFields {
 public:
  // `fault` gets the name of the first member that is missing or of the wrong kind; it outlives
  // this.
  JsonFields(const Json& json, std::string& fault) : json_(&json), fault_(&fault) {}

  bool has(const char* name) const { return json_->is_object() && json_->contains(name); }
  std::string text(const char* name);
  std::uint64_t number(const char* name);
  bool boolean(const char* name);
  JsonFields object(const char* name);
  const Json& list(const char* name);
  Code code(const char* name);
  std::uint64_t id(const char* name);  // 16 hex digits
  UnixMillis time(const char* name);   // RFC 3339, as format_utc() writes it

  template <std::size_t N>
  std::array<std::uint8_t, N> hex(const char* name) {
    std::array<std::uint8_t, N> out{};
    const std::optional<Bytes> bytes = from_hex(text(name));
    if (!bytes || bytes->size() != N)
      fail(name);
    else
      std::copy(bytes->begin(), bytes->end(), out.begin());
    return out;
  }

  void fail(const char* name);

 private:
  const Json& member(const char* name);

  const Json* json_;
  std::string* fault_;
};

}  // namespace quietus
