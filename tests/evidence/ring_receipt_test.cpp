#include "evidence/ring_receipt.hpp"

#include <functional>
#include <limits>
#include <utility>

#include "base/byte_writer.hpp"
#include "evidence/test_keys.hpp"
#include "evidence/utc_time.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {
namespace {

constexpr const char* kReceiptSite = "site.example/ring";

DestroyedEpoch destroyed_in_march(int day) {
  const auto byte = static_cast<std::uint8_t>(day);
  DestroyedEpoch epoch;
  epoch.epoch.fill(byte);
  epoch.erasure.fill(static_cast<std::uint8_t>(0xf0 + byte));
  epoch.destroyed = parse_utc("2026-03-01T03:00:00Z").value() + (day - 1) * UnixMillis{86'400'000};
  return epoch;
}

RingReceipt sample_receipt() {
  RingReceipt receipt;
  receipt.site.fill(0xa1);
  receipt.ring.fill(0xb2);
  receipt.issued = parse_utc("2026-03-03T03:00:01Z").value();
  receipt.destroyed = {destroyed_in_march(1), destroyed_in_march(2), destroyed_in_march(3)};
  receipt.destroyed[1].complete = false;
  receipt.opened.push_back({receipt.destroyed[1].epoch, {}, {}, receipt.destroyed[1].destroyed});
  receipt.opened[0].vault.fill(0xC3);
  receipt.opened[0].instance.fill(0xD4);
  return receipt;
}

constexpr std::string_view kReceiptText =
    "quietus-ring-receipt/v1\n"
    "site a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\n"
    "ring b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2\n"
    "issued 2026-03-03T03:00:01Z\n"
    "destroyed 01010101010101010101010101010101 2026-03-01T03:00:00Z "
    "f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1 complete\n"
    "destroyed 02020202020202020202020202020202 2026-03-02T03:00:00Z "
    "f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2 partial\n"
    "destroyed 03030303030303030303030303030303 2026-03-03T03:00:00Z "
    "f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3 complete\n"
    "opened 02020202020202020202020202020202 c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3 "
    "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4 2026-03-02T03:00:00Z\n";

std::string receipt_with(const std::string& from, const std::string& to) {
  std::string text(kReceiptText);
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

SigningKey receipt_secret() {
  return signing_key("recovery site");
}

NoteKey receipt_key() {
  return {kReceiptSite, ed25519_public_key(receipt_secret())};
}

}  // namespace

TEST_CASE("a receipt has one text", "[ring]") {
  CHECK(encode_receipt(sample_receipt()) == kReceiptText);
  CHECK(must(parse_receipt(kReceiptText)) == sample_receipt());
}

TEST_CASE("the receipt of a new ring names nothing", "[ring]") {
  RingReceipt receipt = sample_receipt();
  receipt.destroyed.clear();
  const std::string note = must(sign_receipt(receipt, kReceiptSite, receipt_secret()));
  CHECK(must(open_receipt(note, receipt_key())) == receipt);
}

TEST_CASE("a receipt is what the site's key signed", "[ring]") {
  const std::string note = must(sign_receipt(sample_receipt(), kReceiptSite, receipt_secret()));
  CHECK(note.starts_with(std::string(kReceiptText) + "\n"));
  CHECK(must(open_receipt(note, receipt_key())) == sample_receipt());

  const SigningKey other = signing_key("another site");
  CHECK_FAILS_WITH(open_receipt(note, {kReceiptSite, ed25519_public_key(other)}),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_receipt(note, {"other.example", receipt_key().key}),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_receipt(kReceiptText, receipt_key()), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(open_receipt("", receipt_key()), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(sign_receipt(sample_receipt(), "not a name", receipt_secret()),
                   ErrorCode::kInvalidArgument);
}

TEST_CASE("a ring file is no receipt, and a receipt no ring file", "[ring]") {
  const std::string note = must(sign_receipt(sample_receipt(), kReceiptSite, receipt_secret()));
  CHECK_FAILS_WITH(open_ring(note, receipt_key()), ErrorCode::kUnverified);
  const std::string ring =
      must(sign_note("quietus-ring/v1\nanything\n", kReceiptSite, receipt_secret()));
  CHECK_FAILS_WITH(open_receipt(ring, receipt_key()), ErrorCode::kUnverified);
}

TEST_CASE("a receipt's note is bound to every bit of itself", "[ring]") {
  const std::string note = must(sign_receipt(sample_receipt(), kReceiptSite, receipt_secret()));
  const NoteKey key = receipt_key();
  for (std::size_t bit = 0; bit < note.size() * 8; ++bit) {
    std::string damaged = note;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    if (open_receipt(damaged, key).ok()) FAIL("bit " << bit);
  }
  for (std::size_t size = 0; size < note.size(); ++size)
    if (open_receipt(note.substr(0, size), key).ok()) FAIL("first " << size << " bytes");
}

TEST_CASE("lines of a receipt that are not the one form are refused", "[ring]") {
  const std::string text(kReceiptText);
  const std::string malformed[] = {
      "",
      "\n",
      "quietus-ring-receipt/v1",
      "quietus-ring-receipt/v1\n",
      text.substr(0, text.size() - 1),
      text + "\n",
      text + "destroyed\n",
      text + "note x\n",
      receipt_with("quietus-ring-receipt/v1\n", ""),
      receipt_with("quietus-ring-receipt/v1", "quietus-ring-receipt/v01"),
      receipt_with("quietus-ring-receipt/v1", "quietus-ring-receipt/v0"),
      receipt_with("quietus-ring-receipt/v1", "quietus-ring-receipt/v1 "),
      receipt_with("quietus-ring-receipt/v1\n", "quietus-ring-receipt/v1\r\n"),
      receipt_with("site ", "site  "),
      receipt_with("site a1a1", "site a1"),
      receipt_with("site a1", "site A1"),
      receipt_with("ring b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2\n", ""),
      receipt_with("issued 2026-03-03", "issued 2026-02-29"),
      receipt_with("issued 2026-03-03T03:00:01Z", "issued 2026-03-03T03:00:01.0Z"),
      receipt_with("destroyed 0101", "destroyed 01"),
      receipt_with("destroyed 0101", "destroyed  0101"),
      receipt_with("destroyed 0101", "epoch 0101"),
      receipt_with("2026-03-01T03:00:00Z ", "2026-03-01T24:00:00Z "),
      receipt_with("2026-03-01T03:00:00Z ", ""),
      receipt_with("2026-03-01T03:00:00Z ", "2026-03-01T03:00:00Z  "),
      receipt_with("f1f1 c", "f1 c"),
      receipt_with("f1f1 c", "F1F1 c"),
      receipt_with("f1f1 complete", "f1f1 complete "),
      receipt_with("f1f1 complete", "f1f1 whole"),
      receipt_with("f1f1 complete", "f1f1"),
      receipt_with("opened 02", "opened  02"),
      receipt_with("opened 02", "Opened 02"),
      receipt_with("c3c3 d4d4", "c3c3  d4d4"),
  };
  for (const std::string& wrong : malformed) {
    INFO(wrong);
    CHECK_FAILS_WITH(parse_receipt(wrong), ErrorCode::kUnverified);
  }
}

TEST_CASE("a receipt of a newer version is not of this one", "[ring]") {
  for (const char* version : {"2", "10", "18446744073709551615"}) {
    const std::string text = std::string("quietus-ring-receipt/v") + version + "\nanything\n";
    CHECK_FAILS_WITH(parse_receipt(text), ErrorCode::kUnsupported);
    CHECK_FAILS_WITH(
        open_receipt(must(sign_note(text, kReceiptSite, receipt_secret())), receipt_key()),
        ErrorCode::kUnsupported);
  }
}

TEST_CASE("a receipt names each epoch once, in the order in which they were destroyed", "[ring]") {
  const std::pair<const char*, std::function<void(RingReceipt&)>> lies[] = {
      {"descending", [](RingReceipt& r) { std::swap(r.destroyed[0], r.destroyed[1]); }},
      {"twice the same", [](RingReceipt& r) { r.destroyed[1] = r.destroyed[0]; }},
      {"an epoch twice", [](RingReceipt& r) { r.destroyed[2].epoch = r.destroyed[0].epoch; }},
      {"destroyed after it was issued", [](RingReceipt& r) { r.issued -= 2000; }},
      {"at one time, ids descending",
       [](RingReceipt& r) {
         r.destroyed[0].destroyed = r.destroyed[1].destroyed;
         r.destroyed[0].epoch.fill(9);
       }},
  };
  for (const auto& [what, lie] : lies) {
    INFO(what);
    RingReceipt receipt = sample_receipt();
    lie(receipt);
    CHECK_FAILS_WITH(parse_receipt(encode_receipt(receipt)), ErrorCode::kUnverified);
    CHECK_FAILS_WITH(sign_receipt(receipt, kReceiptSite, receipt_secret()),
                     ErrorCode::kInvalidArgument);
  }
  // One root change destroys several.
  RingReceipt receipt = sample_receipt();
  receipt.destroyed[0].destroyed = receipt.destroyed[1].destroyed;
  receipt.destroyed[0].erasure = receipt.destroyed[1].erasure;
  CHECK(must(parse_receipt(encode_receipt(receipt))) == receipt);
}

TEST_CASE("what has no text is not signed as a receipt", "[ring]") {
  for (const UnixMillis time :
       {sample_receipt().issued + 1, UnixMillis{-1000}, std::numeric_limits<UnixMillis>::max()}) {
    RingReceipt receipt = sample_receipt();
    receipt.issued = time;
    CHECK_FAILS_WITH(sign_receipt(receipt, kReceiptSite, receipt_secret()),
                     ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("a receipt has at most 4096 epochs", "[ring]") {
  RingReceipt receipt = sample_receipt();
  receipt.destroyed.clear();
  for (std::uint32_t i = 0; i <= kMaxRingEpochs; ++i) {
    DestroyedEpoch epoch = destroyed_in_march(1);
    const Bytes number = ByteWriter().u32(i).take();
    std::copy(number.begin(), number.end(), epoch.epoch.begin());
    receipt.destroyed.push_back(epoch);
  }
  const auto note = [&] {
    return must(sign_note(encode_receipt(receipt), kReceiptSite, receipt_secret()));
  };
  CHECK_FAILS_WITH(open_receipt(note(), receipt_key()), ErrorCode::kUnverified);
  receipt.destroyed.pop_back();
  CHECK(must(open_receipt(note(), receipt_key())) == receipt);
}

}  // namespace quietus::test
