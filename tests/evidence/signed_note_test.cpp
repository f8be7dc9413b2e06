#include "evidence/signed_note.hpp"

#include "evidence/test_keys.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

constexpr const char* kDash = "\xE2\x80\x94 ";

struct NoteSigner {
  explicit NoteSigner(std::string key_name)
      : secret(signing_key(key_name)), key{std::move(key_name), ed25519_public_key(secret)} {}

  SigningKey secret;
  NoteKey key;
};

std::string signature_line(const std::string& note) {
  return note.substr(note.rfind("\n\n") + 2);
}

Result<std::string> open_with(std::string_view note, const NoteKey& key) {
  return open_note(note, std::span(&key, 1));
}

TEST_CASE("published notes open with their published keys", "[note]") {
  const auto vectors = shared_vectors("merkle/signed_note.json");
  if (!vectors) return;
  CHECK((*vectors)["published"].size() == 2);
  for (const auto& test : (*vectors)["published"]) {
    INFO(test["source"]);
    const NoteKey key = must(parse_vkey(test["vkey"].get<std::string>()));
    CHECK(format_vkey(key) == test["vkey"]);
    const std::string note = test["note"];
    CHECK(must(open_with(note, key)) == note.substr(0, note.rfind("\n\n") + 1));
  }
}

TEST_CASE("own checkpoints sign to the same bytes and open", "[note]") {
  const auto vectors = own_vectors("merkle/signed_note.json");
  const NoteKey key = must(parse_vkey(vectors["log_vkey"].get<std::string>()));
  const auto seed = key_from<SigningRole>(from_hex(vectors["log_seed"].get<std::string>()).value());
  CHECK(ed25519_public_key(seed) == key.key);
  for (const auto& test : vectors["checkpoints"]) {
    const std::string note = test["note"];
    CHECK(must(open_with(note, key)) == test["body"]);
    // The file holds a witness's line too, below the log's own.
    const std::string signed_here =
        must(sign_note(test["body"].get<std::string>(), key.name, seed));
    CHECK(note.starts_with(signed_here));
    CHECK(must(parse_note(note)).signatures.size() == 2);
  }
}

TEST_CASE("signatures of unknown keys are ignored, one known good one is needed", "[note]") {
  const NoteSigner known("known.example");
  const NoteSigner other("other.example");
  const std::string text = "first line\nsecond line\n";
  const std::string note = must(sign_note(text, known.key.name, known.secret));
  const std::string foreign = must(sign_note(text, other.key.name, other.secret));

  CHECK(must(open_with(note, known.key)) == text);
  CHECK(must(open_with(note + signature_line(foreign), known.key)) == text);
  CHECK_FAILS_WITH(open_with(foreign, known.key), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_note(note, {}), ErrorCode::kUnverified);
}

TEST_CASE("a bad signature by a known key refuses the note whatever else signed it", "[note]") {
  const NoteSigner a("a.example");
  const NoteSigner b("b.example");
  const std::string text = "text\n";
  const std::string good = must(sign_note(text, a.key.name, a.secret));
  const std::string bad = must(sign_note("other text\n", b.key.name, b.secret));
  const std::vector<NoteKey> both = {a.key, b.key};
  CHECK(open_note(good + signature_line(bad), std::span(both).first(1)).ok());
  CHECK_FAILS_WITH(open_note(good + signature_line(bad), both), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_note("text!\n\n" + signature_line(good), both), ErrorCode::kUnverified);
}

TEST_CASE("the text ends at the last empty line", "[note]") {
  const NoteSigner signer("signer.example");
  const std::string text = "a\n\nb\n\n\nc\n";
  CHECK(must(open_with(must(sign_note(text, signer.key.name, signer.secret)), signer.key)) == text);
}

