// What may be called what: the rules of the names of records and of the elements of scope paths, in
// one place. Names are compared as bytes; nothing is normalised.
#pragma once

#include <quietus/result.hpp>

#include <string_view>
#include <vector>

namespace quietus {

inline constexpr std::size_t kMaxRecordName = 1024;   // bytes
inline constexpr std::size_t kMaxContentType = 255;   // bytes
inline constexpr std::size_t kMaxScopeElement = 255;  // bytes
inline constexpr std::size_t kMaxScopeElements = 32;  // in a path

// 1 to 1,024 bytes of UTF-8 without control characters; '/' stands only between elements that are
// neither empty nor "." or "..". kInvalidArgument.
Result<void> validate_record_name(std::string_view name);

// As a record's name without '/', of at most 255 bytes. kInvalidArgument.
Result<void> validate_scope_element(std::string_view element);

// The elements of "acme/customer-data/user-7": 1 to 32, as views into `path`. kInvalidArgument.
Result<std::vector<std::string_view>> parse_scope_path(std::string_view path);

// At most 255 bytes of UTF-8 without control characters; may be empty. kInvalidArgument.
Result<void> validate_content_type(std::string_view content_type);

}  // namespace quietus
