// Certificates of one instance of a vault as receipts of another: what both destroyed is destroyed.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/text_encoding.hpp"
#include "keys/instances.hpp"
#include "support/escrow_office.hpp"
#include "support/failpoint_hook.hpp"
#include "support/mentions.hpp"
#include "support/streams.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

using Payload = nlohmann::json;

Payload payload_in(const std::string& certificate) {
  const auto file = Payload::parse(certificate);
  return Payload::parse(as_text(*from_base64url(file.at("payload").get<std::string>())));
}

// One instance of a vault, open.
struct Instance {
  std::shared_ptr<VaultCore> core;
  std::string id = std::string(32, '0');

  Vault vault() const { return Vault(core); }
  ErasureReport erase(std::vector<std::string> paths) const {
    return must(vault().erase(paths, "test"));
  }
  // The file of the certificate.
  std::string erased(std::vector<std::string> paths) const {
    return erase(std::move(paths)).certificate;
  }
  Result<CertificateImport> try_import(const std::string& certificate) const {
    return vault().backups().import_certificate(certificate);
  }
  CertificateImport import(const std::string& certificate) const {
    return must(try_import(certificate));
  }
  std::string file(const std::string& id_of_certificate) const {
    return must(vault().certificate(id_of_certificate));
  }
  // Checked by whoever has its key.
  Payload stated(const std::string& certificate) const {
    must(verify_certificate(as_bytes(certificate), must(vault().issuing_key_pem())));
    return payload_in(certificate);
  }
  Payload standing(const std::string& path) const {
    return stated(must(vault().certificate_of(path)));
  }
  std::size_t certificates() const { return must(vault().certificates()).size(); }
  std::uint64_t log_size() const { return must(vault().log_head()).size; }
};

// A vault, and instances that were restored from it.
struct Twins {
  Office office{nullptr};
  Instance first{office.core};
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  int made = 0;

  Twins() {
    for (const char* path : {"acme/data/user", "acme/other", "globex", "initech"})
      must(office.scope(path).put("a", as_bytes("one")));
  }
  std::filesystem::path roots(const std::string& name) const { return folder / ("roots-" + name); }
  Instance restore(const Instance& from) {
    Bytes backup;
    must(from.vault().backups().create(sink_into(backup)));
    const std::string name = std::to_string(++made);
    RestoreOptions options;
    options.create.root_folder = roots(name);
    options.create.accept_unknown_medium = true;
    const auto report = must(from.vault().backups().restore(source_of(backup), folder / name,
                                                            office.place.unlock(), options));
    return {must(VaultCore::open(folder / name, office.place.unlock(), {},
                                 {posix_file_system(), office.clock})),
            report.instance_id};
  }
  std::string destroyed(Instance& instance) const {
    const auto file = folder / ("last-" + instance.id);
    Vault vault = instance.vault();
    instance.core.reset();
    return must(vault.destroy(file, "test")).certificate;
  }
};

std::string receipt_of(const Payload& payload, const Instance& other) {
  for (const auto& named : payload["instances"])
    if (named["instance_id"] == other.id) return named["receipt"].get<std::string>();
  return "not named";
}

std::string id_in(const std::string& certificate) {
  return payload_in(certificate)["certificate_id"].get<std::string>();
}

