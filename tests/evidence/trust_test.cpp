#include <quietus/trust.hpp>

#include "evidence/checkpoint.hpp"
#include "evidence/cosignature.hpp"
#include "evidence/test_keys.hpp"
#include "evidence/trust_file.hpp"
#include "support/mentions.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

std::string log_vkey(const std::string& name) {
  return format_vkey({name, ed25519_public_key(signing_key(name))});
}
std::string witness_vkey(const std::string& name) {
  return format_vkey({name, ed25519_public_key(signing_key(name)), NoteKeyType::kCosignature});
}
std::string issuer_line() {
  const std::string pem = ed25519_to_pem(ed25519_public_key(signing_key("issuer")));
  return pem.substr(27, pem.find('\n', 27) - 27);
}

std::string witness_line(const std::string& name) {
  return "witness " + name + " " + witness_vkey(name + ".example") + "\n";
}

std::string two_levels() {
  return "# who is believed\n\nlog " + log_vkey("log.example") + " https://log.example/\n" +
         witness_line("x1") + witness_line("x2") + witness_line("x3") + "group x 2 x1 x2 x3\n" +
         witness_line("y1") + witness_line("y2") +
         "group\ty  any\ty1 y2 \n  group both all x y\nquorum both\n" + "issuer acme " +
         issuer_line() + "\n";
}

// A checkpoint that the log and these witnesses signed.
std::string note_by(const std::vector<std::string>& witnesses,
                    const std::string& log = "log.example") {
  const Checkpoint checkpoint{log, {3, leaf_hash(as_bytes("x"))}};
  std::string note = must(sign_checkpoint(checkpoint, signing_key(log)));
  std::uint64_t time = 1772368205;
  for (const std::string& name : witnesses)
    note += must(cosign_text(format_checkpoint(checkpoint), name + ".example",
                             signing_key(name + ".example"), time++));
  return note;
}

std::string why(const Result<CheckedCheckpoint>& verdict) {
  REQUIRE_FALSE(verdict.ok());
  CHECK(verdict.error().code() == ErrorCode::kUnverified);
  return verdict.error().context();
}

TEST_CASE("a trust file with groups of groups is read", "[trust]") {
  const TrustRules rules = must(parse_trust_file(two_levels()));
  REQUIRE(rules.logs.size() == 1);
  CHECK(rules.logs[0].name == "log.example");
  REQUIRE(rules.voters.size() == 8);
  CHECK(rules.voters[3].name == "x");
  CHECK(rules.voters[3].threshold == 2);
  CHECK(rules.voters[3].members == std::vector<std::size_t>{0, 1, 2});
  CHECK(rules.voters[6].threshold == 1);
  CHECK(rules.voters[7].threshold == 2);
  CHECK(rules.quorum == 7);
  CHECK(rules.quorum_name == "both");
  REQUIRE(rules.issuer);
  CHECK(rules.issuer->name == "acme");
  CHECK(rules.issuer->key == ed25519_public_key(signing_key("issuer")));
}

TEST_CASE("the quorum needs enough of each group", "[trust]") {
  const Trust trust = must(Trust::parse(two_levels()));
  const CheckedCheckpoint good = must(trust.check_checkpoint(note_by({"x1", "x3", "y2"})));
  CHECK(good.origin == "log.example");
  CHECK(good.size == 3);
  CHECK(good.log_vkey == log_vkey("log.example"));
  REQUIRE(good.witnesses.size() == 3);
  CHECK(good.witnesses[1].witness == "x3");
  CHECK(good.witnesses[1].unix_ms == 1772368206000);

  const std::string short_of_x = why(trust.check_checkpoint(note_by({"x2", "y1"})));
  CHECK(short_of_x == "quorum both is not met: no cosignature by x1, x3, y2");
  CHECK(mentions(why(trust.check_checkpoint(note_by({"x1", "x2", "x3"}))), "y1, y2"));
  // The same witness twice is one witness.
  CHECK(mentions(why(trust.check_checkpoint(note_by({"x1", "x1", "y1"}))), "x2, x3"));
  // Whoever is not in the file does not count.
  CHECK(mentions(why(trust.check_checkpoint(note_by({"x1", "stranger", "y1"}))), "quorum both"));
  // Without the quorum the checkpoint is a checkpoint all the same.
  CHECK(must(trust.open_checkpoint(note_by({}))).witnesses.empty());
}

