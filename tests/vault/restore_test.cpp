// Restoring a backup into a new instance: the living come back, the dead do not.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/text_encoding.hpp"
#include "keys/instances.hpp"
#include "restore.hpp"
#include "support/failpoint_hook.hpp"
#include "support/streams.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

// A vault, and room for instances of it.
struct Site {
  TempVault live;
  TemporaryFolder folder{TemporaryFolder::in_memory()};

  std::filesystem::path place() const { return folder / "restored"; }
  RestoreOptions options() const {
    RestoreOptions options;
    options.create.root_folder = folder / "roots";
    options.create.accept_unknown_medium = true;
    return options;
  }
  Bytes backup() const {
    Bytes content;
    must(live.vault().backups().create(sink_into(content)));
    return content;
  }
  Result<RestoreReport> try_restore(const Bytes& backup) const {
    return restore_backup(live.core(), source_of(backup), place(), live.unlock(), options());
  }
  RestoreReport restore(const Bytes& backup) const { return must(try_restore(backup)); }
  Vault restored() const { return must(Vault::open(place(), live.unlock())); }
};

std::string text_of(const std::optional<Bytes>& value) {
  return value ? std::string(as_text(*value)) : "none";
}

bool last_entry_is(Vault vault, std::string_view kind) {
  const LogHead head = must(vault.log_head());
  return must(vault.log_entry(head.size - 1)).find(kind) != std::string::npos;
}

std::vector<InstanceRow> instances_of(const TempVault& vault) {
  std::vector<InstanceRow> found;
  must(vault.core().read(
      [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(found, rows::instances(reader, scopes.seal(), [] { FAIL("damaged"); }));
        return {};
      }));
  return found;
}

TEST_CASE("records come back as they were, under keys as they are", "[restore]") {
  const Site site;
  Scope user = site.live.scope("acme/customer-data/user-7");
  must(user.put("a", as_bytes("one")));
  Bytes large(3'000'000, 0x5A);
  large[12345] = 7;
  must(user.put_stream("large", source_of(large)));
  const Bytes backup = site.backup();
  must(user.put("a", as_bytes("two")));
  must(user.put("later", as_bytes("not in the backup")));
  must(user.remove("large"));
  static_cast<void>(site.live.scope("acme/customer-data/user-8"));

  const RestoreReport report = site.restore(backup);
  CHECK(report.restored == 2);
  CHECK(report.bytes == 3 + large.size());
  CHECK(report.erased + report.purged + report.missing == 0);
  CHECK(report.complete());

  Vault restored = site.restored();
  Scope back = must(restored.scope("acme/customer-data/user-7"));
  CHECK(text_of(must(back.get("a"))) == "one");
  CHECK(must(back.get("large")) == large);
  CHECK_FALSE(must(back.get("later")));
  CHECK(restored.scope("acme/customer-data/user-8").ok());
  must(back.put("new", as_bytes("it serves")));
  CHECK(must(restored.check()).damages.empty());
  // The live one is what it was.
  CHECK(text_of(must(user.get("a"))) == "two");
}

TEST_CASE("what was erased since does not come back", "[restore]") {
  const Site site;
  must(site.live.scope("acme/customer-data/user-7").put("a", as_bytes("one")));
  must(site.live.scope("acme/customer-data/user-8").put("b", as_bytes("two")));
  must(site.live.scope("globex/customer-data").put("c", as_bytes("three")));
  const Bytes backup = site.backup();
  site.live.erase("acme/customer-data/user-7");
  site.live.erase("globex");
  const RestoreReport report = site.restore(backup);
  CHECK(report.restored == 1);
  CHECK(report.erased == 2);
  CHECK(report.complete());
  Vault restored = site.restored();
  CHECK(restored.scope("globex/customer-data").error().code() == ErrorCode::kErased);
  CHECK(restored.scope("acme/customer-data/user-7").error().code() == ErrorCode::kErased);
  CHECK(must(restored.scope("acme/customer-data/user-8")).get("b").ok());
  CHECK(must(restored.check()).erased_records == 0);  // not even as ciphertext
}