TEST_CASE("what both instances erased is complete in each, once it has the other's certificate",
          "[receipts]") {
  Twins twins;
  const Instance& first = twins.first;
  const Instance second = twins.restore(first);
  const std::string here = first.erased({"acme/data/user"});
  CHECK(first.stated(here)["status"] == "partial");
  CHECK(receipt_of(payload_in(here), second).empty());
  const std::string there = second.erased({"acme/data/user"});
  CHECK(second.stated(there)["status"] == "partial");

  const CertificateImport imported = first.import(there);
  CHECK(imported.instance_id == second.id);
  CHECK(imported.certificate_id == id_in(there));
  CHECK(imported.scopes == 1);
  CHECK(imported.named.empty());
  REQUIRE(imported.certificates.size() == 1);
  const Payload now = first.stated(first.file(imported.certificates[0]));
  CHECK(now["status"] == "complete");
  CHECK(now["supersedes"] == Payload::array({id_in(here)}));
  CHECK(receipt_of(now, second) == id_in(there));
  CHECK(now["erasure_id"] == payload_in(here)["erasure_id"]);
  CHECK(now["targets"] == payload_in(here)["targets"]);
  CHECK(first.standing("acme/data/user") == now);
  const std::string entry =
      must(first.vault().log_entry(first.log_size() - 2));  // before certificate-issued
  CHECK(entry.find("instance-receipt-imported") != std::string::npos);
  CHECK(entry.find(second.id) != std::string::npos);
  CHECK(entry.find(id_in(there)) != std::string::npos);

  // The other way round, with the newer one or the older one: both are of the same scope.
  for (const std::string& receipt : {here, first.file(imported.certificates[0])}) {
    second.import(receipt);
    CHECK(second.standing("acme/data/user")["status"] == "complete");
  }
  must(first.vault().verify_log());
  CHECK(must(first.vault().check()).damages.empty());
}

TEST_CASE("a receipt that is there before is shown at once", "[receipts]") {
  Twins twins;
  const Instance second = twins.restore(twins.first);
  const std::string there = second.erased({"globex"});
  CHECK(twins.first.import(there).certificates.empty());
  const Payload now = twins.first.stated(twins.first.erased({"globex"}));
  CHECK(now["status"] == "complete");
  CHECK(receipt_of(now, second) == id_in(there));
}

TEST_CASE("a receipt again, or of another scope, changes no certificate", "[receipts]") {
  Twins twins;
  const Instance& first = twins.first;
  const Instance second = twins.restore(first);
  const std::string here = first.erased({"globex"});
  CHECK(first.import(second.erased({"acme/other"})).certificates.empty());
  CHECK(first.standing("globex") == payload_in(here));
  const std::string there = second.erased({"globex"});
  CHECK(first.import(there).certificates.size() == 1);
  const std::uint64_t size = first.log_size();
  const CertificateImport again = first.import(there);
  CHECK(again.certificates.empty());
  CHECK(again.scopes == 1);
  CHECK(first.log_size() == size);
}

TEST_CASE("what a scope lay below counts, what lies below it does not", "[receipts]") {
  Twins twins;
  const Instance& first = twins.first;
  const Instance second = twins.restore(first);
  first.erase({"acme/data/user"});
  const std::string tenant = second.erased({"acme"});
  CHECK(first.import(tenant).certificates.size() == 1);
  CHECK(receipt_of(first.standing("acme/data/user"), second) == id_in(tenant));

  Twins others;
  const Instance below = others.restore(others.first);
  others.first.erase({"acme"});
  CHECK(others.first.import(below.erased({"acme/data/user"})).certificates.empty());
  CHECK(others.first.standing("acme")["status"] == "partial");
}

TEST_CASE("what a scope was derived from counts too", "[receipts]") {
  Twins twins;
  static_cast<void>(twins.office.derived("initech/report", "globex"));
  const Instance second = twins.restore(twins.first);
  twins.first.erase({"initech/report"});
  const std::string source = second.erased({"globex"});
  CHECK(twins.first.import(source).certificates.size() == 1);
  CHECK(receipt_of(twins.first.standing("initech/report"), second) == id_in(source));
}

TEST_CASE("one certificate has to cover all of another's scopes", "[receipts]") {
  Twins twins;
  const Instance& first = twins.first;
  const Instance second = twins.restore(first);
  first.erase({"globex", "initech"});
  CHECK(first.import(second.erased({"globex"})).certificates.empty());
  CHECK(first.import(second.erased({"initech"})).certificates.empty());
  CHECK(receipt_of(first.standing("globex"), second).empty());

  Twins others;
  const Instance both = others.restore(others.first);
  others.first.erase({"globex", "initech"});
  const std::string receipt = both.erased({"initech", "acme", "globex"});
  CHECK(others.first.import(receipt).certificates.size() == 1);
  CHECK(receipt_of(others.first.standing("globex"), both) == id_in(receipt));
}

