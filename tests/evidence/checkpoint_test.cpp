#include "evidence/checkpoint.hpp"

#include "evidence/test_keys.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

TEST_CASE("own checkpoints read, write and sign to the same bytes", "[checkpoint]") {
  const auto vectors = own_vectors("merkle/signed_note.json");
  const auto roots = own_vectors("merkle/quietus_rfc6962.json")["roots"];
  const NoteKey key = must(parse_vkey(vectors["log_vkey"].get<std::string>()));
  const auto seed = key_from<SigningRole>(from_hex(vectors["log_seed"].get<std::string>()).value());
  for (const auto& test : vectors["checkpoints"]) {
    const Checkpoint checkpoint = must(open_checkpoint(test["note"].get<std::string>(), key));
    CHECK(checkpoint.origin == "quietus.example/vault-1");
    CHECK(checkpoint.head.size == test["size"]);
    CHECK(to_hex(checkpoint.head.root) == roots[test["size"].get<std::size_t>()]);
    CHECK(format_checkpoint(checkpoint) == test["body"]);
    CHECK(test["note"].get<std::string>().starts_with(must(sign_checkpoint(checkpoint, seed))));
  }
}

TEST_CASE("a checkpoint is of the log whose key signed it", "[checkpoint]") {
  const SigningKey secret = signing_key("log");
  const NoteKey key{"log.example", ed25519_public_key(secret)};
  const Checkpoint checkpoint{"log.example", {1, leaf_hash(as_bytes("entry"))}};
  CHECK(open_checkpoint(must(sign_checkpoint(checkpoint, secret)), key).ok());
  const std::string other =
      must(sign_note("other" + format_checkpoint(checkpoint), key.name, secret));
  CHECK_FAILS_WITH(open_checkpoint(other, key), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(sign_checkpoint({"not a name", checkpoint.head}, secret),
                   ErrorCode::kInvalidArgument);
}

TEST_CASE("extension lines are read and ignored", "[checkpoint]") {
  const Checkpoint checkpoint{"log.example", {1, leaf_hash(as_bytes("entry"))}};
  const std::string text = format_checkpoint(checkpoint);
  CHECK(must(parse_checkpoint(text + "extension\nanother\n")).head == checkpoint.head);
  CHECK_FAILS_WITH(parse_checkpoint(text + "\n"), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(parse_checkpoint(text + "extension"), ErrorCode::kUnverified);
}

TEST_CASE("malformed checkpoints are refused", "[checkpoint]") {
  const std::string root = to_base64(Hash{});
  const std::string malformed[] = {
      "",
      "log\n",
      "log\n1\n",
      "log\n1\n" + root,
      "\n1\n" + root + "\n",
      "log\n01\n" + root + "\n",
      "log\n-1\n" + root + "\n",
      "log\n+1\n" + root + "\n",
      "log\n 1\n" + root + "\n",
      "log\n1 \n" + root + "\n",
      "log\n\n" + root + "\n",
      "log\n1.0\n" + root + "\n",
      "log\n18446744073709551616\n" + root + "\n",  // 2^64
      "log\n18446744073709551615\n" + root + "\n",  // beyond the largest tree
      "log\n1\n" + root.substr(4) + "\n",
      "log\n1\n" + root + "=\n",
      "log\n1\nnot base64\n",
      "log\n0\n" + root + "\n",  // the empty tree has one root
  };
  for (const std::string& text : malformed) {
    INFO(text);
    CHECK_FAILS_WITH(parse_checkpoint(text), ErrorCode::kUnverified);
  }
}

}  // namespace
}  // namespace quietus::test
