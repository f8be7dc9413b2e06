#include "evidence/governance_entries.hpp"

#include "evidence/entry_builder.hpp"

namespace quietus {

std::string entry_text(const EntryHead& head, const GovernanceDecision& entry) {
  return EntryBuilder(head, kDecisionKind)
      .code("what", entry.what)
      .bytes("operator", entry.who)
      .bytes("about", entry.about)
      .bytes("sha256", entry.hash)
      .text();
}

}  // namespace quietus
