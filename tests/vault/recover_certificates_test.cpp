// What certificates say of key snapshots and of what a recovery site made of them.
#include <catch2/catch.hpp>

#include "keys/key_store_steps.hpp"
#include "support/lost_world.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

TEST_CASE("once its epoch has expired a snapshot opens nowhere, and the certificate is final",
          "[recover][certificate]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  must(world.live.scope("globex").put("b", as_bytes("two")));
  const Bytes backup = world.backup();
  const std::string paths[] = {"acme"};
  const std::string id = must(world.live.vault().erase(paths, "test")).certificate_id;
  const auto live = world.certificate(id);
  CHECK(live["phase"] == "live");
  REQUIRE(live["key_snapshots"].size() == 1);
  CHECK(live["key_snapshots"][0]["attested"] == false);
  CHECK(live["key_snapshots"][0]["clear_date"] == "2027-03-15T00:00:00Z");
  // What the certificate says is so: until then the site opens it.
  world.pass(13 * kDayMillis);
  must(world.site.escrow().roll());
  CHECK(world.site.key_of(world.site.file().epochs.front().public_key.id) == "lives");
  world.pass(kDayMillis);
  const RollReport rolled = must(world.site.escrow().roll());
  REQUIRE(rolled.destroyed.size() == 1);
  CHECK_FAILS_WITH(world.try_recover({backup, backup, world.exported_log()}), ErrorCode::kErased);
  const ReceiptImport imported =
      must(world.live.vault().escrow().import_receipt(rolled.ring.receipt));
  CHECK(imported.snapshots == 1);
  REQUIRE(imported.certificates.size() == 1);
  const auto last = world.certificate(imported.certificates[0]);
  CHECK(last["phase"] == "final");
  CHECK(last["supersedes"] == nlohmann::json::array({id}));
  CHECK(last["key_snapshots"][0]["attested"] == true);
  CHECK(last["erasure_id"] == live["erasure_id"]);
  const auto found = nlohmann::json::parse(must(world.live.vault().certificate_of("acme")));
  CHECK(found ==
        nlohmann::json::parse(must(world.live.vault().certificate(imported.certificates[0]))));
  // Again: nothing is new.
  const ReceiptImport again = must(world.live.vault().escrow().import_receipt(rolled.ring.receipt));
  CHECK(again.snapshots == 0);
  CHECK(again.certificates.empty());
}

TEST_CASE(
    "a certificate names the snapshots that were made when the keys were there, and no others",
    "[recover][certificate]") {
  LostWorld world;
  must(world.live.scope("early").put("a", as_bytes("one")));
  static_cast<void>(world.snapshot());
  world.pass(kDayMillis);
  must(world.live.scope("late").put("a", as_bytes("one")));
  const auto snapshots_of = [&](const char* path) {
    const std::string paths[] = {path};
    return world
        .certificate(must(world.live.vault().erase(paths, "test")).certificate_id)["key_snapshots"]
        .size();
  };
  CHECK(snapshots_of("late") == 0);
  must(world.live.scope("later").put("a", as_bytes("one")));
  static_cast<void>(world.backup());
  CHECK(snapshots_of("early") == 2);
  CHECK(snapshots_of("later") == 1);
}

TEST_CASE("copies that were made after an erasure are not named, also by a later certificate",
          "[recover][certificate]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  must(world.live.scope("globex").put("a", as_bytes("one")));
  static_cast<void>(world.backup());
  const std::string paths[] = {"acme"};
  must(world.live.vault().erase(paths, "test"));
  // Snapshots go on, day by day.
  for (int day = 0; day < 13; ++day) {
    world.pass(kDayMillis);
    static_cast<void>(world.snapshot());
  }
  world.pass(kDayMillis);
  const RollReport rolled = must(world.site.escrow().roll());
  const ReceiptImport imported =
      must(world.live.vault().escrow().import_receipt(rolled.ring.receipt));
  REQUIRE(imported.certificates.size() == 1);
  const auto claims = world.certificate(imported.certificates[0]);
  CHECK(claims["phase"] == "final");
  CHECK(claims["key_snapshots"].size() == 1);
}

