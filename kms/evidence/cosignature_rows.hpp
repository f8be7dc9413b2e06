// What witnesses said of the log, kept in the control store beside it.
//
//   key                    value
//   'W' || size (8)        sealed under the vault's row key: version u8 (1) || list of signature
//                          lines of witnesses under the checkpoint of that size
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <vector>

#include "evidence/log_store.hpp"
#include "evidence/signed_note.hpp"

namespace quietus {

inline constexpr std::size_t kMaxCosignatures = 32;  // of one checkpoint

// None is not an error. kCorrupt.
Result<std::vector<NoteSignature>> stored_cosignatures(ControlReader& reader, const LogSeal& seal,
                                                       std::uint64_t size);
// Adds to those stored; one of a key that has one already replaces it. kFull beyond the limit.
Result<void> store_cosignatures(ControlWriter& writer, const LogSeal& seal, std::uint64_t size,
                                const std::vector<NoteSignature>& cosignatures);

}  // namespace quietus