TEST_CASE("what was purged since is counted and does not come back", "[restore]") {
  const Site site;
  Scope scope = site.live.scope("acme/data");
  must(scope.put("a", as_bytes("one")));
  must(site.live.scope("acme/other").put("b", as_bytes("two")));
  const Bytes backup = site.backup();
  must(site.live.vault().lifecycle().purge("acme/data", "test"));
  const RestoreReport report = site.restore(backup);
  CHECK(report.restored == 1);
  CHECK(report.purged == 1);
  CHECK_FALSE(must(must(site.restored().scope("acme/data")).get("a")));
}

TEST_CASE("records of an older key are restored and moved again before it is destroyed",
          "[restore][rotation]") {
  const Site site;
  Scope scope = site.live.scope("acme/data");
  must(scope.put("a", as_bytes("one")));
  const Bytes backup = site.backup();
  must(site.live.vault().lifecycle().rotate("acme/data", "test"));
  const RestoreReport report = site.restore(backup);
  CHECK(report.restored == 1);
  Vault restored = site.restored();
  const auto rotations = must(restored.lifecycle().rotations());
  REQUIRE(rotations.size() == 1);
  CHECK_FALSE(rotations[0].moved);
  must(restored.lifecycle().rotate("acme/data", "test", [] {
    RotationOptions now;
    now.destroy_old = true;
    return now;
  }()));
  CHECK(text_of(must(must(restored.scope("acme/data")).get("a"))) == "one");
}

