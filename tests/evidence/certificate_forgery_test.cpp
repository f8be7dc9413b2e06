// Everything that must not verify: damaged bytes, other forms of the same content, and certificates
// that an issuer signed although they do not hold.
#include <functional>

#include "base/text_encoding.hpp"
#include "evidence/sample_certificate.hpp"
#include "evidence/strict_json.hpp"

namespace quietus::test {
namespace {

// The objection to a file, which must be refused as unverified.
std::string objection(const SampleVault& vault, const std::string& file) {
  const Result<VerifiedCertificate> verdict = vault.verify(file);
  if (verdict.ok()) return "none";
  CHECK(verdict.error().code() == ErrorCode::kUnverified);
  return verdict.error().context();
}

bool refused(const SampleVault& vault, const std::string& file) {
  const Result<VerifiedCertificate> verdict = vault.verify(file);
  return !verdict.ok() && verdict.error().code() == ErrorCode::kUnverified;
}

TEST_CASE("a certificate with any single byte changed is refused", "[certificate][forgery]") {
  const SampleVault vault;
  const std::string good = vault.certificate();
  must(vault.verify(good));
  for (std::size_t i = 0; i < good.size(); ++i) {
    INFO("byte " << i);
    for (const char flip : {'\x01', '\x20'}) {
      std::string flipped = good;
      flipped[i] = static_cast<char>(flipped[i] ^ flip);
      REQUIRE(refused(vault, flipped));
    }
    std::string shorter = good;
    REQUIRE(refused(vault, shorter.erase(i, 1)));
    std::string longer = good;
    REQUIRE(refused(vault, longer.insert(i, 1, good[i])));
    REQUIRE(refused(vault, good.substr(0, i)));
  }
  for (const char* space : {" ", "\n", "\t", "\r\n"}) {
    CHECK(refused(vault, space + good));
    CHECK(refused(vault, good + space));
  }
}

// A JSON text with one member treated differently; members are counted from 0 through the whole
// text.
class MemberEditor {
 public:
  enum class Edit { kDrop, kDouble, kSwapWithNext, kRename };
  MemberEditor(std::size_t target, Edit edit) : target_(target), edit_(edit) {}

  std::string print(const Json& json) {
    if (json.is_array()) return print_list(json);
    if (!json.is_object()) return canonical_text(json);
    std::vector<std::string> members;
    std::optional<std::size_t> here;
    for (const auto& [name, value] : json.items()) {
      if (seen_++ == target_) here = members.size();
      const bool rename = here == members.size() && edit_ == Edit::kRename;
      members.push_back("\"" + name + (rename ? "_" : "") + "\":" + print(value));
    }
    if (here) apply(members, *here);
    return "{" + join(members) + "}";
  }
  std::size_t seen() const noexcept { return seen_; }

 private:
  std::string print_list(const Json& json) {
    std::vector<std::string> items;
    for (const Json& item : json) items.push_back(print(item));
    return "[" + join(items) + "]";
  }
  void apply(std::vector<std::string>& members, std::size_t at) const {
    const auto here = members.begin() + static_cast<std::ptrdiff_t>(at);
    if (edit_ == Edit::kDrop)
      members.erase(here);
    else if (edit_ == Edit::kDouble)
      members.insert(here, std::string(members[at]));
    else if (edit_ == Edit::kSwapWithNext)
      std::swap(members[at], members[(at + 1) % members.size()]);
  }
  static std::string join(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
    return text;
  }