TEST_CASE("an instance that was destroyed is the receipt for everything, then and later",
          "[receipts][destroy]") {
  Twins twins;
  const Instance& first = twins.first;
  Instance second = twins.restore(first);
  first.erase({"globex"});
  first.erase({"acme/data/user", "acme/other"});
  const std::string last = twins.destroyed(second);
  const CertificateImport imported = first.import(last);
  CHECK(imported.scopes == 0);
  CHECK(imported.certificates.size() == 2);
  for (const char* path : {"globex", "acme/other"}) {
    CHECK(first.standing(path)["status"] == "complete");
    CHECK(receipt_of(first.standing(path), second) == id_in(last));
  }
  const Payload later = first.stated(first.erased({"initech"}));
  CHECK(later["status"] == "complete");
  CHECK(receipt_of(later, second) == id_in(last));
  // The one that is left is the last one, and says so.
  const std::string pem = must(first.vault().issuing_key_pem());
  const std::string end = must(first.vault().destroy(twins.folder / "end", "test")).certificate;
  must(verify_certificate(as_bytes(end), pem));
  CHECK(payload_in(end)["status"] == "complete");
  CHECK(receipt_of(payload_in(end), second) == id_in(last));
}

TEST_CASE("an instance that others come from is destroyed, and each of them is told",
          "[receipts]") {
  Twins twins;
  const Instance second = twins.restore(twins.first);
  const std::string here = second.erased({"globex"});
  const std::string pem = must(twins.first.vault().issuing_key_pem());
  const std::string last =
      must(twins.first.vault().destroy(twins.folder / "end", "test")).certificate;
  CHECK(payload_in(last)["status"] == "partial");  // the copy lives
  const CertificateImport imported = second.import(last);
  CHECK(imported.instance_id == twins.first.id);
  CHECK(second.standing("globex")["status"] == "complete");
  CHECK(second.standing("globex")["supersedes"] == Payload::array({id_in(here)}));
}

