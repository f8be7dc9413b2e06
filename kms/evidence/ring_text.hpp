// What the signed texts of a recovery site have in common (ring_file.hpp, ring_receipt.hpp): a
// first line with the version, lines that begin with a word, words with one space between them.
#pragma once

#include <quietus/result.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/text_lines.hpp"

namespace quietus::ring_text {

template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> exactly(const std::optional<Bytes>& bytes) {
  std::array<std::uint8_t, N> out{};
  if (!bytes || bytes->size() != N) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

template <class Id>
std::optional<Id> hex_of(std::string_view text) {
  return exactly<sizeof(Id)>(from_hex(text));
}

// What stands behind `name` on the next line; empty, which is no value, when the line is another.
inline std::string_view value_of(LineReader& lines, std::string_view name) {
  const auto line = lines.next();
  if (!line || !line->starts_with(name)) return {};
  return line->substr(name.size());
}

// What stands between the spaces of a line, behind its first word.
template <std::size_t N>
std::optional<std::array<std::string_view, N>> words_of(std::string_view line,
                                                        std::string_view first) {
  if (!line.starts_with(first)) return std::nullopt;
  line.remove_prefix(first.size());
  std::array<std::string_view, N> words;
  for (std::size_t i = 0; i + 1 < N; ++i) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    words[i] = line.substr(0, space);
    line.remove_prefix(space + 1);
  }
  words.back() = line;
  return words;
}

// The first line is `family` and the number 1. kUnsupported for a higher one; else kUnverified, and
// `what` is in the text.
inline Result<void> check_first_line(std::optional<std::string_view> line, std::string_view family,
                                     const std::string& what) {
  const auto other = [&] { return unverified(what + ": this is none"); };
  if (!line || !line->starts_with(family)) return other();
  const auto version = parse_decimal(line->substr(family.size()));
  if (!version || *version < 1) return other();
  if (*version > 1) return Error(ErrorCode::kUnsupported, what + ": of a newer version");
  return {};
}

}  // namespace quietus::ring_text
