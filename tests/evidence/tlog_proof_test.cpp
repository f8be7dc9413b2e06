#include "evidence/tlog_proof.hpp"

#include "base/text_encoding.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

struct Sample {
  Sample() {
    const auto vectors = own_vectors("merkle/signed_note.json");
    key = must(parse_vkey(vectors["log_vkey"].get<std::string>()));
    text = vectors["tlog_proof_index6_size7"];
  }

  // The proof with `from`, which is there once, replaced.
  std::string with(const std::string& from, const std::string& to) const {
    REQUIRE(text.find(from) != std::string::npos);
    std::string changed = text;
    return changed.replace(changed.find(from), from.size(), to);
  }

  NoteKey key;
  std::string text;
  std::string entry = "quietus-leaf-6";
};

TEST_CASE("the sample proof verifies for its entry only", "[tlog-proof]") {
  const Sample sample;
  const Checkpoint checkpoint =
      must(verify_tlog_proof(sample.text, as_bytes(sample.entry), sample.key));
  CHECK(checkpoint.head.size == 7);
  CHECK_FAILS_WITH(verify_tlog_proof(sample.text, as_bytes("quietus-leaf-5"), sample.key),
                   ErrorCode::kUnverified);
}

TEST_CASE("a proof reads and writes to the same bytes, but for its extra line", "[tlog-proof]") {
  const Sample sample;
  const std::string plain = sample.with("extra cXVpZXR1cw==\n", "");
  CHECK(format_tlog_proof(must(parse_tlog_proof(plain))) == plain);
  CHECK(format_tlog_proof(must(parse_tlog_proof(sample.text))) == plain);
  CHECK(verify_tlog_proof(plain, as_bytes(sample.entry), sample.key).ok());
}

TEST_CASE("a proof of another index or tree is refused", "[tlog-proof]") {
  const Sample sample;
  const auto verify = [&](const std::string& text) {
    return verify_tlog_proof(text, as_bytes(sample.entry), sample.key);
  };
  CHECK_FAILS_WITH(verify(sample.with("index 6", "index 5")), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(verify(sample.with("index 6", "index 7")), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(verify(sample.with("\n7\n", "\n8\n")), ErrorCode::kUnverified);
  NoteKey other = sample.key;
  other.name = "quietus.example/vault-2";
  CHECK_FAILS_WITH(verify_tlog_proof(sample.text, as_bytes(sample.entry), other),
                   ErrorCode::kUnverified);
}

TEST_CASE("malformed proofs are refused", "[tlog-proof]") {
  const Sample sample;
  std::string many = "c2sp.org/tlog-proof@v1\nindex 0\n";
  for (int i = 0; i < 64; ++i) many += to_base64(Hash{}) + "\n";
  const std::string malformed[] = {
      "",
      sample.with("tlog-proof@v1", "tlog-proof@v2"),
      sample.with("extra cXVpZXR1cw==", "extra cXVpZXR1cw="),
      sample.with("extra cXVpZXR1cw==", "extra  cXVpZXR1cw=="),
      sample.with("extra cXVpZXR1cw==", "extra cXVpZXR1cw==\nextra cXVpZXR1cw=="),
      sample.with("index 6", "index 06"),
      sample.with("index 6", "index -6"),
      sample.with("index 6", "index 6 "),
      sample.with("index 6\n", ""),
      sample.with("cMNInP1ImB", "cMNInP1Im"),
      sample.text.substr(0, sample.text.find("\n\n") + 1),
      many + "\ncheckpoint",
  };
  for (const std::string& text : malformed) {
    INFO(text);
    CHECK_FAILS_WITH(parse_tlog_proof(text), ErrorCode::kUnverified);
  }
}

}  // namespace
}  // namespace quietus::test
