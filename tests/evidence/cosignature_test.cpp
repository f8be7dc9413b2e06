#include "evidence/cosignature.hpp"

#include "evidence/test_keys.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

constexpr auto kWitness = NoteKeyType::kCosignature;

// A note by a log and a witness of it.
struct Cosigned {
  SigningKey log = signing_key("log");
  SigningKey secret = signing_key("witness");
  NoteKey witness{"witness.example/w", ed25519_public_key(secret), kWitness};
  std::string text = "log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  std::string note = must(sign_note(text, "log.example", log));

  std::string line(std::uint64_t time) const {
    return must(cosign_text(text, witness.name, secret, time));
  }
  Result<std::optional<std::uint64_t>> time_of(const std::string& cosigned) const {
    return cosigned_at(must(parse_note(cosigned)), witness);
  }
};

TEST_CASE("cosignatures are made to the bytes of the vectors and verify", "[cosignature]") {
  for (const bool shared : {false, true}) {
    const auto found = shared ? shared_vectors("merkle/signed_note.json")
                              : std::optional(own_vectors("merkle/signed_note.json"));
    if (!found) continue;
    const nlohmann::json& vectors = *found;
    const NoteKey witness = must(parse_vkey(vectors["witness_vkey"].get<std::string>(), kWitness));
    CHECK(format_vkey(witness) == vectors["witness_vkey"]);
    const auto seed = key_from<SigningRole>(hex_field(vectors, "witness_seed"));
    CHECK(ed25519_public_key(seed) == witness.key);
    CHECK(vectors["checkpoints"].size() == 4);
    for (const auto& test : vectors["checkpoints"]) {
      const std::string note = test["note"];
      const std::uint64_t time = test["cosignature_time"];
      CHECK(must(cosigned_at(must(parse_note(note)), witness)) == time);
      const std::string line =
          must(cosign_text(test["body"].get<std::string>(), witness.name, seed, time));
      CHECK(note.ends_with("\n" + line));
    }
  }
}

TEST_CASE("of several cosignatures the latest counts, of none nothing", "[cosignature]") {
  const Cosigned sample;
  CHECK(must(sample.time_of(sample.note)) == std::nullopt);
  CHECK(must(sample.time_of(sample.note + sample.line(7))) == 7);
  CHECK(must(sample.time_of(sample.note + sample.line(7) + sample.line(9) + sample.line(8))) == 9);
  CHECK(must(sample.time_of(sample.note + sample.line(0))) == 0);
}

TEST_CASE("a cosignature is of one text, one time and one key", "[cosignature]") {
  const Cosigned sample;
  const std::string other_text =
      must(cosign_text("other\n", sample.witness.name, sample.secret, 7));
  CHECK_FAILS_WITH(sample.time_of(sample.note + other_text), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(sample.time_of(sample.note + sample.line(7) + other_text),
                   ErrorCode::kUnverified);

  NoteSignature moved = must(parse_note(sample.note + sample.line(7))).signatures.back();
  moved.signature[7] = 8;  // another time
  CHECK_FAILS_WITH(sample.time_of(sample.note + format_signature(moved)), ErrorCode::kUnverified);
  moved.signature[7] = 7;
  CHECK(must(sample.time_of(sample.note + format_signature(moved))) == 7);
  moved.signature.pop_back();
  CHECK_FAILS_WITH(sample.time_of(sample.note + format_signature(moved)), ErrorCode::kUnverified);
  moved.signature = {1};
  CHECK_FAILS_WITH(sample.time_of(sample.note + format_signature(moved)), ErrorCode::kUnverified);

  // The same name with another key is another witness: ignored.
  const SigningKey other = signing_key("other");
  const std::string foreign = must(cosign_text(sample.text, sample.witness.name, other, 7));
  CHECK(must(sample.time_of(sample.note + foreign)) == std::nullopt);
}

TEST_CASE("a log's signature is no cosignature, and the other way round", "[cosignature]") {
  const Cosigned sample;
  const std::string as_log = must(sign_note(sample.text, sample.witness.name, sample.secret));
  CHECK(must(sample.time_of(as_log)) == std::nullopt);
  const NoteKey plain{sample.witness.name, sample.witness.key};
  CHECK_FAILS_WITH(open_note(sample.text + "\n" + sample.line(7), std::span(&plain, 1)),
                   ErrorCode::kUnverified);
  CHECK(format_vkey(plain) != format_vkey(sample.witness));
  CHECK_FAILS_WITH(parse_vkey(format_vkey(plain), kWitness), ErrorCode::kUnsupported);
  CHECK_FAILS_WITH(parse_vkey(format_vkey(sample.witness)), ErrorCode::kUnsupported);
}

TEST_CASE("what no cosignature can be is not made", "[cosignature]") {
  const Cosigned sample;
  CHECK_FAILS_WITH(cosign_text(sample.text, "two words", sample.secret, 7),
                   ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(cosign_text(sample.text, "w", sample.secret, std::uint64_t{1} << 63),
                   ErrorCode::kInvalidArgument);
}

TEST_CASE("a time beyond what it may be does not verify", "[cosignature]") {
  const Cosigned sample;
  const std::uint64_t late = std::uint64_t{1} << 63;
  const std::string message = "cosignature/v1\ntime " + std::to_string(late) + "\n" + sample.text;
  const Ed25519Signature bytes = ed25519_sign(sample.secret, as_bytes(message));
  NoteSignature line{sample.witness.name, sample.witness.id(), {0x80, 0, 0, 0, 0, 0, 0, 0}};
  line.signature.insert(line.signature.end(), bytes.begin(), bytes.end());
  CHECK_FAILS_WITH(sample.time_of(sample.note + format_signature(line)), ErrorCode::kUnverified);
}

}  // namespace
}  // namespace quietus::test