TEST_CASE("what the site opened is named by the vault, once it has the receipt", "[recover]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  const RestoreReport rehearsal = must(world.try_recover({backup, backup, world.exported_log()}));
  world.pass(60'000);
  const RollReport rolled = must(world.site.escrow().roll());
  CHECK(rolled.ring.receipt.find("opened ") != std::string::npos);
  must(world.live.vault().escrow().import_receipt(rolled.ring.receipt));
  const std::string paths[] = {"acme"};
  const auto claims =
      world.certificate(must(world.live.vault().erase(paths, "test")).certificate_id);
  REQUIRE(claims["instances"].size() == 1);
  CHECK(claims["instances"][0]["instance_id"] == rehearsal.instance_id);
  CHECK(claims["status"] == "partial");
  // The site's own log says so too.
  const LogHead head = must(world.site.vault().log_head());
  bool logged = false;
  for (std::uint64_t i = 0; i < head.size; ++i)
    logged = logged ||
             must(world.site.vault().log_entry(i)).find("vault-recovered") != std::string::npos;
  CHECK(logged);
}

TEST_CASE(
    "a certificate that waits for a snapshot names what the site made of it once that is known",
    "[recover][certificate]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  const std::string paths[] = {"acme"};
  const std::string id = must(world.live.vault().erase(paths, "test")).certificate_id;
  // Without a log what was erased comes back, and outlives the clear date.
  const RestoreReport report = must(world.try_recover({backup, backup, {}, true}));
  CHECK(world.read("acme", "a") == "one");
  world.pass(60'000);
  const std::string receipt = must(world.site.escrow().roll()).ring.receipt;
  const ReceiptImport imported = must(world.live.vault().escrow().import_receipt(receipt));
  REQUIRE(imported.certificates.size() == 1);
  const auto claims = world.certificate(imported.certificates[0]);
  CHECK(claims["supersedes"] == nlohmann::json::array({id}));
  CHECK(claims["phase"] == "live");
  CHECK(claims["status"] == "partial");
  REQUIRE(claims["instances"].size() == 1);
  CHECK(claims["instances"][0]["instance_id"] == report.instance_id);
  CHECK(must(world.live.vault().escrow().import_receipt(receipt)).certificates.empty());
}

TEST_CASE("an instance names what the site made of a snapshot that another one took meanwhile",
          "[recover][certificate]") {
  LostWorld world;
  must(world.live.scope("globex").put("a", as_bytes("one")));
  const Bytes older = world.backup();
  must(world.live.scope("acme").put("a", as_bytes("one")));
  RestoreOptions options;
  options.create.root_folder = world.folder / "roots-of-another";
  options.create.accept_unknown_medium = true;
  const auto place = world.folder / "another";
  must(world.live.vault().backups().restore(source_of(older), place, world.live.place.unlock(),
                                            options));
  Vault another(must(VaultCore::open(place, world.live.place.unlock(), {},
                                     {posix_file_system(), world.live.clock})));
  // Of the same epoch as the one that the other instance knows, and it has a scope more.
  const Bytes newer = world.snapshot();
  const RestoreReport report = must(world.try_recover({newer, {}, world.exported_log()}));
  world.pass(60'000);
  must(another.escrow().import_receipt(must(world.site.escrow().roll()).ring.receipt));
  const std::string paths[] = {"acme"};
  const auto file = nlohmann::json::parse(must(another.erase(paths, "test")).certificate);
  const auto claims =
      nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
  std::set<std::string> named;
  for (const auto& instance : claims["instances"])
    named.insert(instance["instance_id"].get<std::string>());
  CHECK(named == std::set<std::string>{std::string(32, '0'), report.instance_id});
}

TEST_CASE("a lost host that comes back gives way: it reads and erases, and writes no more",
          "[recover]") {
  LostWorld world;
  Scope scope = world.live.scope("acme");
  must(scope.put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  const RestoreReport report = must(world.try_recover({backup, backup, world.exported_log()}));
  REQUIRE_FALSE(report.takeover.empty());
  std::string changed = report.takeover;
  changed[changed.find("instance ") + 12] ^= 1;
  CHECK_FAILS_WITH(world.live.vault().escrow().yield(changed), ErrorCode::kUnverified);
  must(world.live.vault().escrow().yield(report.takeover));
  must(world.live.vault().escrow().yield(report.takeover));  // again: nothing changes
  CHECK_FAILS_WITH(scope.put("a", as_bytes("two")), ErrorCode::kRefused);
  CHECK(world.live.vault().create_scope("later").error().code() == ErrorCode::kRefused);
  CHECK(as_text(*must(scope.get("a"))) == "one");
  const std::string paths[] = {"acme"};
  const auto claims =
      world.certificate(must(world.live.vault().erase(paths, "test")).certificate_id);
  CHECK(claims["instances"][0]["instance_id"] == report.instance_id);
  // The instance that took over does not give way to itself.
  {
    Vault back = world.recovered_vault();
    CHECK_FAILS_WITH(back.escrow().yield(report.takeover), ErrorCode::kRefused);
  }
  LostWorld other;
  CHECK_FAILS_WITH(other.live.vault().escrow().yield(report.takeover), ErrorCode::kUnverified);
}

TEST_CASE("snapshots that were made since are known to what is recovered from an older one",
          "[recover][certificate]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  world.pass(2 * kDayMillis);
  static_cast<void>(world.snapshot());  // lost with the host
  must(world.try_recover({backup, backup, world.exported_log()}));
  Vault back = world.recovered_vault();
  const std::string paths[] = {"acme"};
  const auto erased = must(back.erase(paths, "test"));
  const auto file = nlohmann::json::parse(must(back.certificate(erased.certificate_id)));
  const auto claims =
      nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
  CHECK(claims["key_snapshots"].size() == 2);
}

TEST_CASE("a destruction that the site itself is not sure of attests nothing", "[recover]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  static_cast<void>(world.backup());
  world.erase("acme");
  world.pass(14 * kDayMillis);
  must(world.site.escrow().roll());
  RingReceipt receipt = must(site_receipt(*world.site.core));
  REQUIRE(receipt.destroyed.size() == 1);
  CHECK(receipt.destroyed[0].complete);
  receipt.destroyed[0].complete = false;
  std::string note;
  must(world.site.core->read(
      [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, scopes.seal(), kLogKey));
        QUIETUS_TRY_AS(note, sign_receipt(receipt, log_origin(world.site.core->header), key));
        return {};
      }));
  const ReceiptImport imported = must(world.live.vault().escrow().import_receipt(note));
  CHECK(imported.snapshots == 0);
  CHECK(imported.certificates.empty());
}

}  // namespace
