// Strict text encodings of bytes: one text for one value, anything else is refused.
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace quietus {

std::string to_hex(ByteView bytes);                    // lower case
std::optional<Bytes> from_hex(std::string_view text);  // lower case only, even length

std::string hex_id(std::uint64_t id);  // 16 digits
std::optional<std::uint64_t> parse_hex_id(std::string_view text);

// RFC 4648 section 4, with padding.
std::string to_base64(ByteView bytes);
std::optional<Bytes> from_base64(std::string_view text);

// RFC 4648 section 5, without padding, as in JOSE (RFC 7515 section 2).
std::string to_base64url(ByteView bytes);
std::optional<Bytes> from_base64url(std::string_view text);

// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

// `text` as one line that its reader sees as it is: every byte of what is no UTF-8, of control
// characters but the tab, and of characters without width or that put others into another order, as
// \xNN. A backslash stays one: this is to be read, not to be read back.
std::string visible(std::string_view text);

}  // namespace quietus
