// What certificates say of other instances of the vault, which may hold keys that are erased here.
#include "keys/instances.hpp"

#include <nlohmann/json.hpp>

#include "base/text_encoding.hpp"
#include "keys/batch_vault.hpp"
#include "support/mentions.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

std::uint64_t log_size(TestVault& vault) {
  return vault
      .look([](ControlReader& reader, ScopeTable&, const RootRow&) { return log_head(reader); })
      .size;
}

void add_instance(TestVault& vault, std::uint8_t number, std::uint64_t size) {
  must(vault.keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_instance(writer, scopes.seal(), {{number}, 1780000000000, size, {}, {}});
  }));
}

void add_receipt(TestVault& vault, const InstanceReceipt& receipt) {
  must(vault.keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_instance_receipt(writer, scopes.seal(), receipt);
  }));
}

void damage_instance(TestVault& vault, std::uint8_t number) {
  const Bytes key = ByteWriter().u8('O').raw(InstanceId{number}).take();
  must(vault.control().update(
      WriteClass::kOrdinary, [&](ControlWriter& writer) { return writer.put(key, Bytes(60, 7)); }));
}

struct ReadInstances {
  std::vector<InstanceRow> rows;
  int damaged = 0;
};

ReadInstances read_instances(TestVault& vault) {
  return vault.look(
      [](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<ReadInstances> {
        ReadInstances read;
        QUIETUS_TRY_AS(read.rows, rows::instances(reader, scopes.seal(), [&] { ++read.damaged; }));
        return read;
      });
}

nlohmann::json payload_of(const std::string& document) {
  const auto jws = nlohmann::json::parse(document);
  return nlohmann::json::parse(as_text(from_base64url(jws["payload"].get<std::string>()).value()));
}

// The ids of the instances that a certificate names, once it was verified.
std::vector<std::string> named(TestVault& vault, const std::string& document) {
  const VerifiedCertificate verified = must(vault.verify(document));
  const nlohmann::json payload = payload_of(document);
  std::vector<std::string> ids;
  for (const auto& other : payload["instances"])
    ids.push_back(other["instance_id"].get<std::string>());
  const bool known = payload["instances_known"].get<bool>();
  CHECK((verified.status() == CertificateStatus::kComplete) == (known && ids.empty()));
  for (const std::string& id : ids) CHECK(mentions(verified.report().not_claimed, id));
  return ids;
}

std::string id_text(std::uint8_t number) {
  return to_hex(InstanceId{number});
}

}  // namespace

TEST_CASE("rows of instances are read as they were written, and damaged ones are told of",
          "[instances]") {
  ErasableVault vault;
  add_instance(*vault, 9, 20);
  add_instance(*vault, 3, 30);
  add_instance(*vault, 9, 40);  // the same one again
  const ReadInstances whole = read_instances(*vault);
  REQUIRE(whole.rows.size() == 2);
  CHECK(whole.rows[0].instance == InstanceId{3});
  CHECK(whole.rows[0].log_size == 30);
  CHECK(whole.rows[0].copied == 1780000000000);
  CHECK(whole.rows[1].instance == InstanceId{9});
  CHECK(whole.rows[1].log_size == 40);
  CHECK(whole.damaged == 0);
  const auto damaged_tables = [&] {
    return vault->look([](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return rows::damaged_tables(reader, scopes.seal());
    });
  };
  CHECK(damaged_tables().empty());
  damage_instance(*vault, 3);
  const ReadInstances left = read_instances(*vault);
  CHECK(left.rows.size() == 1);
  CHECK(left.damaged == 1);
  CHECK(damaged_tables() == std::vector<char>{'O'});
}

TEST_CASE("rows of receipts are read as they were written, and a damaged one is none",
          "[instances]") {
  ErasableVault vault;
  const ScopeId scope = vault.scopes.user;
  const auto found = [&](std::uint8_t instance, ScopeId of) {
    return vault->look([&](ControlReader& reader, ScopeTable& scopes,
                           const RootRow&) -> Result<std::optional<CertificateId>> {
      const auto read = rows::instance_receipt(reader, scopes.seal(), {instance}, of);
      return read.ok() ? read.value() : std::optional(CertificateId{0xFF});
    });
  };
  add_receipt(*vault, {{3}, scope, {7}});
  add_receipt(*vault, {{3}, kVaultScope, {8}});
  add_receipt(*vault, {{3}, scope, {9}});  // a newer one
  CHECK(found(3, scope) == CertificateId{9});
  CHECK(found(3, kVaultScope) == CertificateId{8});
  CHECK_FALSE(found(4, scope));
  CHECK_FALSE(found(3, scope + 1));
  const Bytes key = ByteWriter().u8('o').raw(InstanceId{3}).u64(scope).take();
  must(vault->control().update(
      WriteClass::kOrdinary, [&](ControlWriter& writer) { return writer.put(key, Bytes(60, 7)); }));
  CHECK(found(3, scope) == CertificateId{0xFF});
  add_instance(*vault, 3, log_size(*vault));
  CHECK(vault->look([](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
    return rows::damaged_tables(reader, scopes.seal());
  }) == std::vector<char>{'o'});
  // It keeps no erasure from ending. The other one is for the whole instance.
  const auto covered = payload_of(must(vault->erase({scope})).certificate_document);
  CHECK(covered["instances"][0]["receipt"] == to_hex(CertificateId{8}));
}

