#include "evidence/ring_file.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_writer.hpp"
#include "evidence/test_keys.hpp"
#include "evidence/utc_time.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

constexpr UnixMillis kDay = UnixMillis{24} * 60 * 60 * 1000;
constexpr const char* kSiteName = "site.example/ring";

UnixMillis utc(std::string_view text) {
  return parse_utc(text).value();
}

// Day `day` of March 2026, which is an epoch of the ring that expires after 14 days.
RingEpoch march(int day) {
  const auto byte = static_cast<std::uint8_t>(day);
  RingEpoch epoch;
  epoch.public_key.id.fill(byte);
  epoch.public_key.key.fill(byte);
  epoch.scope = 0x100 + byte;
  epoch.opens = utc("2026-03-01T00:00:00Z") + (day - 1) * kDay;
  epoch.closes = epoch.opens + kDay;
  epoch.expires = epoch.closes + 14 * kDay;
  return epoch;
}

RingFile sample_ring() {
  RingFile ring;
  ring.site.fill(0xa1);
  ring.ring.fill(0xb2);
  ring.issued = utc("2026-02-28T12:30:05Z");
  ring.epochs = {march(1), march(2), march(3)};
  return ring;
}

// A week later, when nothing has expired yet.
RingFile next_ring() {
  RingFile ring = sample_ring();
  ring.issued += 7 * kDay;
  ring.epochs.push_back(march(4));
  return ring;
}

constexpr std::string_view kSampleText =
    "quietus-ring/v1\n"
    "site a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\n"
    "ring b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2\n"
    "issued 2026-02-28T12:30:05Z\n"
    "epoch 01010101010101010101010101010101 0000000000000101 2026-03-01T00:00:00Z "
    "2026-03-02T00:00:00Z 2026-03-16T00:00:00Z AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
    "epoch 02020202020202020202020202020202 0000000000000102 2026-03-02T00:00:00Z "
    "2026-03-03T00:00:00Z 2026-03-17T00:00:00Z AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n"
    "epoch 03030303030303030303030303030303 0000000000000103 2026-03-03T00:00:00Z "
    "2026-03-04T00:00:00Z 2026-03-18T00:00:00Z AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n";

std::string sample_text() {
  return std::string(kSampleText);
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = sample_text();
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

SigningKey site_secret() {
  return signing_key("recovery site");
}

NoteKey site_key() {
  return {kSiteName, ed25519_public_key(site_secret())};
}

struct RingEdit {
  const char* what;
  std::function<void(RingFile&)> edit;
};

// Neither read nor signed.
void check_refused_alone(const std::vector<RingEdit>& edits) {
  for (const RingEdit& lie : edits) {
    INFO(lie.what);
    RingFile ring = sample_ring();
    lie.edit(ring);
    CHECK_FAILS_WITH(parse_ring(encode_ring(ring)), ErrorCode::kUnverified);
    CHECK_FAILS_WITH(sign_ring(ring, kSiteName, site_secret()), ErrorCode::kInvalidArgument);
  }
}

void check_follows(const std::vector<RingEdit>& edits, bool expected) {
  for (const RingEdit& step : edits) {
    INFO(step.what);
    RingFile next = next_ring();
    step.edit(next);
    REQUIRE(must(parse_ring(encode_ring(next))) == next);
    const Result<void> verdict = follows(next, sample_ring());
    INFO(describe(verdict));
    CHECK(verdict.ok() == expected);
    if (!verdict) CHECK(verdict.error().code() == ErrorCode::kUnverified);
  }
}

}  // namespace

TEST_CASE("a ring has one text", "[ring]") {
  CHECK(encode_ring(sample_ring()) == kSampleText);
  CHECK(must(parse_ring(kSampleText)) == sample_ring());
}

