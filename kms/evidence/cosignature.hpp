// C2SP tlog-cosignature v1.0.1: a witness's word that a checkpoint goes on from every earlier one
// it saw of that log, as a signature line of the checkpoint's note. Ed25519, key type 04:
//
//   signature  = time (8, seconds since 1970, big-endian) || Ed25519 signature (64) of
//   message    = "cosignature/v1\n" "time <decimal>\n" || the note's text
//
// The message does not name the witness, so a key is one witness's and signs nothing else.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "evidence/signed_note.hpp"

namespace quietus {

// The signature line that the witness `name` adds to a checkpoint with this text.
// kInvalidArgument for a name that no key can have, and for a time beyond 2^63 - 1.
Result<std::string> cosign_text(std::string_view text, std::string_view name, const SigningKey& key,
                                std::uint64_t unix_seconds);

// When the witness cosigned the note, in seconds; of several cosignatures the latest. Nothing when
// it did not. kUnverified for a bad signature by this key, whatever other ones there are.
Result<std::optional<std::uint64_t>> cosigned_at(const SignedNote& note, const NoteKey& witness);

}  // namespace quietus
