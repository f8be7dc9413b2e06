#include "evidence/log_entry.hpp"

#include "base/text_encoding.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {
namespace {

EntryHead head() {
  EntryHead head;
  head.id.fill(0xAB);
  head.time = 1772368205123;
  return head;
}

// How every entry with head() begins.
std::string start(const std::string& kind) {
  return R"({"entry":"abababababababababababababababab","kind":")" + kind +
         R"(","time":"2026-03-01T12:30:05Z")";
}

template <std::size_t N>
std::array<std::uint8_t, N> filled(std::uint8_t byte) {
  std::array<std::uint8_t, N> out{};
  out.fill(byte);
  return out;
}

TEST_CASE("each kind of entry has one text", "[log-entry]") {
  const std::string id16 = "01010101010101010101010101010101";
  const std::string hash32 = "0202020202020202020202020202020202020202020202020202020202020202";
  const auto a = filled<16>(1);
  const auto h = filled<32>(2);
  CHECK(entry_text(head(), VaultCreated{a}) ==
        start("vault-created") + R"(,"vault":")" + id16 + "\"}");
  CHECK(entry_text(head(), KeyCreated{16, 255, KeyLine::kLasting, 3, h}) ==
        start("key-created") +
            R"(,"scope":"0000000000000010","key":"00000000000000ff","line":"lasting",)" +
            R"("generation":3,"commitment":")" + hash32 + "\"}");
  CHECK(entry_text(head(), KeysUnreachable{a, 4, 5, {1, 2}}) ==
        start("keys-unreachable") + R"(,"erasure":")" + id16 +
            R"(","generation_before":4,"generation_after":5,)" +
            R"("keys":["0000000000000001","0000000000000002"]})");
  CHECK(entry_text(head(), BatchUnreachable{a, 4, 5, 100000, h}) ==
        start("batch-unreachable") + R"(,"erasure":")" + id16 +
            R"(","generation_before":4,"generation_after":5,"scopes":100000,"statements":")" +
            hash32 + "\"}");
  CHECK(entry_text(head(), SlotDestroyed{a, {a}, "overwritten", 2, 1}) ==
        start("slot-destroyed") + R"(,"erasure":")" + id16 + R"(","slots":[")" + id16 +
            R"("],"method":"overwritten","acknowledged":2,"ended":1})");
  CHECK(entry_text(head(), ErasureAborted{a, "held"}) ==
        start("erasure-aborted") + R"(,"erasure":")" + id16 + R"(","reason":"held"})");
  CHECK(entry_text(head(), UnlockChanged{1, 2}) ==
        start("unlock-changed") + R"(,"generation_before":1,"generation_after":2})");
  CHECK(entry_text(head(), CertificateIssued{a, h}) ==
        start("certificate-issued") + R"(,"certificate":")" + id16 + R"(","payload_sha256":")" +
            hash32 + "\"}");
  CHECK(entry_text(head(), AnchorRewritten{9}) ==
        start("anchor-rewritten") + R"(,"generation":9})");
  CHECK(entry_text(head(), ExportMade{16, 100, 4096}) ==
        start("export-made") + R"(,"scope":"0000000000000010","records":100,"bytes":4096})");
}

TEST_CASE("each kind of entry about states and holds has one text", "[log-entry]") {
  const auto a = filled<16>(1);
  const std::string scope = R"(,"scope":"0000000000000010")";
  const std::string hold = R"(,"hold":"01010101010101010101010101010101")";
  CHECK(entry_text(head(), StateChanged{16, "active", "suspended", "objection"}) ==
        start("state-changed") + scope +
            R"(,"from":"active","to":"suspended","reason":"objection"})");
  CHECK(entry_text(head(), RestrictedUseMade{16, "legal-claims"}) ==
        start("restricted-use") + scope + R"(,"use":"legal-claims"})");
  CHECK(entry_text(head(), HoldPlaced{16, a, "litigation"}) ==
        start("hold-placed") + scope + hold + R"(,"reason":"litigation"})");
  CHECK(entry_text(head(), HoldReleased{16, a}) == start("hold-released") + scope + hold + "}");
  CHECK(entry_text(head(), AttemptRefused{16, "erase", "held"}) ==
        start("attempt-refused") + scope + R"(,"attempt":"erase","reason":"held"})");
  for (const std::string& text :
       {entry_text(head(), StateChanged{}), entry_text(head(), RestrictedUseMade{}),
        entry_text(head(), HoldPlaced{}), entry_text(head(), HoldReleased{}),
        entry_text(head(), AttemptRefused{})})
    CHECK(must(LogEntry::parse(as_bytes(text))).head().id == head().id);
}

TEST_CASE("each kind of entry about instances has one text", "[log-entry]") {
  const std::string id16 = "01010101010101010101010101010101";
  const std::string hash32 = "0202020202020202020202020202020202020202020202020202020202020202";
  CHECK(entry_text(head(), CopyMade{filled<16>(1), 77}) ==
        start("copy-made") + R"(,"instance":")" + id16 + R"(","log_size":77})");
  CHECK(entry_text(head(), InstanceBegun{filled<16>(1), 77, filled<32>(2), filled<16>(1)}) ==
        start("instance-begun") + R"(,"instance":")" + id16 +
            R"(","origin_size":77,"origin_root":")" + hash32 + R"(","backup":")" + id16 + "\"}");
  CHECK(entry_text(head(), InstanceReceiptImported{filled<16>(1), filled<16>(1), 3}) ==
        start("instance-receipt-imported") + R"(,"instance":")" + id16 + R"(","certificate":")" +
            id16 + R"(","scopes":3})");
  for (const std::string& text :
       {entry_text(head(), CopyMade{}), entry_text(head(), InstanceBegun{}),
        entry_text(head(), InstanceReceiptImported{})})
    CHECK(must(LogEntry::parse(as_bytes(text))).head().id == head().id);
}