TEST_CASE("each reason to refuse a checkpoint has its own words", "[trust]") {
  const Trust trust = must(
      Trust::parse("log " + log_vkey("log.example") + "\n" + witness_line("x1") + "quorum x1\n"));
  const std::string good = note_by({"x1"});
  must(trust.check_checkpoint(good));

  CHECK(mentions(why(trust.check_checkpoint("")), "checkpoint: note is not plain text"));
  CHECK(mentions(why(trust.check_checkpoint("log.example\n1\n")), "no signatures"));
  CHECK(mentions(why(trust.check_checkpoint(note_by({"x1"}, "other.example"))),
                 "of a log that the trust file does not name: other.example"));

  const Checkpoint forged{"log.example", {3, leaf_hash(as_bytes("x"))}};
  const std::string by_stranger = must(sign_checkpoint(forged, signing_key("stranger")));
  CHECK(mentions(why(trust.check_checkpoint(by_stranger)), "not signed by a known key"));

  std::string other_root = good;
  other_root.replace(other_root.find("\n3\n"), 3, "\n4\n");
  CHECK(mentions(why(trust.check_checkpoint(other_root)), "bad signature by a known key"));

  const std::string bad_witness =
      note_by({}) + must(cosign_text("another text\n", "x1.example", signing_key("x1.example"), 1));
  CHECK(mentions(why(trust.check_checkpoint(bad_witness)),
                 "bad cosignature by the witness x1.example"));
  CHECK(mentions(why(trust.open_checkpoint(bad_witness)), "bad cosignature"));

  CHECK(mentions(why(trust.check_checkpoint(note_by({}))), "quorum x1 is not met"));
}

TEST_CASE("with quorum none a log's signature is enough", "[trust]") {
  const Trust trust = must(Trust::parse("log " + log_vkey("log.example") + "\nquorum none\n"));
  CHECK(trust.quorum() == "none");
  CHECK(must(trust.check_checkpoint(note_by({"stranger"}))).witnesses.empty());
}

TEST_CASE("a log may have a second key under the same name", "[trust]") {
  const std::string next = format_vkey({"log.example", ed25519_public_key(signing_key("next"))});
  const Trust trust =
      must(Trust::parse("log " + log_vkey("log.example") + "\nlog " + next + "\nquorum none\n"));
  const Checkpoint checkpoint{"log.example", {0, empty_root()}};
  CHECK(must(trust.check_checkpoint(must(sign_checkpoint(checkpoint, signing_key("next")))))
            .log_vkey == next);
  CHECK(must(trust.check_checkpoint(note_by({}))).log_vkey == log_vkey("log.example"));
}

TEST_CASE("the checkpoints of the vectors meet a quorum of their witness", "[trust]") {
  const auto vectors = own_vectors("merkle/signed_note.json");
  const Trust trust =
      must(Trust::parse("log " + vectors["log_vkey"].get<std::string>() + "\nwitness w " +
                        vectors["witness_vkey"].get<std::string>() + "\nquorum w\n"));
  for (const auto& test : vectors["checkpoints"]) {
    const auto checked = must(trust.check_checkpoint(test["note"].get<std::string>()));
    CHECK(checked.size == test["size"]);
    CHECK(checked.witnesses.at(0).unix_ms == test["cosignature_time"].get<std::int64_t>() * 1000);
  }
}

struct BadFile {
  std::string text;
  const char* named;  // in the error
};

