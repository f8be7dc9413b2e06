// C2SP tlog-checkpoint v1.0.0: the state of a log as the text of a signed note.
//
//   <origin>
//   <size, decimal>
//   <base64 of the root>
//   <extension lines, read and ignored, never written>
//
// The log's key has the origin as its name.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <string_view>

#include "evidence/merkle_proof.hpp"
#include "evidence/signed_note.hpp"

namespace quietus {

struct Checkpoint {
  std::string origin;
  TreeHead head;
};

std::string format_checkpoint(const Checkpoint& checkpoint);
Result<Checkpoint> parse_checkpoint(std::string_view text);  // kUnverified

// The signed note of a checkpoint. kInvalidArgument when the origin cannot be the name of a key.
Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const SigningKey& log_key);

// The checkpoint in a note that the log's key signed and whose origin is that key's name.
// kUnverified.
Result<Checkpoint> open_checkpoint(std::string_view note, const NoteKey& log_key);

}  // namespace quietus