TEST_CASE("a new instance has a root slot, signing keys and a log of its own", "[restore]") {
  const Site site;
  must(site.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = site.backup();
  const LogHead before = must(site.live.vault().log_head());
  const RestoreReport report = site.restore(backup);
  Vault live = site.live.vault();
  Vault restored = site.restored();
  CHECK(must(live.log_verifier_key()) != must(restored.log_verifier_key()));
  CHECK(must(live.issuing_key_pem()) != must(restored.issuing_key_pem()));
  const LogHead after = must(restored.log_head());
  CHECK(after.origin == before.origin + "/" + report.instance_id);
  // The copied part is the origin's, to the entry that says so.
  const std::string begun = must(restored.log_entry(before.size + 1));
  CHECK(begun.find("instance-begun") != std::string::npos);
  CHECK(begun.find(report.instance_id) != std::string::npos);
  CHECK(begun.find(report.backup_id) != std::string::npos);
  for (std::uint64_t i = 0; i <= before.size; ++i)
    CHECK(must(restored.log_entry(i)) == must(live.log_entry(i)));
  CHECK(must(restored.log_entry(after.size - 1)).find("records-restored") != std::string::npos);
  must(restored.verify_log());
  must(live.verify_log());
}

TEST_CASE("each instance names the other, and certificates say so", "[restore]") {
  const Site site;
  must(site.live.scope("acme").put("a", as_bytes("one")));
  must(site.live.scope("globex").put("a", as_bytes("one")));
  const RestoreReport report = site.restore(site.backup());
  const auto named = instances_of(site.live);
  REQUIRE(named.size() == 1);
  CHECK(to_hex(named[0].instance) == report.instance_id);
  // "partial", and how many other instances it names.
  const auto certified = [](Vault vault, const char* path) {
    const std::string paths[] = {path};
    const ErasureReport erased = must(vault.erase(paths, "test"));
    const auto file = nlohmann::json::parse(must(vault.certificate(erased.certificate_id)));
    const auto payload = from_base64url(file.at("payload").get<std::string>());
    const auto claims = nlohmann::json::parse(*payload);
    return std::pair(claims.at("status").get<std::string>(), claims.at("instances").size());
  };
  const std::pair<std::string, std::size_t> named_one{"partial", 1};
  must(site.live.vault().create_scope("fresh"));
  CHECK(certified(site.live.vault(), "acme") == named_one);
  CHECK(certified(site.restored(), "globex") == named_one);
  // Made after the copy, whose tree has no key in common with this one.
  CHECK(certified(site.live.vault(), "fresh") ==
        std::pair<std::string, std::size_t>{"complete", 0});
}

TEST_CASE("an erasure in one instance leaves the other's data", "[restore]") {
  const Site site;
  must(site.live.scope("acme").put("a", as_bytes("one")));
  site.restore(site.backup());
  site.live.erase("acme");
  CHECK(text_of(must(must(site.restored().scope("acme")).get("a"))) == "one");
}

TEST_CASE("a backup of another vault, and one that is damaged, restore nothing", "[restore]") {
  const Site site;
  const Site other;
  must(site.live.scope("acme").put("a", as_bytes("one")));
  CHECK_FAILS_WITH(site.try_restore(other.backup()), ErrorCode::kRefused);
  const Bytes good = site.backup();
  for (std::size_t at = 10; at < good.size(); at += 1 + good.size() / 16) {
    INFO("byte " << at);
    Bytes bad = good;
    bad[at] ^= 4;
    CHECK_FALSE(site.try_restore(bad).ok());
    CHECK_FALSE(std::filesystem::exists(site.place() / "vault.json"));
  }
  Bytes cut(good.begin(), good.end() - 1);
  CHECK_FAILS_WITH(site.try_restore(cut), ErrorCode::kCorrupt);
  CHECK(instances_of(site.live).empty());
  CHECK(last_entry_is(site.live.vault(), "copy-dropped"));
  CHECK(site.restore(good).restored == 1);
}

TEST_CASE("nothing is restored over a vault", "[restore]") {
  const Site site;
  must(site.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = site.backup();
  site.restore(backup);
  CHECK_FAILS_WITH(site.try_restore(backup), ErrorCode::kAlreadyExists);
  CHECK_FAILS_WITH(restore_backup(site.live.core(), source_of(backup), site.live.vault_folder(),
                                  site.live.unlock(), site.options()),
                   ErrorCode::kRefused);
  CHECK(instances_of(site.live).size() == 1);
  CHECK(text_of(must(must(site.restored().scope("acme")).get("a"))) == "one");
}

TEST_CASE("a copy of an unfinished vault takes no root slot of the one that it was copied from",
          "[restore]") {
  const Site site;
  must(site.live.scope("acme").put("a", as_bytes("one")));
  site.restore(site.backup());
  // As a crash before its last step would leave it: the header's copy elsewhere, and the mark.
  const VaultHeader header =
      must(read_header(posix_file_system(), VaultFiles(site.place()).header()));
  must(write_file(posix_file_system(), unfinished_mark(header.root_folder),
                  as_bytes(site.place().string())));
  const VaultFiles copy(site.folder / "copy");
  std::filesystem::create_directories(copy.folder);
  must(write_file(posix_file_system(), copy.unfinished_header(), encode_header(header)));
  const auto gone = VaultCore::take_away_unfinished(copy.folder, header, {});
  CHECK((gone.ok() && !*gone));
  CHECK(text_of(must(must(site.restored().scope("acme")).get("a"))) == "one");
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("wherever a restore fails, there is no instance, or it is named", "[restore]") {
  for (int n = 1;; ++n) {
    INFO("fail point " << n);
    Site site;
    must(site.live.scope("acme").put("a", as_bytes("one")));
    const Bytes backup = site.backup();
    bool fired = false;
    {
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        fired = true;
        return Error(ErrorCode::kIo, "injected");
      }));
      const auto restored = site.try_restore(backup);
      INFO(describe(restored));
      if (!fired) CHECK(restored.ok());  // what fails while it is closed does no harm
    }
    site.live.reopen();
    CHECK(must(site.live.vault().check()).damages.empty());
    CHECK(text_of(must(must(site.live.vault().scope("acme")).get("a"))) == "one");
    // A root slot that is left means that certificates name the instance.
    bool slots = false;
    if (std::filesystem::exists(site.folder / "roots"))
      for (const auto& file : std::filesystem::recursive_directory_iterator(site.folder / "roots"))
        slots = slots || file.path().filename().string().starts_with("slot-");
    if (slots) CHECK(instances_of(site.live).size() == 1);
    if (!fired) {
      CHECK(slots);
      break;
    }
    // What is left does not keep the next one from being made.
    if (!std::filesystem::exists(site.place() / "vault.json"))
      CHECK(site.restore(backup).restored == 1);
  }
}
#endif

}  // namespace