TEST_CASE("a ring is what the site's key signed", "[ring]") {
  const std::string note = must(sign_ring(sample_ring(), kSiteName, site_secret()));
  CHECK(note.starts_with(sample_text() + "\n"));
  CHECK(must(open_ring(note, site_key())) == sample_ring());

  const SigningKey other = signing_key("another site");
  CHECK_FAILS_WITH(open_ring(note, {kSiteName, ed25519_public_key(other)}), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_ring(note, {"other.example", site_key().key}), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_ring(must(sign_ring(sample_ring(), kSiteName, other)), site_key()),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_ring(kSampleText, site_key()), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_ring(sample_text() + "\n", site_key()), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_ring("", site_key()), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(sign_ring(sample_ring(), "not a name", site_secret()),
                   ErrorCode::kInvalidArgument);
}

TEST_CASE("a ring's note is bound to every bit of itself", "[ring]") {
  const std::string note = must(sign_ring(sample_ring(), kSiteName, site_secret()));
  const NoteKey key = site_key();
  for (std::size_t bit = 0; bit < note.size() * 8; ++bit) {
    std::string damaged = note;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    if (open_ring(damaged, key).ok()) FAIL("bit " << bit);
  }
  for (std::size_t size = 0; size < note.size(); ++size)
    if (open_ring(note.substr(0, size), key).ok()) FAIL("first " << size << " bytes");
}

TEST_CASE("a signature does not make a bad ring good", "[ring]") {
  for (const std::string& text : {with("site ", "Site "), sample_text() + "x\n"}) {
    const std::string note = must(sign_note(text, kSiteName, site_secret()));
    CHECK_FAILS_WITH(open_ring(note, site_key()), ErrorCode::kUnverified);
  }
}

TEST_CASE("lines of a ring that are not the one form are refused", "[ring]") {
  const std::string first_key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
  const std::string malformed[] = {
      "",
      "\n",
      "quietus-ring/v1",
      "quietus-ring/v1\n",
      sample_text().substr(0, kSampleText.find("epoch")),
      sample_text().substr(0, kSampleText.size() - 1),
      sample_text() + "\n",
      sample_text() + "epoch\n",
      sample_text() + "note x\n",
      with("quietus-ring/v1\n", ""),
      with("quietus-ring/v1", "quietus-ring/v01"),
      with("quietus-ring/v1", "quietus-ring/v0"),
      with("quietus-ring/v1", "quietus-ring/v1 "),
      with("quietus-ring/v1\n", "quietus-ring/v1\r\n"),
      with("site ", "site  "),
      with("site a1a1", "site a1"),
      with("site a1", "site A1"),
      with("ring b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2\n", ""),
      with("issued 2026-02-28T12:30:05Z", "issued 2026-02-29T12:30:05Z"),
      with("issued 2026-02-28T12:30:05Z", "issued 2026-02-28T12:30:05.0Z"),
      with("issued 2026-02-28T12:30:05Z", "issued 2026-02-28T12:30:05+00:00"),
      with("epoch 0101", "epoch 01"),
      with("epoch 0101", "epoch  0101"),
      with("epoch 0101", "epoch 0101 0101"),
      with(" 0000000000000101 ", " 101 "),
      with(" 0000000000000101 ", " 00000000000000000101 "),
      with(" 0000000000000101 ", "  "),
      with("2026-03-01T00:00:00Z ", "2026-03-01T24:00:00Z "),
      with("2026-03-01T00:00:00Z ", ""),
      with("2026-03-16T00:00:00Z ", "2026-03-16T00:00:00Z  "),
      with(first_key, first_key + " "),
      with(first_key, first_key.substr(0, 43)),
      with(first_key, first_key.substr(0, 42) + "F="),  // bits behind the last byte
      with(first_key, first_key.substr(4)),
      with(first_key, "AQEB" + first_key),
      with(first_key, ""),
      with(" " + first_key, ""),
  };
  for (const std::string& text : malformed) {
    INFO(text);
    CHECK_FAILS_WITH(parse_ring(text), ErrorCode::kUnverified);
  }
}

TEST_CASE("a ring file of a newer version is not of this one", "[ring]") {
  for (const char* version : {"2", "10", "18446744073709551615"}) {
    const std::string text = std::string("quietus-ring/v") + version + "\nanything\n";
    CHECK_FAILS_WITH(parse_ring(text), ErrorCode::kUnsupported);
    CHECK_FAILS_WITH(open_ring(must(sign_note(text, kSiteName, site_secret())), site_key()),
                     ErrorCode::kUnsupported);
  }
}

TEST_CASE("epochs ascend, do not overlap and are told apart", "[ring]") {
  check_refused_alone({
      {"no epochs", [](RingFile& ring) { ring.epochs.clear(); }},
      {"never open", [](RingFile& ring) { ring.epochs[0].closes = ring.epochs[0].opens; }},
      {"closes before it opens",
       [](RingFile& ring) { ring.epochs[0].closes = ring.epochs[0].opens - 1000; }},
      {"expires while it is open",
       [](RingFile& ring) { ring.epochs[0].expires = ring.epochs[0].closes - 1000; }},
      {"overlap", [](RingFile& ring) { ring.epochs[1].opens -= 1000; }},
      {"descending", [](RingFile& ring) { std::swap(ring.epochs[0], ring.epochs[1]); }},
      {"twice the same", [](RingFile& ring) { ring.epochs[1] = ring.epochs[0]; }},
      {"id used twice",
       [](RingFile& ring) { ring.epochs[2].public_key.id = ring.epochs[0].public_key.id; }},
      {"key used twice",
       [](RingFile& ring) { ring.epochs[2].public_key.key = ring.epochs[0].public_key.key; }},
      {"the site's scope 0", [](RingFile& ring) { ring.epochs[0].scope = 0; }},
      {"scope of 64 bits", [](RingFile& ring) { ring.epochs[0].scope |= ScopeId{1} << 63; }},
      {"key of small order", [](RingFile& ring) { ring.epochs[0].public_key.key.fill(0); }},
      {"second encoding of a key",
       [](RingFile& ring) { ring.epochs[0].public_key.key[31] |= 0x80; }},
  });
}

TEST_CASE("what has no text is not signed", "[ring]") {
  for (const UnixMillis time :
       {UnixMillis{1}, UnixMillis{-1000}, utc("9999-12-31T23:59:59Z") + 1000,
        std::numeric_limits<UnixMillis>::max(), std::numeric_limits<UnixMillis>::min()}) {
    INFO(time);
    RingFile ring = sample_ring();
    ring.issued = time;
    CHECK_FAILS_WITH(sign_ring(ring, kSiteName, site_secret()), ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("epochs may have gaps, and expire the moment they close", "[ring]") {
  RingFile ring = sample_ring();
  ring.epochs.erase(ring.epochs.begin() + 1);
  ring.epochs[0].expires = ring.epochs[0].closes;
  CHECK(must(parse_ring(encode_ring(ring))) == ring);
}

TEST_CASE("a ring has at most 4096 epochs", "[ring]") {
  RingFile ring = sample_ring();
  ring.epochs.clear();
  for (std::uint32_t i = 0; i <= kMaxRingEpochs; ++i) {
    RingEpoch epoch = march(1);
    const Bytes number = ByteWriter().u32(i).take();
    std::copy(number.begin(), number.end(), epoch.public_key.id.begin());
    std::copy(number.begin(), number.end(), epoch.public_key.key.begin());
    epoch.opens += i * kDay;
    epoch.closes += i * kDay;
    epoch.expires += i * kDay;
    ring.epochs.push_back(epoch);
  }
  const auto note = [&] { return must(sign_note(encode_ring(ring), kSiteName, site_secret())); };
  CHECK_FAILS_WITH(open_ring(note(), site_key()), ErrorCode::kUnverified);
  ring.epochs.pop_back();
  CHECK(must(open_ring(note(), site_key())) == ring);
}

TEST_CASE("a note that is too long for any ring is not looked into", "[ring]") {
  std::string note = must(sign_ring(sample_ring(), kSiteName, site_secret()));
  const std::string line = format_signature({"other.example", {1, 2, 3, 4}, Bytes(65536)});
  note += line;
  CHECK(open_ring(note, site_key()).ok());
  while (note.size() <= kMaxRingNote) note += line;
  CHECK_FAILS_WITH(open_ring(note, site_key()), ErrorCode::kUnverified);
}

TEST_CASE("sealing is to the epoch that is open", "[ring]") {
  RingFile ring = sample_ring();
  ring.epochs.erase(ring.epochs.begin() + 1);
  const RingEpoch* first = &ring.epochs[0];
  const RingEpoch* last = &ring.epochs[1];
  CHECK(epoch_for_sealing(ring, first->opens - 1) == nullptr);
  CHECK(epoch_for_sealing(ring, first->opens) == first);
  CHECK(epoch_for_sealing(ring, first->closes - 1) == first);
  CHECK(epoch_for_sealing(ring, first->closes) == nullptr);
  CHECK(epoch_for_sealing(ring, last->opens - 1) == nullptr);
  CHECK(epoch_for_sealing(ring, last->opens) == last);
  CHECK(epoch_for_sealing(ring, last->closes) == nullptr);
  CHECK(epoch_for_sealing({}, 0) == nullptr);
}

TEST_CASE("a newer ring file keeps what the older one promised", "[ring]") {
  check_follows(
      {
          {"one epoch more", [](RingFile&) {}},
          {"no epoch more", [](RingFile& next) { next.epochs.pop_back(); }},
          {"a closed epoch expires earlier",
           [](RingFile& next) { next.epochs[0].expires -= 10 * kDay; }},
          {"an epoch was ended early",
           [](RingFile& next) {
             next.epochs[2].closes -= 1000;
             next.epochs[2].expires = next.epochs[2].closes;
           }},
          {"an expired epoch is left out",
           [](RingFile& next) {
             next.issued = march(1).expires;
             next.epochs.erase(next.epochs.begin());
           }},
          {"an expired epoch stays", [](RingFile& next) { next.issued = march(1).expires; }},
      },
      true);
}

TEST_CASE("a newer ring file cannot take a promise back", "[ring]") {
  check_follows(
      {
          {"other site", [](RingFile& next) { next.site[0] ^= 1; }},
          {"other ring", [](RingFile& next) { next.ring[0] ^= 1; }},
          {"issued at the same time", [](RingFile& next) { next.issued = sample_ring().issued; }},
          {"issued earlier", [](RingFile& next) { next.issued = sample_ring().issued - 1000; }},
          {"an epoch expires later", [](RingFile& next) { next.epochs[0].expires += 1000; }},
          {"an epoch is left out before it expires",
           [](RingFile& next) {
             next.issued = march(1).expires - 1000;
             next.epochs.erase(next.epochs.begin());
           }},
          {"all epochs are left out",
           [](RingFile& next) { next.epochs.erase(next.epochs.begin(), next.epochs.end() - 1); }},
          {"another key", [](RingFile& next) { next.epochs[0].public_key.key[0] ^= 1; }},
          {"another scope", [](RingFile& next) { next.epochs[0].scope ^= 1; }},
          {"opens later", [](RingFile& next) { next.epochs[0].opens += 1000; }},
          {"opens earlier", [](RingFile& next) { next.epochs[0].opens -= 1000; }},
          {"closes later",
           [](RingFile& next) {
             next.epochs.pop_back();
             next.epochs[2].closes += 1000;
           }},
          {"closes earlier and lives on", [](RingFile& next) { next.epochs[2].closes -= 1000; }},
          {"is ended early, but lived on",
           [](RingFile& next) {
             next.epochs[2].closes -= 1000;
             next.epochs[2].expires = next.epochs[2].closes + 1000;
           }},
          {"is ended early, in the future",
           [](RingFile& next) {
             next.epochs[2].closes -= 1000;
             next.epochs[2].expires = next.epochs[2].closes;
             next.issued = next.epochs[2].expires - 1000;
           }},
          {"an expired epoch comes again under its id",
           [](RingFile& next) {
             next.issued = march(1).expires;
             const EpochId id = next.epochs[0].public_key.id;
             next.epochs.erase(next.epochs.begin());
             next.epochs.back().public_key.id = id;
           }},
          {"an expired epoch's key comes again",
           [](RingFile& next) {
             next.issued = march(1).expires;
             const X25519PublicKey key = next.epochs[0].public_key.key;
             next.epochs.erase(next.epochs.begin());
             next.epochs.back().public_key.key = key;
           }},
      },
      false);
}

}  // namespace quietus::test
