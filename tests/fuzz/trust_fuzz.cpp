// What a verifier and a witness read of strangers: trust files, notes, requests, states. A verdict
// each, never a crash; what is read can be written and read again.
#include <cstdint>
#include <cstdlib>

#include "evidence/add_checkpoint.hpp"
#include "evidence/trust_file.hpp"
#include "evidence/witness.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

using namespace quietus;

// Keys that sign nothing here, and a quorum that needs them.
const Trust& sample_trust() {
  static const Trust trust = [] {
    const NoteKey log{"log.example", {1}};
    const NoteKey witness{"witness.example", {2}, NoteKeyType::kCosignature};
    return Trust::parse("log " + format_vkey(log) + "\nwitness w " + format_vkey(witness) +
                        "\nquorum w\n")
        .value();
  }();
  return trust;
}

void check_rules(std::string_view text) {
  const auto rules = parse_trust_file(text);
  if (!rules) return;
  require(!rules->quorum_name.empty());
  for (std::size_t i = 0; i < rules->voters.size(); ++i) {
    for (const std::size_t member : rules->voters[i].members) require(member < i);
    require(rules->voters[i].threshold <= rules->voters[i].members.size());
  }
  // Nobody cosigned: whoever is asked for is missed.
  require(check_quorum(*rules, {}).ok() == !rules->quorum.has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = as_text(ByteView(data + 1, size - 1));
  switch (data[0] % 4) {
    case 0: check_rules(text); break;
    case 1: require(!sample_trust().check_checkpoint(text).ok()); break;
    case 2:
      if (const auto request = parse_add_checkpoint(text))
        require(format_add_checkpoint(*request) == text);
      break;
    default:
      if (const auto state = parse_witness_state(text))
        require(format_witness_state(*state) == text);
  }
  return 0;
}
