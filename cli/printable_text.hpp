// Text that a terminal can be trusted with, and numbers as people read them.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quietus::cli {

// `text` with everything escaped that a terminal would obey instead of show: control characters,
// bytes that are not UTF-8 (both as \xNN), and characters that reorder or break lines (as
// \u{NNNN}). Characters in `keep` stay as they are.
std::string printable(std::string_view text, std::string_view keep = {});

// How many bytes at the end of `text` begin a UTF-8 sequence that is not complete yet (0 to 3).
std::size_t unfinished_tail(std::string_view text) noexcept;

// "2026-01-31T12:00:00.000Z"; empty for 0.
std::string timestamp(std::int64_t unix_ms);

std::string grouped(std::uint64_t number);   // "1,234,567"
std::string byte_size(std::uint64_t bytes);  // "1.5 MiB"
std::string hex16(std::uint64_t id);         // 16 hex digits, as logs and certificates write ids
std::string hex(ByteView bytes);
// What a cell shows for nothing: "-".
std::string or_dash(std::string text);
// "1 record", "2 records".
std::string counted(std::uint64_t number, std::string_view noun);

// Rows of cells, left-aligned in columns two spaces apart, one line each. Cells are made printable.
std::string columns(const std::vector<std::vector<std::string>>& rows);

}  // namespace quietus::cli
