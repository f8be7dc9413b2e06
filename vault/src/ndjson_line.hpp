// One line of .ndjson: {"name": text, "value": base64, "content_type"?: text, "tags"?: {}}.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <string_view>

namespace quietus {

inline constexpr std::size_t kNdjsonLineLimit =
    std::size_t{64} * 1024 * 1024;  // bytes, without the line end
// A value of this size fits in a line, whatever its name and content type.
inline constexpr std::size_t kNdjsonValueLimit = (kNdjsonLineLimit - 16'384) / 4 * 3;

struct NdjsonRecord {
  std::string name;
  Bytes value;
  std::string content_type;
};

// Strict: exactly these members, none twice, text in UTF-8, canonical base64. kInvalidArgument says
// what is wrong and never quotes the line.
Result<NdjsonRecord> parse_ndjson_line(std::string_view line);

// The line with its line end.
std::string format_ndjson_line(const NdjsonRecord& record);

}  // namespace quietus
