// What is damaged or held keeps itself from ending, and nobody else.
#include "support/retention_office.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

TEST_CASE("a hold over something that was erased with its source stops every sweep",
          "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/customer-data/user-7"));
  static_cast<void>(office.derived("models/x/m", "acme/customer-data/user-7"));
  static_cast<void>(office.scope("globex/logs"));
  const std::string user[] = {"acme/customer-data/user-7"};
  must(office.vault().erase(user, "deletion-request"));
  must(office.lifecycle().place_hold("acme/customer-data", "litigation"));
  must(office.retention().set_expiry("models/x", *parse_day("2027-03-02")));
  office.go_to("2027-08-01");
  const auto swept = office.retention().sweep();
  CHECK(failure_of(swept) == "swept");
  CHECK_FALSE(office.alive("globex/logs"));
}

TEST_CASE("one damaged row stops the sweep for everybody", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs/day-1"));
  static_cast<void>(office.scope("globex/logs"));
  Scope odd = office.scope("odd/marketing/x");
  must(odd.put("a", as_bytes("one")));
  const ScopeId odd_id = odd.id();
  SECTION("a schedule") {
    must(office.retention().withdraw_consent("odd/marketing/x", *parse_day("2028-01-01")));
    office.damage('S', odd_id);
  }
  SECTION("a key row of a derived scope, and a hold of somebody else") {
    const Scope model = office.derived("models/x/m", "acme/logs/day-1");
    must(office.lifecycle().place_hold("odd", "litigation"));
    office.damage('K', model.id());
  }
  SECTION("a key row below a tenant whose erasure was asked for, and a hold of somebody else") {
    const std::string paths[] = {"odd"};
    must(office.retention().schedule_erasure(paths, "deletion-request"));
    must(office.lifecycle().place_hold("acme", "litigation"));
    office.damage('K', odd_id);
  }
  SECTION("a key row of what is held") {
    must(office.lifecycle().place_hold("odd/marketing/x", "litigation"));
    office.damage('K', odd_id);
  }
  SECTION("a key row that is lost") {
    office.damage('K', odd_id, true);
  }
  SECTION("the name of a tenant") {
    Bytes key;
    must(office.core->control->read([&](ControlReader& reader) {
      return reader.scan(ByteWriter().u8('C').u64(kVaultScope).view(), {},
                         [&](ByteView found, ByteView) -> Result<bool> {
                           key.assign(found.begin(), found.end());
                           return false;
                         });
    }));
    office.change_row(key);
  }
  SECTION("the leaf of one that is due") {
    office.damage('L', must(office.lifecycle().keys("globex/logs")).keys.front().id);
    office.reopen();
    office.go_to("2027-08-01");
    CHECK(failure_of(office.retention().sweep()) == "swept");
    CHECK_FALSE(office.alive("acme/logs/day-1"));
    return;
  }
  office.reopen();
  office.go_to("2027-08-01");
  CHECK(failure_of(office.retention().sweep()) == "swept");
  CHECK_FALSE(office.alive("globex/logs"));
}

TEST_CASE(
    "with a damaged row of the clock nothing can be restricted or taken back, nor the "
    "clock be vouched for",
    "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs"));
  const std::string acme[] = {"acme"};
  must(office.retention().schedule_erasure(acme, "test"));
  office.change_row(Bytes{'c'});
  CHECK(office.lifecycle().suspend("acme/logs", "legal-claims").ok());
  CHECK(office.retention().cancel_erasure(acme).ok());
  CHECK(office.retention().accept_clock().ok());
}

TEST_CASE("a scope that was passed over is reported as ended", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs"));
  static_cast<void>(office.scope("globex/customer-data"));
  must(office.retention().terminate("globex/customer-data", office.clock.now()));
  office.damage('L', must(office.lifecycle().keys("acme/logs")).keys.front().id);
  office.reopen();
  office.go_to("2027-08-01");
  const auto swept = office.retention().sweep();
  if (!swept) FAIL(swept.error().context());
  std::uint64_t alive = 0;
  for (const auto& scope : swept->plan.scopes)
    if (scope.outlook == "due" && office.alive(scope.path)) ++alive;
  CHECK(alive == 0);
}

TEST_CASE("a person cannot be found while a row of somebody else is damaged", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/marketing/user-7"));
  const Scope other = office.scope("acme/marketing/user-3");
  office.damage('K', other.id());
  office.reopen();
  CHECK(office.vault().subject("acme", "user-7").ok());
}