TEST_CASE("what is no receipt is refused and changes nothing", "[receipts]") {
  Twins twins;
  const Instance& first = twins.first;
  const Instance second = twins.restore(first);
  const std::string here = first.erased({"globex"});
  const std::string there = second.erased({"globex"});
  must(second.vault().create_scope("only-there"));
  const std::string only_there = second.erased({"only-there"});
  const std::uint64_t size = first.log_size();

  CHECK_FAILS_WITH(first.try_import(here), ErrorCode::kRefused);  // its own
  CHECK_FAILS_WITH(first.try_import(only_there), ErrorCode::kRefused);
  CHECK_FAILS_WITH(first.try_import(""), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(first.try_import("{}"), ErrorCode::kUnverified);
  Twins foreign;
  const Instance another = foreign.restore(foreign.first);
  CHECK_FAILS_WITH(first.try_import(another.erased({"globex"})), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(first.try_import(foreign.first.erased({"globex"})), ErrorCode::kUnverified);
  for (std::size_t at = 1; at < there.size(); at += 1 + there.size() / 64) {
    std::string forged = there;
    forged[at] = forged[at] == 'A' ? 'B' : 'A';
    if (forged == there) continue;
    INFO("byte " << at);
    CHECK_FAILS_WITH(first.try_import(forged), ErrorCode::kUnverified);
  }
  CHECK(first.log_size() == size);
  CHECK(first.certificates() == 1);
  CHECK(receipt_of(first.standing("globex"), second).empty());
  CHECK(first.import(there).certificates.size() == 1);
}

TEST_CASE("a certificate of an instance that did not see its slots destroyed is no receipt",
          "[receipts]") {
  Twins twins;
  const Instance second = twins.restore(twins.first);
  // A mirror of the root slot is gone, and nobody knows where to.
  for (const auto& file : std::filesystem::recursive_directory_iterator(twins.roots("1")))
    if (const auto name = file.path().filename().string();
        name.starts_with("slot-") && name.ends_with(".1"))
      std::filesystem::remove(file.path());
  const std::string there = second.erased({"globex"});
  REQUIRE(payload_in(there)["root"]["slots_destroyed"][0]["overwritten"] == false);
  const auto refused = twins.first.try_import(there);
  CHECK_FAILS_WITH(refused, ErrorCode::kRefused);
  CHECK(refused.error().context().find("root slots") != std::string::npos);
}

TEST_CASE("further instances that a receipt names become known, and theirs count through it",
          "[receipts]") {
  Twins twins;
  const Instance& first = twins.first;
  const Instance second = twins.restore(first);
  const Instance third = twins.restore(second);  // of which the first one was not told
  first.erase({"globex"});
  CHECK(first.standing("globex")["instances"].size() == 1);
  const std::string there = second.erased({"globex"});
  const std::string beyond = third.erased({"globex"});

  const CertificateImport imported = first.import(there);
  CHECK(imported.named == std::vector<std::string>{third.id});
  CHECK(imported.certificates.size() == 1);
  Payload now = first.standing("globex");
  CHECK(now["status"] == "partial");
  CHECK(receipt_of(now, second) == id_in(there));
  CHECK(receipt_of(now, third).empty());
  CHECK(first.import(there).named.empty());
  // Its keys are known to the second one alone.
  CHECK_FAILS_WITH(first.try_import(beyond), ErrorCode::kUnverified);
  const CertificateImport passed_on = second.import(beyond);
  REQUIRE(passed_on.certificates.size() == 1);
  const std::string both = second.file(passed_on.certificates[0]);
  CHECK(receipt_of(payload_in(both), third) == id_in(beyond));
  CHECK(first.import(both).certificates.size() == 1);
  now = first.standing("globex");
  CHECK(now["status"] == "complete");
  CHECK(receipt_of(now, third) == id_in(beyond));
  CHECK(now["supersedes"].size() == 2);
}

TEST_CASE("copies that were made after the erasure do not come onto its next certificate",
          "[receipts]") {
  Twins twins;
  const Instance& first = twins.first;
  const Instance second = twins.restore(first);
  first.erase({"globex"});
  const Instance late = twins.restore(first);
  first.import(second.erased({"globex"}));
  CHECK(first.standing("globex")["status"] == "complete");
  CHECK(receipt_of(first.standing("globex"), late) == "not named");
}

TEST_CASE("an instance that came to nothing is not waited for", "[receipts]") {
  Twins twins;
  const Instance& first = twins.first;
  const Instance second = twins.restore(first);
  const std::string there = second.erased({"globex"});
  first.import(there);
  // As while a drill runs.
  must(first.core->update([](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_instance(writer, scopes.seal(), {InstanceId{9}, 0, UINT64_MAX, {}, {}});
  }));
  first.erase({"globex"});
  CHECK(first.import(there).certificates.empty());
  CHECK(first.standing("globex")["status"] == "partial");
  must(first.core->update([](ControlWriter& writer, ScopeTable&, RootRow&) {
    return rows::remove_instance(writer, InstanceId{9});
  }));
  CHECK(first.import(there).certificates.size() == 1);
  CHECK(first.standing("globex")["status"] == "complete");
}

TEST_CASE("nothing is imported into a vault that is open for reading", "[receipts]") {
  Twins twins;
  const Instance second = twins.restore(twins.first);
  const std::string there = second.erased({"globex"});
  twins.first.core.reset();
  twins.office.core.reset();
  OpenOptions reading;
  reading.read_only = true;
  const Instance reader{
      must(VaultCore::open(twins.office.place.vault(), twins.office.place.unlock(), reading,
                           {posix_file_system(), twins.office.clock}))};
  CHECK_FAILS_WITH(reader.try_import(there), ErrorCode::kRefused);
}

TEST_CASE("a certificate that waits for key snapshots is a receipt once it is final",
          "[receipts][certificate]") {
  SiteOffice site;
  Twins twins;
  twins.office.clock.set(site.clock.now());
  const Instance& first = twins.first;
  const RingInfo ring = must(site.escrow().ring());
  const Trust trust = must(Trust::parse("log " + ring.site_vkey + "\nquorum none\n"));
  must(first.vault().escrow().import_ring(ring.ring_file, &trust));
  const Instance second = twins.restore(first);  // from a backup with a snapshot in it
  const std::string there = second.erased({"globex"});
  CHECK(payload_in(there)["phase"] == "live");
  const auto refused = first.try_import(there);
  CHECK_FAILS_WITH(refused, ErrorCode::kRefused);
  CHECK(refused.error().context().find("key snapshots") != std::string::npos);

  first.erase({"globex"});
  CHECK(first.standing("globex")["phase"] == "live");
  site.pass(15 * kDayMillis);
  twins.office.clock.set(site.clock.now());
  const std::string receipt = must(site.escrow().roll()).ring.receipt;
  const ReceiptImport in_second = must(second.vault().escrow().import_receipt(receipt));
  REQUIRE(in_second.certificates.size() == 1);
  const std::string final_one = second.file(in_second.certificates[0]);
  CHECK(payload_in(final_one)["phase"] == "final");
  CHECK(payload_in(final_one)["status"] == "partial");  // of this one it knows nothing yet
  // In whatever order: each makes it better, the last one complete.
  CHECK(first.import(final_one).certificates.size() == 1);
  CHECK(first.standing("globex")["status"] == "pending-snapshots");
  CHECK(must(first.vault().escrow().import_receipt(receipt)).certificates.size() == 1);
  const Payload last = first.standing("globex");
  CHECK(last["status"] == "complete");
  CHECK(receipt_of(last, second) == id_in(final_one));
  CHECK(last["supersedes"].size() == 2);
}

TEST_CASE(
    "an instance that is destroyed before its key snapshots are gone leaves a receipt for then",
    "[receipts][certificate]") {
  SiteOffice site;
  Twins twins;
  twins.office.clock.set(site.clock.now());
  const Instance& first = twins.first;
  const RingInfo ring = must(site.escrow().ring());
  const Trust trust = must(Trust::parse("log " + ring.site_vkey + "\nquorum none\n"));
  must(first.vault().escrow().import_ring(ring.ring_file, &trust));
  Instance second = twins.restore(first);
  const std::string last = twins.destroyed(second);
  first.erase({"globex"});
  CHECK_FAILS_WITH(first.try_import(last), ErrorCode::kRefused);
  site.pass(15 * kDayMillis);
  twins.office.clock.set(site.clock.now());
  must(first.vault().escrow().import_receipt(must(site.escrow().roll()).ring.receipt));
  CHECK(first.standing("globex")["status"] == "partial");
  CHECK(first.import(last).certificates.size() == 1);
  CHECK(first.standing("globex")["status"] == "complete");
  CHECK(receipt_of(first.standing("globex"), second) == id_in(last));
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("an import that was interrupted is finished by the next", "[receipts]") {
  for (int n = 1;; ++n) {
    INFO("fail point " << n);
    Twins twins;
    const Instance& first = twins.first;
    const Instance second = twins.restore(first);
    first.erase({"globex"});
    first.erase({"initech"});
    const std::string there = second.erased({"globex", "initech"});
    bool fired = false;
    {
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        fired = true;
        return Error(ErrorCode::kIo, "injected");
      }));
      static_cast<void>(first.try_import(there));
    }
    twins.first.core.reset();
    twins.office.reopen();
    twins.first.core = twins.office.core;
    static_cast<void>(first.import(there));
    for (const char* path : {"globex", "initech"})
      CHECK(first.standing(path)["status"] == "complete");
    CHECK(first.certificates() == 4);
    if (!fired) break;
  }
}
#endif

}  // namespace
