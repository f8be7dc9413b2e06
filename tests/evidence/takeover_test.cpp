// What a site says to a lost host that comes back.
#include "evidence/takeover.hpp"

#include "evidence/test_keys.hpp"
#include "evidence/utc_time.hpp"
#include "support/result_matchers.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

constexpr std::string_view kTakeoverText =
    "quietus-takeover/v1\n"
    "site a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\n"
    "vault b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2\n"
    "instance c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3\n"
    "log 17 d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4\n"
    "issued 2027-03-01T00:00:05Z\n";

Takeover sample_takeover() {
  Takeover takeover;
  takeover.site.fill(0xA1);
  takeover.vault.fill(0xB2);
  takeover.instance.fill(0xC3);
  takeover.log.size = 17;
  takeover.log.root.fill(0xD4);
  takeover.issued = parse_utc("2027-03-01T00:00:05Z").value();
  return takeover;
}

std::string takeover_with(const std::string& from, const std::string& to) {
  std::string text(kTakeoverText);
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("a takeover has one text", "[takeover]") {
  CHECK(encode_takeover(sample_takeover()) == kTakeoverText);
  CHECK(must(parse_takeover(kTakeoverText)) == sample_takeover());
  for (const std::string& wrong :
       {std::string(), std::string(kTakeoverText) + "\n", takeover_with("site a1", "site A1"),
        takeover_with("log 17", "log 017"), takeover_with("log 17", "log  17"),
        takeover_with("c3c3\n", "c3\n"), takeover_with("05Z\n", "05.0Z\n"),
        takeover_with("vault", "Vault"), takeover_with("d4d4\n", "d4d4 \n")}) {
    INFO(wrong);
    CHECK_FAILS_WITH(parse_takeover(wrong), ErrorCode::kUnverified);
  }
  CHECK_FAILS_WITH(parse_takeover(takeover_with("/v1", "/v2")), ErrorCode::kUnsupported);
}

TEST_CASE("a takeover opens with the key of the site alone", "[takeover]") {
  const SigningKey site = signing_key("recovery site");
  const NoteKey key{"quietus/site", ed25519_public_key(site)};
  const std::string note = must(sign_takeover(sample_takeover(), key.name, site));
  CHECK(must(open_takeover(note, key)) == sample_takeover());
  const NoteKey other{"quietus/site", ed25519_public_key(signing_key("another"))};
  CHECK_FAILS_WITH(open_takeover(note, other), ErrorCode::kUnverified);
  std::string changed = note;
  changed[40] = changed[40] == 'a' ? 'b' : 'a';
  CHECK_FAILS_WITH(open_takeover(changed, key), ErrorCode::kUnverified);
}

}  // namespace
