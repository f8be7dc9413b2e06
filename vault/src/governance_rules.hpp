// What the parts of Governance share.
#pragma once

#include <quietus/governance.hpp>

#include "evidence/governance_entries.hpp"
#include "evidence/ssh_signature.hpp"
#include "governance/requests.hpp"
#include "vault_core.hpp"

namespace quietus {

OperatorInfo info_of(const Operator& person);
// The id of one who is not there.
std::string name_in(const std::vector<Operator>& people, const OperatorId& id);
// kInvalidArgument.
Result<Operator> first_admin(const OperatorSpec& first, UnixMillis now);
// kInvalidArgument.
Result<Operator> operator_from(const OperatorSpec& spec, UnixMillis now);

Result<void> log_decision(ControlWriter& writer, const RowSeal& seal, UnixMillis now,
                          const GovernanceDecision& decision);

// The operator whose key signed the text. kUnverified, also when a security key was not touched;
// kRefused: not an operator now.
struct SignedBy {
  Operator person;
  VerifiedSshSignature signature;
};
Result<SignedBy> who_signed(ControlReader& reader, const RowSeal& seal, const SignedText& text,
                            std::string_view name_space, UnixMillis now);
// Glass that was broken is mended by an admin who signs. kCorrupt, and nothing is written: see
// check_rights().
Result<void> note_used(ControlWriter& writer, const ScopeTable& scopes, RootRow& root,
                       const SignedBy& by, UnixMillis now);

}  // namespace quietus
