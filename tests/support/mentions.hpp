// Whether a text, or one of several, says something.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace quietus::test {

inline bool mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

inline bool mentions(const std::vector<std::string>& lines, std::string_view part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return mentions(line, part); });
}

}  // namespace quietus::test