std::vector<BadFile> bad_files() {
  const std::string log = "log " + log_vkey("log.example") + "\n";
  const std::string w = witness_line("w");
  return {
      {"", "no quorum line"},
      {log, "no quorum line"},
      {"quorum none", "line 1: does not end in a newline"},
      {log + "quorum none\r\n", "line 2: has a control character"},
      {log + "\x01\nquorum none\n", "line 2: has a control character"},
      {log + "quorun none\n", "line 2: begins with none of"},
      {"Log x\nquorum none\n", "line 1: begins with none of"},
      {"log\nquorum none\n", "line 1: is not `log"},
      {log + log + "quorum none\n", "line 2: names the key of a log a second time"},
      {"log " + witness_vkey("w") + "\nquorum none\n",
       "line 1: key is not an Ed25519 key of a log"},
      {"log log.example+00000000+AAAA\nquorum none\n", "line 1: key is not"},
      {"log " + log_vkey("a") + " u v\nquorum none\n", "line 1: is not `log"},
      {"witness w\nquorum w\n", "line 1: is not `witness"},
      {"witness w " + log_vkey("w") + "\nquorum w\n", "line 1: key is not an Ed25519 key of a wit"},
      {"witness none " + witness_vkey("w") + "\nquorum none\n", "the name none"},
      {w + w + "quorum w\n", "line 2: gives a name a second time: w"},
      {w + "witness v " + witness_vkey("w.example") + "\nquorum w\n",
       "line 2: names the key of a witness a second time"},
      {w + "group g any\nquorum g\n", "line 2: is not `group"},
      {w + "group g 0 w\nquorum g\n", "line 2: has a threshold"},
      {w + "group g 2 w\nquorum g\n", "line 2: has a threshold"},
      {w + "group g 01 w\nquorum g\n", "line 2: has a threshold"},
      {w + "group g most w\nquorum g\n", "line 2: has a threshold"},
      {w + "group g any w w\nquorum g\n", "line 2: has a member that is in a group already: w"},
      {w + "group g any w\ngroup h any w\nquorum h\n", "line 3: has a member that is in a group"},
      {w + "group g any g\nquorum g\n", "line 2: uses a name that no line above gives: g"},
      {w + "group g any none\nquorum g\n", "line 2: uses a name that no line above gives: none"},
      {w + "group w any w\nquorum w\n", "line 2: gives a name a second time: w"},
      {"quorum w\n" + w, "line 1: uses a name that no line above gives: w"},
      {"quorum none\nquorum none\n", "line 2: is a second quorum line"},
      {"quorum\n", "line 1: is not `quorum"},
      {"quorum a b\n", "line 1: is not `quorum"},
      {"issuer acme\nquorum none\n", "line 1: is not `issuer"},
      {"issuer acme AAAA\nquorum none\n", "line 1: the issuer's key"},
      {"issuer acme " + witness_vkey("w") + "\nquorum none\n", "line 1: the issuer's key"},
      {"issuer a " + issuer_line() + "\nissuer b " + issuer_line() + "\nquorum none\n",
       "line 2: is a second issuer line"},
      {"witness " + std::string(256, 'w') + " " + witness_vkey("w") + "\nquorum none\n",
       "more than 255 bytes"},
      {std::string(Trust::kMaxFile + 1, '\n'), "larger than 64 KiB"},
  };
}

TEST_CASE("every mistake in a trust file is named with its line", "[trust]") {
  for (const BadFile& bad : bad_files()) {
    INFO(bad.text.substr(0, 400));
    const Result<Trust> trust = Trust::parse(bad.text);
    INFO(describe(trust));
    REQUIRE_FALSE(trust.ok());
    CHECK(trust.error().code() == ErrorCode::kInvalidArgument);
    CHECK(mentions(trust.error().context(), bad.named));
  }
}

TEST_CASE("a trust file may have so many lines and not one more", "[trust]") {
  std::string logs;
  for (std::size_t i = 0; i < Trust::kMaxLogs; ++i)
    logs += "log " + log_vkey("l" + std::to_string(i)) + "\n";
  must(Trust::parse(logs + "quorum none\n"));
  const auto one_more = Trust::parse(logs + "log " + log_vkey("m") + "\nquorum none\n");
  REQUIRE_FALSE(one_more.ok());
  CHECK(mentions(one_more.error().context(), "line 65: is one log too many"));

  std::string witnesses;
  for (std::size_t i = 0; i < Trust::kMaxVoters; ++i) witnesses += witness_line(std::to_string(i));
  must(Trust::parse(witnesses + "quorum 0\n"));
  CHECK_FAILS_WITH(Trust::parse(witnesses + "group g any 0\nquorum g\n"),
                   ErrorCode::kInvalidArgument);
}

TEST_CASE("a chain of groups as long as can be is counted", "[trust]") {
  std::string text = witness_line("w");
  std::string last = "w";
  for (std::size_t i = 1; i < Trust::kMaxVoters; ++i) {
    const std::string name = "g" + std::to_string(i);
    text.append("group ").append(name).append(" any ").append(last).append("\n");
    last = name;
  }
  const TrustRules rules = must(parse_trust_file(text + "quorum " + last + "\n"));
  CHECK(check_quorum(rules, {{0, 1}}).ok());
  CHECK_FAILS_WITH(check_quorum(rules, {}), ErrorCode::kUnverified);
}

}  // namespace
}  // namespace quietus::test
