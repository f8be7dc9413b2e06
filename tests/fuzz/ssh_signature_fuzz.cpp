// SSH keys and signatures on hostile bytes: a verdict each, never a crash. What is read as a key is
// written to the same text again; no bytes are a signature of what nobody signed; files of
// operators' keys are taken whole or not at all.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "evidence/ssh_signature.hpp"
#include "governance/operators.hpp"

namespace {

using namespace quietus;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_key(ByteView wire) {
  const auto key = parse_ssh_key(wire);
  if (!key) return;
  require(Bytes(wire.begin(), wire.end()) == key->wire);
  const auto line = parse_ssh_key_line(ssh_key_text(*key));
  require(line.ok() && line->key == *key);
}

void check_file(std::string_view text) {
  const auto keys = parse_operator_keys(text);
  if (!keys) return;
  require(!keys->empty());
  for (const SshPublicKey& key : *keys) check_key(key.wire);
}

void check_signature(std::string_view armored) {
  // Nobody signed this, in a namespace that there is none of.
  require(!verify_ssh_signature(armored, as_bytes("nobody signed this"), "fuzz@quietus").ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0: check_key(rest); break;
    case 1: check_file(as_text(rest)); break;
    default: check_signature(as_text(rest));
  }
  return 0;
}