TEST_CASE("each kind of entry about snapshots and recoveries has one text", "[log-entry]") {
  const std::string one = "01010101010101010101010101010101";
  const std::string hash = "0202020202020202020202020202020202020202020202020202020202020202";
  const UnixMillis time = 1780000000000;
  const auto id = filled<16>(1);
  const std::pair<std::string, std::string> texts[] = {
      {entry_text(head(), SnapshotBegun{id, id, id, time}),
       start("snapshot-begun") + R"(,"snapshot":")" + one + R"(","ring":")" + one +
           R"(","epoch":")" + one + R"(","expires":"2026-05-28T20:26:40Z"})"},
      {entry_text(head(), SnapshotDropped{id}),
       start("snapshot-dropped") + R"(,"snapshot":")" + one + "\"}"},
      {entry_text(head(), RingImported{id, id, time, 28}),
       start("ring-imported") + R"(,"site":")" + one + R"(","ring":")" + one +
           R"(","issued":"2026-05-28T20:26:40Z","epochs":28})"},
      {entry_text(head(), ReceiptImported{id, time, 2, 3}),
       start("receipt-imported") + R"(,"ring":")" + one +
           R"(","issued":"2026-05-28T20:26:40Z","epochs":2,"snapshots":3})"},
      {entry_text(head(), LogAccepted{5, 9, filled<32>(2), 4, 0}),
       start("log-accepted") + R"(,"snapshot_size":5,"size":9,"root":")" + hash +
           R"(","destroyed":4})"},
      {entry_text(head(), VaultRecovered{id, id, id}), start("vault-recovered") + R"(,"vault":")" +
                                                           one + R"(","instance":")" + one +
                                                           R"(","epoch":")" + one + "\"}"},
      {entry_text(head(), TakenOver{id, 7}),
       start("taken-over") + R"(,"instance":")" + one + R"(","log_size":7})"},
      {entry_text(head(), DrillDone{id, 1, 2, 3, true, filled<32>(2)}),
       start("drill-done") + R"(,"backup":")" + one +
           R"(","restored":1,"compared":2,"erased":3,"passed":1,"report_sha256":")" + hash + "\"}"},
  };
  for (const auto& [text, expected] : texts) {
    CHECK(text == expected);
    CHECK(must(LogEntry::parse(as_bytes(text))).head().id == head().id);
  }
}

TEST_CASE("an entry reads back", "[log-entry]") {
  const std::string text = entry_text(head(), KeysUnreachable{filled<16>(1), 4, 5, {1, 2}});
  const LogEntry entry = must(LogEntry::parse(as_bytes(text)));
  CHECK(entry.kind() == entry_kinds::kKeysUnreachable);
  CHECK(entry.head().id == head().id);
  CHECK(entry.head().time == 1772368205000);
  CHECK(*entry.number("generation_after") == 5);
  CHECK(*entry.text("erasure") == "01010101010101010101010101010101");
  CHECK(*entry.list("keys") == std::vector<std::string>{"0000000000000001", "0000000000000002"});
  CHECK(entry.number("erasure") == nullptr);
  CHECK(entry.text("missing") == nullptr);
}

TEST_CASE("an entry of a kind that is not known reads too", "[log-entry]") {
  CHECK(must(LogEntry::parse(as_bytes(start("from-the-future") + R"(,"n":1})"))).kind() ==
        "from-the-future");
}

TEST_CASE("new entries have ids of their own", "[log-entry]") {
  CHECK(new_entry(1).id != new_entry(1).id);
  CHECK(new_entry(7).time == 7);
}

TEST_CASE("malformed entries are refused", "[log-entry]") {
  const std::string good = entry_text(head(), AnchorRewritten{9});
  must(LogEntry::parse(as_bytes(good)));
  const std::string body = good.substr(0, good.size() - 1);
  const std::string malformed[] = {
      "",
      "[]",
      "{}",
      good + "\n",
      " " + good,
      body + R"(,"generation":9})",
      body + R"(,"x":{"y":1}})",
      body + R"(,"x":[1]})",
      body + R"(,"x":true})",
      body + R"(,"x": 1})",
      body + R"(,"x":"\u0061"})",
      R"({"kind":"a","entry":"abababababababababababababababab","time":"2026-03-01T12:30:05Z"})",
      R"({"entry":"abababababababababababababababab","kind":"a"})",
      R"({"entry":"ab","kind":"a","time":"2026-03-01T12:30:05Z"})",
      R"({"entry":"ABABABABABABABABABABABABABABABAB","kind":"a","time":"2026-03-01T12:30:05Z"})",
      R"({"entry":"abababababababababababababababab","kind":"A b","time":"2026-03-01T12:30:05Z"})",
      R"({"entry":"abababababababababababababababab","kind":"a","time":"2026-03-01"})",
  };
  for (const std::string& text : malformed) {
    INFO(text);
    CHECK_FAILS_WITH(LogEntry::parse(as_bytes(text)), ErrorCode::kUnverified);
  }
}

}  // namespace
}  // namespace quietus::test
