// Restriction and holds, as a caller of the library sees them.
#include <quietus/portability.hpp>
#include <quietus/vault.hpp>

#include "base/failpoint.hpp"
#include "support/child_process.hpp"
#include "support/failpoint_hook.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

namespace {

Bytes one() {
  return {'o', 'n', 'e'};
}

struct Tenants {
  TempVault place;
  Vault vault = place.vault();
  Lifecycle lifecycle = vault.lifecycle();
  Scope user = place.scope("acme/customer-data/user-7");
  Scope other = place.scope("globex/customer-data/user-1");

  Tenants() {
    for (Scope* scope : {&user, &other}) must(scope->put("a", as_bytes("one")));
    must(user.put("large", Bytes(300'000, 7)));
  }

  std::size_t logged(std::string_view text) {
    std::size_t found = 0;
    const std::uint64_t size = must(vault.log_head()).size;
    for (std::uint64_t i = 0; i < size; ++i)
      found += must(vault.log_entry(i)).find(text) != std::string::npos ? 1 : 0;
    return found;
  }
};

// Every call through a handle that reads, and every one that writes.
void check_reads(const Scope& scope, ErrorCode code) {
  Bytes buffer(400'000);
  CHECK_FAILS_WITH(scope.get("a"), code);
  CHECK_FAILS_WITH(scope.get("large"), code);
  CHECK_FAILS_WITH(scope.get_into("a", buffer), code);
  CHECK_FAILS_WITH(scope.get_stream("large", [](ByteView) { return Result<void>(); }), code);
  CHECK_FAILS_WITH(scope.stat("a"), code);
  CHECK_FAILS_WITH(scope.list("", [](const RecordInfo&) -> Result<bool> { return true; }), code);
}
void check_writes(Scope& scope, ErrorCode code) {
  CHECK_FAILS_WITH(scope.put("b", as_bytes("two")), code);
  CHECK_FAILS_WITH(scope.put("b", Bytes(300'000, 1)), code);
  CHECK_FAILS_WITH(scope.put_stream("b", [](MutableBytes) { return Result<std::size_t>(0); }),
                   code);
  CHECK_FAILS_WITH(scope.remove("a"), code);
  CHECK_FAILS_WITH(scope.write(Batch().put("b", as_bytes("two"))), code);
}

}  // namespace

TEST_CASE("a restricted scope answers nothing, and all of it is there when it is lifted",
          "[lifecycle]") {
  Tenants t;
  for (const char* restricted : {"acme", "acme/customer-data", "acme/customer-data/user-7"}) {
    INFO(restricted);
    must(t.lifecycle.suspend(restricted, "accuracy-contested"));
    check_reads(t.user, kRestricted);
    check_writes(t.user, kRestricted);
    CHECK_FAILS_WITH(t.vault.create_scope("acme/customer-data/user-7/below"), kRestricted);
    CHECK(must(t.other.get("a")) == one());
    CHECK(must(t.vault.describe("acme/customer-data/user-7")).state == ScopeState::kSuspended);
    CHECK(must(t.lifecycle.keys("acme/customer-data/user-7")).effective == "suspended");
    CHECK_FAILS_WITH(t.lifecycle.suspend(restricted, "accuracy-contested"), kRefused);
    CHECK(must(t.vault.check()).damages.empty());
    must(t.lifecycle.resume(restricted, "resolved"));
    CHECK(must(t.user.get("a")) == one());
    must(t.user.put("c", as_bytes("three")));
  }
  CHECK(t.logged("state-changed") == 6);
}

TEST_CASE("a restricted scope is used for what the law allows, and the log says so",
          "[lifecycle]") {
  Tenants t;
  must(t.lifecycle.suspend("acme", "objection"));
  Scope allowed = must(t.vault.scope("acme/customer-data/user-7", RestrictedUse::kLegalClaims));
  CHECK(t.logged("\"use\":\"legal-claims\"") == 1);
  CHECK(must(allowed.get("a")) == one());
  CHECK(must(allowed.get("large"))->size() == 300'000);
  must(allowed.put("b", as_bytes("two")));
  must(allowed.remove("b"));
  std::string lines;
  const ByteSink sink = [&](ByteView piece) -> Result<void> {
    lines += as_text(piece);
    return {};
  };
  CHECK_FAILS_WITH(export_ndjson(t.vault, "acme/customer-data/user-7", sink), kRestricted);
  CHECK(lines.empty());
  const auto report =
      must(export_ndjson(t.vault, {"acme/customer-data/user-7", RestrictedUse::kConsent}, sink));
  CHECK(report.complete());
  CHECK(report.records == 2);
  // The exception is the handle's, not the scope's.
  check_reads(t.user, kRestricted);
}

TEST_CASE("what is deactivated is read and not written; what is compromised, by exception only",
          "[lifecycle]") {
  Tenants t;
  must(t.lifecycle.deactivate("acme/customer-data", "contract-ended"));
  CHECK(must(t.user.get("a")) == one());
  check_writes(t.user, kRefused);
  CHECK_FAILS_WITH(t.lifecycle.resume("acme/customer-data", "resolved"), kRefused);
  must(t.lifecycle.compromise("acme/customer-data", "incident"));
  check_reads(t.user, kRefused);
  check_writes(t.user, kRefused);
  Scope allowed = must(t.vault.scope("acme/customer-data/user-7", RestrictedUse::kConsent));
  CHECK(must(allowed.get("a")) == one());
  check_writes(allowed, kRefused);
}

TEST_CASE("what is compromised and depends on something restricted answers that it is restricted",
          "[lifecycle]") {
  Tenants tenants;
  must(tenants.lifecycle.compromise("acme/customer-data/user-7", "incident"));
  check_reads(tenants.user, kRefused);
  must(tenants.lifecycle.suspend("acme", "legal-claims"));
  check_reads(tenants.user, kRestricted);
  check_writes(tenants.user, kRestricted);
  must(tenants.lifecycle.resume("acme", "resolved"));
  check_reads(tenants.user, kRefused);
}

TEST_CASE("what several states come to does not depend on which scope is in which", "[lifecycle]") {
  Tenants tenants;
  const std::string inner = "acme/customer-data/user-7";
  must(tenants.lifecycle.suspend(inner, "legal-claims"));
  must(tenants.lifecycle.deactivate("acme/customer-data", "contract-ended"));
  must(tenants.lifecycle.compromise("acme", "incident"));
  must(tenants.lifecycle.suspend("globex", "legal-claims"));
  must(tenants.lifecycle.deactivate("globex/customer-data", "contract-ended"));
  must(tenants.lifecycle.compromise("globex/customer-data/user-1", "incident"));
  CHECK(must(tenants.lifecycle.keys(inner)).effective == "compromised");
  CHECK(must(tenants.lifecycle.keys("globex/customer-data/user-1")).effective == "compromised");
}

TEST_CASE("a tenant that was erased with a source is not counted any more", "[lifecycle]") {
  Tenants tenants;
  ScopeOptions options;
  options.derived_from = {"acme/customer-data/user-7"};
  must(tenants.vault.create_scope("statistics", options));
  CHECK(must(tenants.vault.status()).tenants == 3);
  const std::string source[] = {"acme/customer-data/user-7"};
  must(tenants.vault.erase(source, "test"));
  CHECK_FAILS_WITH(tenants.vault.scope("statistics"), kErased);
  CHECK(must(tenants.vault.status()).tenants == 2);
}

TEST_CASE("the name of what was erased with a source is not given out again", "[lifecycle]") {
  Tenants tenants;
  ScopeOptions options;
  options.derived_from = {"acme/customer-data/user-7"};
  must(tenants.vault.create_scope("globex/statistics", options));
  const std::string source[] = {"acme/customer-data/user-7"};
  must(tenants.vault.erase(source, "test"));
  CHECK_FAILS_WITH(tenants.vault.create_scope("globex/statistics"), kErased);
}

TEST_CASE("what cannot change the vault is refused, and the process lives on", "[lifecycle]") {
  const std::string user = "acme/customer-data/user-7";
  Tenants t;
  {
    const FailpointHook hook([](std::string_view name) -> Result<void> {
      return name == "move/before-fence" ? Result<void>(Error(kIo, "planned")) : Result<void>();
    });
    CHECK_FAILS_WITH(t.lifecycle.rotate(user, "test"), kIo);
  }
  // Opened before fork.
  CHECK(true_in_child([&] {
    const auto suspended = t.lifecycle.suspend(user, "objection");
    const auto resumed = t.lifecycle.resume_rotations();
    return !suspended && suspended.error().code() == kUnavailable && !resumed &&
           resumed.error().code() == kUnavailable;
  }));
  // Opened for reading.
  t.vault = Vault(nullptr);
  OpenOptions options;
  options.read_only = true;
  t.place.reopen(options);
  t.vault = t.place.vault();
  t.lifecycle = t.vault.lifecycle();
  CHECK_FAILS_WITH(t.lifecycle.suspend(user, "objection"), kRefused);
  CHECK_FAILS_WITH(t.lifecycle.place_hold(user, "audit"), kRefused);
  CHECK_FAILS_WITH(t.lifecycle.release_hold(std::string(32, '0')), kRefused);
  CHECK_FAILS_WITH(t.lifecycle.purge(user, "test"), kRefused);
  CHECK_FAILS_WITH(t.lifecycle.resume_rotations(), kRefused);
  CHECK_FAILS_WITH(t.lifecycle.reclaim(), kRefused);
  CHECK(must(t.lifecycle.rotations()).size() == 1);
  CHECK(must(must(t.vault.scope(user)).get("a")) == one());
}

TEST_CASE("reasons of changes of state are codes", "[lifecycle]") {
  Tenants t;
  CHECK_FAILS_WITH(t.lifecycle.suspend("acme", "because Jane Doe asked"), kInvalidArgument);
  CHECK_FAILS_WITH(t.lifecycle.suspend("acme", ""), kInvalidArgument);
  CHECK_FAILS_WITH(t.lifecycle.place_hold("acme", "jane-doe"), kInvalidArgument);
  CHECK_FAILS_WITH(t.lifecycle.suspend("", "test"), kInvalidArgument);
  CHECK_FAILS_WITH(t.lifecycle.suspend("acme/none", "test"), kNotFound);
}

TEST_CASE("what is held is not erased, overwritten or removed; new records may come",
          "[lifecycle][holds]") {
  Tenants t;
  const HoldInfo hold =
      must(t.lifecycle.place_hold("acme/customer-data", "litigation", {"file number 7", {}}));
  CHECK_FAILS_WITH(t.user.put("a", as_bytes("changed")), kHeld);
  CHECK_FAILS_WITH(t.user.put("large", Bytes(300'000, 8)), kHeld);
  CHECK_FAILS_WITH(t.user.remove("a"), kHeld);
  CHECK_FAILS_WITH(t.user.write(Batch().put("new", as_bytes("x")).remove("a")), kHeld);
  CHECK(must(t.user.get("new")) == std::nullopt);
  CHECK_FALSE(must(t.user.remove("never there")));
  must(t.user.put("new", as_bytes("x")));
  must(t.other.put("a", as_bytes("changed")));
  CHECK(must(t.user.get("a")) == one());
  CHECK(must(t.user.get("large"))->at(0) == 7);

  const std::string acme[] = {"acme"};
  const std::string below[] = {"acme/customer-data/user-7", "globex"};
  CHECK_FAILS_WITH(t.vault.erase(acme, "test"), kHeld);
  CHECK_FAILS_WITH(t.vault.erase(below, "test"), kHeld);
  must(t.other.get("a"));
  CHECK(t.logged("\"attempt\":\"erase\"") == 3);
  CHECK(t.logged("\"attempt\":\"change-record\"") == 1);

  CHECK(must(t.lifecycle.keys("acme/customer-data/user-7")).held);
  CHECK_FALSE(must(t.lifecycle.keys("acme")).held);
  const auto holds = must(t.lifecycle.holds());
  REQUIRE(holds.size() == 1);
  CHECK(holds[0].id == hold.id);
  CHECK(holds[0].path == "acme/customer-data");
  CHECK(holds[0].authority == "file number 7");
  CHECK(must(t.lifecycle.holds("acme/customer-data/user-7")).size() == 1);
  CHECK(must(t.lifecycle.holds("acme")).empty());

  must(t.lifecycle.release_hold(hold.id));
  CHECK_FAILS_WITH(t.lifecycle.release_hold(hold.id), kNotFound);
  must(t.user.put("a", as_bytes("changed")));
  must(t.vault.erase(acme, "test"));
}

TEST_CASE("a hold keeps nothing for the sake of what was erased with a source",
          "[lifecycle][holds]") {
  Tenants tenants;
  ScopeOptions options;
  options.derived_from = {"acme/customer-data/user-7"};
  must(tenants.vault.create_scope("globex/statistics", options));
  options.derived_from = {"globex/customer-data/user-1"};
  must(tenants.vault.create_scope("globex/others", options));
  const std::string source[] = {"acme/customer-data/user-7"};
  must(tenants.vault.erase(source, "test"));
  const HoldInfo hold = must(tenants.lifecycle.place_hold("acme", "audit"));
  must(tenants.lifecycle.purge("globex", "test"));
  // What lives is kept as before.
  must(tenants.lifecycle.place_hold("globex/customer-data", "audit"));
  const std::string tenant[] = {"globex"};
  CHECK_FAILS_WITH(tenants.vault.erase(tenant, "test"), kHeld);
  for (const HoldInfo& other : must(tenants.lifecycle.holds()))
    if (other.id != hold.id) must(tenants.lifecycle.release_hold(other.id));
  must(tenants.vault.erase(tenant, "test"));
}

TEST_CASE("a hold survives a reopening, and is no secret kept in the clear", "[lifecycle][holds]") {
  Tenants t;
  must(t.lifecycle.place_hold("acme", "audit", {"the tax office of Springfield", 4102444800000}));
  t.place.close();
  t.vault = Vault(nullptr);
  t.place.reopen();
  const auto holds = must(t.place.vault().lifecycle().holds());
  REQUIRE(holds.size() == 1);
  CHECK(holds[0].until_unix_ms == 4102444800000);
  CHECK(holds[0].authority == "the tax office of Springfield");
  CHECK_FAILS_WITH(t.lifecycle.holds(), kUnavailable);
  CHECK_FAILS_WITH(t.place.vault().lifecycle().place_hold("acme", "audit", {"", 1}),
                   kInvalidArgument);
}
