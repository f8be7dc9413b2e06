// LMDB's return codes in the library's terms.
#pragma once

#include <quietus/result.hpp>

#include <string_view>

namespace quietus {

// `rc` is a failure of LMDB or an errno value. The text is "doing: what LMDB says".
Error lmdb_error(int rc, std::string_view doing);

// Map, disk or quota exhausted.
bool means_full(int rc) noexcept;

}  // namespace quietus
