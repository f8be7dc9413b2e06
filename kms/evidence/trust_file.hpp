// What a trust file says, taken apart. quietus/trust.hpp has the form of the file.
#pragma once

#include <quietus/result.hpp>
#include <quietus/trust.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/signed_note.hpp"

namespace quietus {

// A witness, or a group of voters.
struct Voter {
  std::string name;
  std::optional<NoteKey> key;        // of a witness
  std::size_t threshold = 0;         // of a group: how many of its members must have cosigned
  std::vector<std::size_t> members;  // of a group: indices of voters, all lower than its own
  bool in_group = false;
};

struct TrustedIssuer {
  std::string name;
  Ed25519PublicKey key{};
};

struct TrustRules {
  std::vector<NoteKey> logs;
  std::vector<Voter> voters;
  std::optional<std::size_t> quorum;  // a voter; nothing: no witness is needed
  std::string quorum_name;
  std::optional<TrustedIssuer> issuer;
};

// kInvalidArgument, with the number of the line.
Result<TrustRules> parse_trust_file(std::string_view text);

// The witnesses of the rules that cosigned a note, as (voter, seconds). kUnverified for a bad
// cosignature by one of them.
struct VerifiedCosignature {
  std::size_t voter = 0;
  std::uint64_t unix_seconds = 0;
};
Result<std::vector<VerifiedCosignature>> verified_cosignatures(const TrustRules& rules,
                                                               const SignedNote& note);

// The same, as they are shown.
std::vector<WitnessStatement> statements_of(const TrustRules& rules,
                                            const std::vector<VerifiedCosignature>& cosignatures);

// Whether these are enough. kUnverified names what is missing.
Result<void> check_quorum(const TrustRules& rules,
                          const std::vector<VerifiedCosignature>& cosignatures);

}  // namespace quietus