  std::size_t target_;
  Edit edit_;
  std::size_t seen_ = 0;
};

TEST_CASE("a signed payload with a member dropped, doubled, moved or renamed is refused",
          "[certificate][forgery]") {
  const SampleVault vault;
  const std::string payload = encode_claims(vault.claims());
  const Json json = must(parse_strict_json(payload));
  MemberEditor counter(~std::size_t{0}, MemberEditor::Edit::kDrop);
  REQUIRE(counter.print(json) == payload);
  REQUIRE(counter.seen() > 80);
  for (std::size_t i = 0; i < counter.seen(); ++i) {
    INFO("member " << i);
    for (const auto edit : {MemberEditor::Edit::kDrop, MemberEditor::Edit::kDouble,
                            MemberEditor::Edit::kSwapWithNext, MemberEditor::Edit::kRename}) {
      const std::string edited = MemberEditor(i, edit).print(json);
      REQUIRE(edited != payload);
      REQUIRE(refused(vault, vault.sign(edited)));
    }
  }
}

TEST_CASE("a signed payload of another form is refused", "[certificate][forgery]") {
  const SampleVault vault;
  const std::string payload = encode_claims(vault.claims());
  const auto with = [&](const std::string& from, const std::string& to) {
    REQUIRE(payload.find(from) != std::string::npos);
    std::string changed = payload;
    return vault.sign(changed.replace(changed.find(from), from.size(), to));
  };
  CHECK(objection(vault, vault.sign(" " + payload)).find("canonical") != std::string::npos);
  CHECK(objection(vault, vault.sign(payload + "\n")).find("canonical") != std::string::npos);
  CHECK(refused(vault, with(R"("reason":)", R"("reason": )")));
  CHECK(refused(vault, with(R"("customer-request")", R"("customer\u002drequest")")));
  CHECK(refused(vault, with(R"("customer-request")", R"("Jane Doe asked")")));
  CHECK(refused(vault, with(R"({"version":1,)", R"({"version":1,"note":"x",)")));
  CHECK(refused(vault, with("\"status\":\"complete\"", "\"status\":\"Complete\"")));
  CHECK(refused(vault, with("\"status\":\"complete\"", "\"status\":\"perfect\"")));
  CHECK(refused(vault, with("\"strength_bits\":256", "\"strength_bits\":128")));
  CHECK(refused(vault, with("\"sanitization\":\"purge\"", "\"sanitization\":\"destroy\"")));
  CHECK(refused(vault, with("It does not prove destruction by itself.", "It proves destruction.")));
  CHECK(refused(vault, with("\"line\":\"data\"", "\"line\":\"other\"")));
  CHECK(refused(vault, with("\"phase\":\"final\"", "\"phase\":\"live\"")));
  CHECK(refused(vault, with("2026-03-01T12:32:05Z", "2026-03-01T12:32:05.0Z")));
  CHECK(refused(vault, with("\"generation_after\":9", "\"generation_after\":9.0")));
  CHECK(refused(vault, with("\"quietus 0.1.0\"", "\"another tool\"")));
  CHECK(refused(vault, vault.sign("")));
  CHECK(refused(vault, vault.sign("{}")));
  CHECK(refused(vault, vault.sign("[]")));
  CHECK_FAILS_WITH(vault.verify(with(R"("version":1)", R"("version":2)")), ErrorCode::kUnsupported);
}

TEST_CASE("a certificate is of one issuer, one vault and one type", "[certificate][forgery]") {
  const SampleVault vault("a");
  const SampleVault other("b");
  CHECK(objection(vault, other.certificate()) == "document was signed by another key");
  // Signed by the right key, but naming another in the payload.
  CHECK(objection(vault, vault.sign(encode_claims(other.claims()))) ==
        "payload names another issuer than the signature");
  // Valid in itself; refused by whoever knows the vault's log.
  const std::string moved = must(issue_certificate(other.claims(), vault.issuer())).file;
  CHECK(verify_certificate(as_bytes(moved), vault.issuer_pem()).ok());
  CHECK(objection(vault, moved) == "log key is not the expected one");
  const std::string payload = encode_claims(vault.claims());
  CHECK(objection(vault, sign_jws(as_bytes(payload), "JWT", vault.issuer())) ==
        "header names another type of document");
}

struct Lie {
  const char* name;
  std::function<void(ErasureClaims&)> tell;
  const char* objection;
};

// An issuer signs each of these; no verifier may believe one, and issue_certificate() makes none.
void check_lies(const std::vector<Lie>& lies) {
  const SampleVault vault;
  for (const Lie& lie : lies) {
    INFO(lie.name);
    ErasureClaims claims = vault.claims();
    lie.tell(claims);
    CHECK(objection(vault, vault.sign(encode_claims(claims))).find(lie.objection) !=
          std::string::npos);
    CHECK_FAILS_WITH(issue_certificate(claims, vault.issuer()), ErrorCode::kUnverified);
  }
}

TEST_CASE("claims that contradict each other are refused", "[certificate][forgery]") {
  check_lies({
      {"complete, but a slot is not gone", [](auto& c) { c.root.slots[1].gone = false; },
       "not every root slot"},
      {"complete, but not read back", [](auto& c) { c.root.slots[0].read_back = false; },
       "not every root slot"},
      {"complete, but not overwritten", [](auto& c) { c.root.slots[0].overwritten = false; },
       "not every root slot"},
      {"complete on an unknown medium", [](auto& c) { c.root.assurance_known = false; },
       "assurance is unknown"},
      {"no slot destroyed", [](auto& c) { c.root.slots.clear(); }, "does not name the root slot"},
      {"the old slot is left out", [](auto& c) { c.root.slots.erase(c.root.slots.begin()); },
       "does not name the root slot"},
      {"the new slot destroyed", [](auto& c) { c.root.slots[1].generation = 9; }, "newer"},
      {"a slot twice", [](auto& c) { c.root.slots[1].id = c.root.slots[0].id; }, "slot twice"},
      {"generation stands still", [](auto& c) { c.root.generation_after = 7; }, "did not grow"},
      {"generation goes back", [](auto& c) { c.root.generation_after = 3; }, "did not grow"},
      {"free text in the assurance", [](auto& c) { c.root.assurance = "two\nlines"; },
       "malformed assurance"},
      {"an endless assurance", [](auto& c) { c.root.assurance.assign(1025, 'x'); },
       "malformed assurance"},
      {"unreachable before begun", [](auto& c) { c.times.begun = c.times.slot_destroyed; },
       "times"},
      {"destroyed before unreachable",
       [](auto& c) { std::swap(c.times.keys_unreachable, c.times.slot_destroyed); }, "times"},
      {"issued before destroyed", [](auto& c) { c.issued_at = c.times.keys_unreachable; }, "times"},
      {"no scope", [](auto& c) { c.targets.clear(); }, "names no scope"},
      {"a scope without keys", [](auto& c) { c.targets[1].keys.clear(); }, "without keys"},
      {"a scope twice", [](auto& c) { c.targets[1].scope = c.targets[0].scope; }, "scope twice"},
      {"a key twice", [](auto& c) { c.targets[1].keys = c.targets[0].keys; }, "key twice"},
      {"a phase that needs snapshots", [](auto& c) { c.phase = CertificatePhase::kLive; }, "final"},
      {"final, but a snapshot is left",
       [](auto& c) {
         c.snapshots = {{{1}, c.issued_at, false}};
       },
       "not final"},
      {"complete, but live",
       [](auto& c) {
         c.snapshots = {{{1}, c.issued_at, false}};
         c.phase = CertificatePhase::kLive;
       },
       "do not agree"},
      {"live, but all snapshots are gone",
       [](auto& c) {
         c.snapshots = {{{1}, c.issued_at, true}};
         c.phase = CertificatePhase::kLive;
         c.status = CertificateStatus::kPendingSnapshots;
       },
       "still age out is final"},
      {"pending, but all snapshots are gone",
       [](auto& c) {
         c.snapshots = {{{1}, c.issued_at, true}};
         c.status = CertificateStatus::kPendingSnapshots;
       },
       "do not agree"},
      {"final, but one of two snapshots is left",
       [](auto& c) {
         c.snapshots = {{{1}, c.issued_at, true}, {{2}, c.issued_at, false}};
       },
       "not final"},
      {"pending, but no snapshot", [](auto& c) { c.status = CertificateStatus::kPendingSnapshots; },
       "do not agree"},
      {"pending on an unknown medium",
       [](auto& c) {
         c.snapshots = {{{1}, c.issued_at, false}};
         c.phase = CertificatePhase::kLive;
         c.status = CertificateStatus::kPendingSnapshots;
         c.root.assurance_known = false;
       },
       "assurance is unknown"},
      {"a snapshot twice",
       [](auto& c) {
         c.snapshots = {{{1}, c.issued_at, false}, {{1}, c.issued_at, false}};
         c.phase = CertificatePhase::kLive;
         c.status = CertificateStatus::kPendingSnapshots;
       },
       "epoch twice"},
      {"a snapshot that was clear before",
       [](auto& c) {
         c.snapshots = {{{1}, c.times.begun - 60000, false}};
         c.phase = CertificatePhase::kLive;
         c.status = CertificateStatus::kPendingSnapshots;
       },
       "clear before"},
      {"complete, but the exports are not known", [](auto& c) { c.exports_known = false; },
       "exports are not all known"},
      {"numbers that nobody counted", [](auto& c) { c.unreadable.counted = false; }, "not counted"},
      {"a subject without a level", [](auto& c) { c.targets[0].level = 0; }, "lies nowhere"},
      {"it supersedes itself", [](auto& c) { c.supersedes = {c.certificate}; },
       "supersedes itself"},
      {"it supersedes one twice",
       [](auto& c) {
         c.supersedes = {{1}, {1}};
       },
       "another one twice"},
      {"another tool", [](auto& c) { c.tool = "quietus 1.0 by Jane"; }, "tool"},
  });
}

TEST_CASE("claims that pass over other instances of the vault are refused",
          "[certificate][forgery]") {
  const auto pending = [](ErasureClaims& claims) {
    claims.snapshots = {{{1}, claims.issued_at, false}};
    claims.phase = CertificatePhase::kLive;
    claims.status = CertificateStatus::kPendingSnapshots;
  };
  const auto partial = [](ErasureClaims& claims, std::vector<ClaimedInstance> instances) {
    claims.status = CertificateStatus::kPartial;
    claims.instances = std::move(instances);
  };
  check_lies({
      {"complete, but there is another instance",
       [](auto& c) {
         c.instances = {{{1}, kStart}};
       },
       "another instance may hold"},
      {"complete, but the instances are not known", [](auto& c) { c.instances_known = false; },
       "other instances are not all known"},
      {"pending, but there is another instance",
       [&](auto& c) {
         pending(c);
         c.instances = {{{1}, kStart}};
       },
       "another instance may hold"},
      {"pending, but the instances are not known",
       [&](auto& c) {
         pending(c);
         c.instances_known = false;
       },
       "other instances are not all known"},
      {"instances that descend",
       [&](auto& c) {
         partial(c, {{{1}, kStart}, {{3}, kStart}, {{2}, kStart}});
       },
       "not in ascending order"},
      {"an instance twice",
       [&](auto& c) {
         partial(c, {{{1}, kStart}, {{1}, kStart + kMinute}});
       },
       "another instance twice"},
      {"complete, but one of two instances has no receipt",
       [](auto& c) {
         c.instances = {{{1}, kStart, CertificateId{7}}, {{2}, kStart}};
       },
       "another instance may hold"},
      {"complete with receipts, but more instances may be",
       [](auto& c) {
         c.instances = {{{1}, kStart, CertificateId{7}}};
         c.instances_known = false;
       },
       "other instances are not all known"},
      {"its own receipt",
       [](auto& c) {
         c.instances = {{{1}, kStart, c.certificate}};
       },
       "a certificate of this one"},
      {"one that it supersedes as a receipt",
       [](auto& c) {
         c.supersedes = {{7}};
         c.instances = {{{1}, kStart, CertificateId{7}}};
       },
       "a certificate of this one"},
      {"one receipt for two instances",
       [](auto& c) {
         c.instances = {{{1}, kStart, CertificateId{7}}, {{2}, kStart, CertificateId{7}}};
       },
       "or of two"},
  });
}

TEST_CASE("a signed payload with other instances has one form", "[certificate][forgery]") {
  const SampleVault vault;
  ErasureClaims claims = vault.claims();
  claims.status = CertificateStatus::kPartial;
  claims.instances = {{{1}, kStart}, {{2}, kStart, CertificateId{7}}};
  const std::string payload = encode_claims(claims);
  REQUIRE(vault.verify(vault.sign(payload)).ok());
  const Json json = must(parse_strict_json(payload));
  MemberEditor counter(~std::size_t{0}, MemberEditor::Edit::kDrop);
  REQUIRE(counter.print(json) == payload);
  for (std::size_t i = 0; i < counter.seen(); ++i)
    for (const auto edit : {MemberEditor::Edit::kDrop, MemberEditor::Edit::kDouble,
                            MemberEditor::Edit::kSwapWithNext, MemberEditor::Edit::kRename})
      REQUIRE(refused(vault, vault.sign(MemberEditor(i, edit).print(json))));
  // The sentences and the list of copies are those of the facts.
  const auto with = [&](const std::string& from, const std::string& to) {
    REQUIRE(payload.find(from) != std::string::npos);
    std::string changed = payload;
    return vault.sign(changed.replace(changed.find(from), from.size(), to));
  };
  CHECK(refused(vault, with("\"not-covered\"", "\"never-existed\"")));
  CHECK(refused(vault, with("and none of them is covered", "and all of them are covered")));
  CHECK(refused(vault, with("\"receipt\":\"\"", "\"receipt\":null")));
  CHECK(refused(vault, with("\"receipt\":\"\"", "\"receipt\":\"07\"")));
  CHECK(refused(vault, with("01000000000000000000000000000000", "0100000000000000000000000000")));
  CHECK(refused(vault, with("\"instances_known\":true", "\"instances_known\":1")));
}

TEST_CASE("claims that the log does not carry are refused", "[certificate][forgery]") {
  check_lies({
      {"another erasure", [](auto& c) { c.erasure[0] ^= 1; }, "another erasure"},
      {"another generation before",
       [](auto& c) {
         c.root.generation_before = 6;
         c.root.slots[0].generation = 6;
       },
       "root generation"},
      {"another generation after", [](auto& c) { c.root.generation_after = 10; },
       "root generation"},
      {"another scope", [](auto& c) { c.targets[0].scope = 0x1009; }, "not created as claimed"},
      {"a key of another scope", [](auto& c) { std::swap(c.targets[0].scope, c.targets[1].scope); },
       "not created as claimed"},
      {"another line", [](auto& c) { c.targets[0].keys[0].line = KeyLine::kLasting; },
       "not created as claimed"},
      {"another key generation", [](auto& c) { c.targets[0].keys[0].generation = 2; },
       "not created as claimed"},
      {"another commitment", [](auto& c) { c.targets[0].keys[0].commitment[5] ^= 1; },
       "not created as claimed"},
      {"another key", [](auto& c) { c.targets[0].keys[0].id = 0x2FFF; }, "not listed"},
      {"one key less", [](auto& c) { c.targets[0].keys.pop_back(); }, "not listed"},
      {"one key more",
       [](auto& c) {
         c.targets[0].keys.push_back({0x2004, KeyLine::kData, 1, {}});
       },
       "every key was created"},
      {"another slot", [](auto& c) { c.root.slots[0].id[0] ^= 1; }, "slots or holders"},
      {"one slot less", [](auto& c) { c.root.slots.pop_back(); }, "slots or holders"},
      {"more holders", [](auto& c) { c.holders_acknowledged = 3; }, "slots or holders"},
      {"holders that ended", [](auto& c) { c.holders_ended = 0; }, "slots or holders"},
      {"unreachable at another time", [](auto& c) { c.times.keys_unreachable += 1000; },
       "unreachable at another time"},
      {"destroyed at another time", [](auto& c) { c.times.slot_destroyed += 1000; },
       "destroyed at another time"},
      {"another vault", [](auto& c) { c.vault[0] ^= 1; }, "log key is not that of the vault"},
      {"another origin", [](auto& c) { c.log.origin += "/x"; }, "log key is not that"},
  });
}

TEST_CASE("a certificate of a batch is refused when its statement is another",
          "[certificate][forgery]") {
  SampleVault vault;
  const ErasureClaims good = vault.of_batch(11, 20);
  REQUIRE(vault.verify(vault.sign(encode_claims(good))).ok());
  const Json json = must(parse_strict_json(encode_claims(good)));
  const std::vector<Lie> lies = {
      {"another statement", [](auto& c) { c.batch->statement[0] ^= 1; }, "statement of the batch"},
      {"another place", [](auto& c) { c.batch->index = 12; }, "statement of the batch"},
      {"a place beyond", [](auto& c) { c.batch->index = 20; }, "statement of the batch"},
      {"another size", [](auto& c) { c.batch->scopes = 21; }, "in another erasure, batch"},
      {"no place at all", [](auto& c) { c.batch->scopes = 0; }, "in another erasure, batch"},
      {"an impossible size", [](auto& c) { c.batch->scopes = ~std::uint64_t{0}; }, "larger"},
      {"a hash of the proof", [](auto& c) { c.batch->proof[2][0] ^= 1; }, "statement of the batch"},
      {"a proof cut short", [](auto& c) { c.batch->proof.pop_back(); }, "statement of the batch"},
      {"a proof too long", [](auto& c) { c.batch->proof.push_back({}); }, "statement of the batch"},
      {"no proof", [](auto& c) { c.batch->proof.clear(); }, "statement of the batch"},
      {"another subject", [](auto& c) { (*c.targets[0].subject)[0] ^= 1; },
       "statement of the batch"},
      {"another level", [](auto& c) { c.targets[0].level = 2; }, "statement of the batch"},
      {"more records", [](auto& c) { c.unreadable.records += 1; }, "statement of the batch"},
      {"another reason", [](auto& c) { c.reason = "test"; }, "statement of the batch"},
      {"another erasure", [](auto& c) { c.erasure[0] ^= 1; }, "another erasure"},
      {"another generation", [](auto& c) { c.root.generation_after += 1; },
       "batch or root generation"},
      {"another time", [](auto& c) { c.times.keys_unreachable += 1000; }, "another time"},
      {"a key less",
       [](auto& c) {
         c.targets[0].keys.pop_back();
         c.log.proofs.pop_back();
       },
       "statement of the batch"},
      {"two scopes", [&](auto& c) { c.targets.push_back(vault.claims().targets[1]); },
       "of one scope"},
      {"no batch", [](auto& c) { c.batch.reset(); }, "logged as a batch"},
  };
  for (const Lie& lie : lies) {
    INFO(lie.name);
    ErasureClaims claims = good;
    lie.tell(claims);
    CHECK(objection(vault, vault.sign(encode_claims(claims))).find(lie.objection) !=
          std::string::npos);
    CHECK_FAILS_WITH(issue_certificate(claims, vault.issuer()), ErrorCode::kUnverified);
  }
  ErasureClaims ordinary = vault.claims();
  ordinary.batch = good.batch;
  ordinary.targets.resize(1);
  ordinary.log.proofs.erase(ordinary.log.proofs.begin() + 2);
  CHECK(objection(vault, vault.sign(encode_claims(ordinary))).find("not logged as a batch") !=
        std::string::npos);
  // Dropped, doubled, moved or renamed members of the new kind, too.
  MemberEditor counter(~std::size_t{0}, MemberEditor::Edit::kDrop);
  REQUIRE(counter.print(json) == encode_claims(good));
  for (std::size_t i = 0; i < counter.seen(); ++i)
    for (const auto edit : {MemberEditor::Edit::kDrop, MemberEditor::Edit::kDouble,
                            MemberEditor::Edit::kSwapWithNext, MemberEditor::Edit::kRename})
      REQUIRE(refused(vault, vault.sign(MemberEditor(i, edit).print(json))));
}

std::string& replace(std::string& text, const std::string& from, const std::string& to) {
  REQUIRE(text.find(from) != std::string::npos);
  return text.replace(text.find(from), from.size(), to);
}

TEST_CASE("proofs that do not hold are refused", "[certificate][forgery]") {
  check_lies({
      {"no proofs", [](auto& c) { c.log.proofs.clear(); }, "no proofs"},
      {"no proof of creation", [](auto& c) { c.log.proofs.erase(c.log.proofs.begin()); },
       "every key was created"},
      {"no proof of destruction", [](auto& c) { c.log.proofs.pop_back(); }, "slot was destroyed"},
      {"no proof of unreachable keys", [](auto& c) { c.log.proofs.erase(c.log.proofs.end() - 2); },
       "became unreachable"},
      {"a creation twice", [](auto& c) { c.log.proofs.push_back(c.log.proofs[0]); }, "twice"},
      {"a destruction twice", [](auto& c) { c.log.proofs.push_back(c.log.proofs.back()); },
       "twice"},
      {"proofs exchanged", [](auto& c) { std::swap(c.log.proofs[0].proof, c.log.proofs[1].proof); },
       "another root"},
      {"entries exchanged",
       [](auto& c) { std::swap(c.log.proofs[0].entry, c.log.proofs[1].entry); }, "another root"},
      {"a byte of an entry",
       [](auto& c) {
         c.log.proofs[0].entry[10] =
             static_cast<std::uint8_t>('0' + (c.log.proofs[0].entry[10] == '0'));
       },
       "another root"},
      {"another index", [](auto& c) { replace(c.log.proofs[0].proof, "index 1\n", "index 3\n"); },
       "another root"},
      {"an index beyond the log",
       [](auto& c) { replace(c.log.proofs[0].proof, "index 1\n", "index 99\n"); }, "beyond"},
      {"an extra line",
       [](auto& c) { replace(c.log.proofs[0].proof, "index", "extra YQ==\nindex"); },
       "nothing vouches"},
      {"another first line", [](auto& c) { replace(c.log.proofs[0].proof, "@v1", "@v9"); },
       "does not begin"},
      {"another size under the signature",
       [](auto& c) {
         for (auto& proven : c.log.proofs) replace(proven.proof, "\n8\n", "\n9\n");
       },
       "bad signature"},
  });
}

TEST_CASE("the lines of a proof cannot change places", "[certificate][forgery]") {
  const SampleVault vault;
  for (std::size_t p = 0; p < vault.claims().log.proofs.size(); ++p) {
    const std::string& proof = vault.claims().log.proofs[p].proof;
    for (std::size_t at = proof.find('\n'); proof.find('\n', at + 1) != std::string::npos;
         at = proof.find('\n', at + 1)) {
      const std::size_t start = at == proof.find('\n') ? 0 : proof.rfind('\n', at - 1) + 1;
      const std::size_t end = proof.find('\n', at + 1);
      const std::string swapped = proof.substr(0, start) + proof.substr(at + 1, end - at) +
                                  proof.substr(start, at + 1 - start) + proof.substr(end + 1);
      if (swapped == proof) continue;
      INFO("proof " << p << ", line at " << start);
      ErasureClaims claims = vault.claims();
      claims.log.proofs[p].proof = swapped;
      REQUIRE(refused(vault, vault.sign(encode_claims(claims))));
    }
  }
}

TEST_CASE("proofs under different checkpoints are refused", "[certificate][forgery]") {
  SampleVault vault;
  ErasureClaims claims = vault.claims();
  vault.log(entry_text(new_entry(kStart), AnchorRewritten{9}));
  claims.log.proofs[0] = vault.prove(vault.proven()[0]);
  CHECK(objection(vault, vault.sign(encode_claims(claims))) ==
        "proofs are under different checkpoints");
  // All of them under the newer one is as good as all under the older.
  CHECK(vault.verify(vault.sign(encode_claims(vault.with_proofs(vault.proven())))).ok());
}

TEST_CASE("entries out of order or beside the matter are refused", "[certificate][forgery]") {
  SampleVault vault;
  const auto verdict = [&](const std::vector<std::uint64_t>& indices) {
    return objection(vault, vault.sign(encode_claims(vault.with_proofs(indices))));
  };
  std::vector<std::uint64_t> indices = vault.proven();
  const ErasureClaims& claims = vault.claims();
  const ClaimedKey& key = claims.targets[0].keys[0];

  indices[0] =
      vault.log(entry_text(new_entry(kStart), KeyCreated{claims.targets[0].scope, key.id, key.line,
                                                         key.generation, key.commitment}));
  CHECK(verdict(indices) == "log entries are not in the order in which things happen");

  indices = vault.proven();
  indices[3] =
      vault.log(entry_text(new_entry(claims.times.keys_unreachable),
                           KeysUnreachable{claims.erasure, 7, 9, {0x2001, 0x2002, 0x2003}}));
  CHECK(verdict(indices) == "log entries are not in the order in which things happen");

  indices[3] = vault.log(entry_text(new_entry(claims.times.keys_unreachable),
                                    KeysUnreachable{claims.erasure, 7, 9, {0x2001, 0x2002}}));
  CHECK(verdict(indices) == "a listed key is not among the unreachable ones");

  indices = vault.proven();
  indices.push_back(0);
  CHECK(verdict(indices) == "certificate encloses an entry that it does not rest on");
  indices.back() = vault.log("not an entry");
  CHECK(verdict(indices) != "none");
}

}  // namespace
}  // namespace quietus::test
