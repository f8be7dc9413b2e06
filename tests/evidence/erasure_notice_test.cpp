// What a vault tells the inbox of its recovery site: one content, one text, one signer.
#include "evidence/erasure_notice.hpp"

#include "evidence/test_keys.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {
namespace {

ErasureNotice some_notice() {
  ErasureNotice notice;
  notice.vault = {1, 2, 3};
  notice.origin = "quietus.example/log";
  notice.from = {4, {8}};
  notice.to = {12, {9}};
  notice.erasures = {{5, {7}, 1'800'000'000'000, {1, 2, 0xFFFF'FFFF'FFFF'FFFF}},
                     {6, {8}, 1'800'000'001'000, {}},
                     {11, {9}, 1'800'000'002'000, {3}}};
  return notice;
}

constexpr std::string_view kText =
    "quietus-erasure-notice/v1\n"
    "vault 01020300000000000000000000000000\n"
    "log quietus.example/log\n"
    "from 4 0800000000000000000000000000000000000000000000000000000000000000\n"
    "to 12 0900000000000000000000000000000000000000000000000000000000000000\n"
    "erasure 5 07000000000000000000000000000000 2027-01-15T08:00:00Z\n"
    "key 0000000000000001\n"
    "key 0000000000000002\n"
    "key ffffffffffffffff\n"
    "erasure 6 08000000000000000000000000000000 2027-01-15T08:00:01Z\n"
    "erasure 11 09000000000000000000000000000000 2027-01-15T08:00:02Z\n"
    "key 0000000000000003\n";

std::string with(std::string_view from, std::string_view to) {
  std::string text(kText);
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("an erasure notice has one text, and comes back from it", "[notice]") {
  CHECK(encode_erasure_notice(some_notice()) == kText);
  CHECK(must(parse_erasure_notice(kText)) == some_notice());
}

TEST_CASE("an erasure notice that could mislead is none", "[notice]") {
  const std::string bad[] = {
      with("/v1", "/v0"),
      with("vault 0102", "vault 102"),
      with("log quietus.example/log", "log "),
      with("from 4 08", "from 6 08"),     // an erasure before
      with("from 4 08", "from 04 08"),    // another form
      with("from 4 08", "from 12 08"),    // and so it tells nothing
      with("to 12 09", "to 11 09"),       // an erasure behind its end
      with("erasure 6 ", "erasure 5 "),   // twice
      with("erasure 11 ", "erasure 6 "),  // not in order
      with("0000000000000002", "0000000000000001"),
      with("0000000000000001\n", "0000000000000003\n"),
      with("key 0000000000000001", "key 1"),
      with("key 0000000000000001", "key 000000000000000A"),
      with("08:00:01Z", "08:00:01.5Z"),
      with("erasure 5 07000000000000000000000000000000 2027-01-15T08:00:00Z\n", ""),
      std::string(kText) + "more\n",
      std::string(kText) + "\n",
  };
  for (const std::string& text : bad) {
    CAPTURE(text);
    CHECK_FAILS_WITH(parse_erasure_notice(text), ErrorCode::kUnverified);
  }
  CHECK_FAILS_WITH(parse_erasure_notice(with("/v1", "/v2")), ErrorCode::kUnsupported);
  for (std::size_t size = 0; size < kText.size(); ++size) {
    const auto cut = parse_erasure_notice(kText.substr(0, size));
    // What ends behind a line is a shorter notice; its signature tells.
    if (cut) CHECK(encode_erasure_notice(*cut) == kText.substr(0, size));
  }
}

TEST_CASE("only the log that a notice tells of may sign it", "[notice]") {
  const SigningKey key = signing_key("log");
  const ErasureNotice notice = some_notice();
  const std::string note = must(sign_erasure_notice(notice, key));
  const NoteKey own{notice.origin, ed25519_public_key(key)};
  const NoteKey other{notice.origin, ed25519_public_key(signing_key("other"))};
  const NoteKey trusted[] = {other, own};
  CHECK(must(open_erasure_notice(note, trusted)) == notice);
  CHECK_FAILS_WITH(open_erasure_notice(note, std::span(&other, 1)), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_erasure_notice(note, {}), ErrorCode::kUnverified);
  for (std::size_t i = 0; i < note.size(); ++i) {
    std::string flipped = note;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    CHECK_FALSE(open_erasure_notice(flipped, trusted).ok());
  }
  // A key that is trusted for one log says nothing of another.
  const std::string_view name = "quietus.example/other";
  const std::string forged = must(sign_note(encode_erasure_notice(notice), name, key));
  const NoteKey elsewhere{std::string(name), ed25519_public_key(key)};
  CHECK_FAILS_WITH(open_erasure_notice(forged, std::span(&elsewhere, 1)), ErrorCode::kUnverified);
}

TEST_CASE("an entry of the log that says keys are gone is read, others are not", "[notice]") {
  const EntryHead head{{1}, 1'800'000'000'000};
  const auto read = [&](const std::string& text) {
    return must(erasure_in(must(LogEntry::parse(as_bytes(text))), 7));
  };
  const auto one = read(entry_text(head, KeysUnreachable{{5}, 1, 2, {9, 3, 9}}));
  REQUIRE(one);
  CHECK(*one == NoticedErasure{7, {5}, 1'800'000'000'000, {3, 9}});
  const auto many = read(entry_text(head, BatchUnreachable{{6}, 1, 2, 4, {}}));
  REQUIRE(many);
  CHECK(*many == NoticedErasure{7, {6}, 1'800'000'000'000, {}});
  CHECK_FALSE(read(entry_text(head, SlotDestroyed{})));
}

}  // namespace
}  // namespace quietus::test