TEST_CASE("malformed notes are refused", "[note]") {
  const NoteSigner signer("signer.example");
  const std::string note = must(sign_note("text\n", signer.key.name, signer.secret));
  const std::string line = signature_line(note);
  const std::string base64 = line.substr(line.rfind(' ') + 1);
  const std::string malformed[] = {
      "",
      "\n",
      "text\n",
      "text\n\n",
      note.substr(0, note.size() - 1),                           // no newline at the end
      "text\n" + line,                                           // no empty line
      "te\x01xt\n\n" + line,                                     // control character
      "te\txt\n\n" + line,                                       // control character
      "te\xC0\xAFxt\n\n" + line,                                 // not UTF-8
      "text\n\n" + line + "\n",                                  // empty line at the end
      "text\n\n- signer.example " + base64,                      // hyphen instead of a dash
      std::string("text\n\n") + kDash + base64,                  // no name
      std::string("text\n\n") + kDash + "a+b " + base64,         // plus sign in the name
      std::string("text\n\n") + kDash + "a\xC2\xA0z " + base64,  // no-break space in the name
      std::string("text\n\n") + kDash + "signer.example  " + base64,
      std::string("text\n\n") + kDash + "signer.example VD6l\n",      // key id alone
      std::string("text\n\n") + kDash + "signer.example VD6lcw==\n",  // key id alone
      std::string("text\n\n") + kDash + "signer.example !!!!!!!!\n",
  };
  for (const std::string& text : malformed) {
    INFO(text);
    CHECK_FAILS_WITH(open_with(text, signer.key), ErrorCode::kUnverified);
    CHECK_FAILS_WITH(parse_note(text), ErrorCode::kUnverified);
  }
}

TEST_CASE("a note may have a hundred signatures and not one more", "[note]") {
  const NoteSigner signer("signer.example");
  std::string note = must(sign_note("text\n", signer.key.name, signer.secret));
  const NoteSigner other("other.example");
  const std::string line = signature_line(must(sign_note("text\n", other.key.name, other.secret)));
  for (std::size_t i = 1; i < kMaxNoteSignatures; ++i) note += line;
  CHECK(open_with(note, signer.key).ok());
  CHECK_FAILS_WITH(open_with(note + line, signer.key), ErrorCode::kUnverified);
}

TEST_CASE("malformed verifier keys are refused", "[note]") {
  const std::string good =
      "quietus.example/vault-1+543ea573+ATk5inUkjRrMLWr15OIPq4v/b5/UjAcqvtfDOf6cur40";
  CHECK(must(parse_vkey(good)).name == "quietus.example/vault-1");
  const std::string malformed[] = {
      "",
      "+",
      "++",
      "name",
      "name+543ea573",
      "quietus.example/vault-2+543ea573+ATk5inUkjRrMLWr15OIPq4v/b5/UjAcqvtfDOf6cur40",
      "quietus.example/vault-1+543EA573+ATk5inUkjRrMLWr15OIPq4v/b5/UjAcqvtfDOf6cur40",
      "quietus.example/vault-1+543ea574+ATk5inUkjRrMLWr15OIPq4v/b5/UjAcqvtfDOf6cur40",
      "quietus.example/vault-1+543ea573+ATk5inUkjRrMLWr15OIPq4v/b5/UjAcqvtfDOf6cur4",
      "quietus.example/vault-1+543ea573+",
      good + "\n",
      good + "AAAA",
  };
  for (const std::string& vkey : malformed) {
    INFO(vkey);
    CHECK_FAILS_WITH(parse_vkey(vkey), ErrorCode::kInvalidArgument);
  }
  // A witness's key, type 04.
  CHECK_FAILS_WITH(
      parse_vkey("witness.example/w1+13b624b5+BIAah9oBawybaSh3bdKJBG3CT47kOXPz9+1NFuunqM3V"),
      ErrorCode::kUnsupported);
}

TEST_CASE("what no note can hold is not signed", "[note]") {
  const NoteSigner signer("signer.example");
  CHECK_FAILS_WITH(sign_note("no newline", "name", signer.secret), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(sign_note("", "name", signer.secret), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(sign_note("a\rb\n", "name", signer.secret), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(sign_note("text\n", "two words", signer.secret), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(sign_note("text\n", "", signer.secret), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace quietus::test