TEST_CASE("an erasure shows a receipt that covers all its scopes, and no other",
          "[instances][erase]") {
  ErasableVault vault;
  add_instance(*vault, 3, log_size(*vault));
  add_instance(*vault, 5, log_size(*vault));
  add_receipt(*vault, {{3}, vault.scopes.globex, {7}});
  add_receipt(*vault, {{3}, vault.scopes.data, {8}});
  add_receipt(*vault, {{5}, vault.scopes.user, {9}});
  // The scope lies below the one that the receipt is of.
  const auto user = payload_of(must(vault->erase({vault.scopes.user})).certificate_document);
  CHECK(user["instances"][0]["receipt"] == to_hex(CertificateId{8}));
  CHECK(user["instances"][1]["receipt"] == to_hex(CertificateId{9}));
  CHECK(user["status"] == "complete");
  must(vault.open());
  // Two receipts, neither of which covers both; and one for what lay below only.
  const auto both =
      payload_of(must(vault->erase({vault.scopes.globex, vault.scopes.data})).certificate_document);
  CHECK(both["instances"][0]["receipt"] == "");
  CHECK(both["instances"][1]["receipt"] == "");
  CHECK(both["status"] == "partial");
}

TEST_CASE("an erasure names the instances that were copied when the keys were there",
          "[instances][erase]") {
  ErasableVault vault;
  const std::uint64_t first = vault->key_row(vault.scopes.user)->keys[0].log_index;
  add_instance(*vault, 7, first);      // copied just before the first key was made
  add_instance(*vault, 5, first + 1);  // just after
  add_instance(*vault, 2, log_size(*vault));
  const auto outcome = must(vault->erase({vault.scopes.user}));
  CHECK(named(*vault, outcome.certificate_document) == std::vector{id_text(2), id_text(5)});
  const auto payload = payload_of(outcome.certificate_document);
  CHECK(payload["instances"][0]["copied"] == "2026-05-28T20:26:40Z");
  must(vault.open());
  check_settled(*vault);

  const auto both = must(vault->erase({vault.scopes.globex, vault.scopes.data}));
  // The older one of the two counts.
  CHECK(named(*vault, both.certificate_document).size() == 3);
}

TEST_CASE("an instance that was copied before the keys were made is not named",
          "[instances][erase]") {
  ErasableVault vault;
  add_instance(*vault, 1, log_size(*vault));
  const ScopeId late = must(vault->add(vault.scopes.data, "late"));
  CHECK(named(*vault, must(vault->erase({late})).certificate_document).empty());
  const auto older = must(vault->erase({vault.scopes.user}));
  CHECK(named(*vault, older.certificate_document) == std::vector{id_text(1)});
}

TEST_CASE(
    "a damaged row of an instance makes certificates partial, and keeps no erasure from ending",
    "[instances][erase]") {
  ErasableVault vault;
  add_instance(*vault, 1, log_size(*vault));
  damage_instance(*vault, 4);
  const ScopeId late = must(vault->add(vault.scopes.data, "late"));
  const auto outcome = must(vault->erase({late}));
  CHECK(named(*vault, outcome.certificate_document).empty());
  CHECK(payload_of(outcome.certificate_document)["instances_known"] == false);
  must(vault.open());
  check_settled(*vault);
}

TEST_CASE("the last certificate of a vault names all its instances", "[instances][destroy]") {
  ErasableVault vault;
  add_instance(*vault, 1, 3);
  const std::string pem = vault->issuer_pem();
  const auto expectations = vault->expectations();
  const auto outcome = must(vault->destroy());
  const auto verified =
      must(verify_certificate(as_bytes(outcome.certificate_document), pem, expectations));
  CHECK(verified.status() == CertificateStatus::kPartial);
  CHECK(mentions(verified.report().not_claimed, id_text(1)));
}

TEST_CASE("certificates of a batch name the instances", "[instances][batch]") {
  BatchVault vault;
  add_instance(*vault, 6, log_size(*vault));
  const ScopeId late = must(vault->add(vault.tenant, "late"));
  const ScopeId early = vault.doomed[0];
  const auto outcome = must(erase_batch(*vault, {early, late}));
  const auto document = [&](ScopeId scope) {
    return must(vault->keys().certificate_of(outcome.intent.id, scope)).document;
  };
  CHECK(named(*vault, document(early)) == std::vector{id_text(6)});
  CHECK(named(*vault, document(late)).empty());
}
