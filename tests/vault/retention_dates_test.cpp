// From when dates count, what a plan foretells, and what is forgotten with an erasure.
#include "support/retention_office.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

TEST_CASE("what is to be reviewed cannot be given another day", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/claims"));
  office.go_to("2027-03-20");
  must(office.retention().set_expiry("acme/claims", *parse_day("2027-03-25")));
  office.go_to("2027-03-26");
  must(office.retention().sweep());
  CHECK_FALSE(office.alive("acme/claims"));
}

TEST_CASE("a dry run does not say what a sweep then does", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs"));
  HoldOptions until;
  until.until_unix_ms = *parse_day("2027-07-01");
  must(office.lifecycle().place_hold("acme/logs", "litigation", until));
  office.go_to("2027-08-01");
  SweepOptions dry;
  dry.dry_run = true;
  const auto foretold = must(office.retention().sweep(dry)).scopes;
  CHECK(foretold == must(office.retention().sweep()).scopes);
}

TEST_CASE("a plan leaves out what ends when a hold is over", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs"));
  HoldOptions until;
  until.until_unix_ms = *parse_day("2027-07-01");
  must(office.lifecycle().place_hold("acme/logs", "litigation", until));
  std::string told;
  for (const auto& scope : must(office.retention().plan(*parse_day("2027-08-01"))).scopes)
    if (scope.path == "acme/logs") told = scope.outlook;
  office.go_to("2027-08-01");
  must(office.retention().sweep());
  REQUIRE_FALSE(office.alive("acme/logs"));
  CHECK(told == "due");
}

TEST_CASE("a plan says review where a later policy erases", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/claims"));
  must(
      office.retention().apply_policy("effective = 2027-05-01\n[class.claims]\n"
                                      "trigger = \"creation\"\nafter = \"20d\"\n"));
  std::set<std::string> told;
  for (const auto& scope : must(office.retention().plan(*parse_day("2027-08-01"))).scopes)
    if (scope.path == "acme/claims") told.insert(scope.outlook);
  office.go_to("2027-08-01");
  must(office.retention().sweep());
  REQUIRE_FALSE(office.alive("acme/claims"));
  CHECK(told.count("due") == 1);
}

TEST_CASE("a restricted scope is destroyed by its source's rule", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs"));
  static_cast<void>(office.derived("globex/customer-data/m", "acme/logs"));
  must(office.lifecycle().suspend("globex/customer-data/m", "legal-claims"));
  office.go_to("2027-08-01");
  must(office.retention().sweep());
  CHECK(office.alive("globex/customer-data/m"));
}

TEST_CASE("a term of something erased ends", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs"));
  must(office.retention().terminate("acme/logs", *parse_day("2027-03-10")));
  const std::string acme[] = {"acme"};
  must(office.vault().erase(acme, "test"));
  office.go_to("2027-03-11");
  CHECK(must(office.retention().sweep()).terms_ended == 0);
  CHECK(office.logged("term-ended") == 0);
}

TEST_CASE("what was decided about a person outlives the erasure of its tenant", "[retention]") {
  Office office;
  Scope user = office.scope("acme/marketing/b");
  must(user.put("a", as_bytes("one")));
  must(office.core->activity->flush());
  must(office.retention().withdraw_consent("acme/marketing/b", office.clock.now()));
  const std::string acme[] = {"acme"};
  must(office.vault().erase(acme, "test"));
  must(office.core->control->read([&](ControlReader& reader) -> Result<void> {
    for (const char table : {'S', 'A'}) {
      const auto left =
          reader.get(ByteWriter().u8(static_cast<std::uint8_t>(table)).u64(user.id()).view());
      CHECK_FALSE((left.ok() && left->has_value()));
    }
    return {};
  }));
}

TEST_CASE("the free text of an erasure that was taken back stays", "[retention]") {
  Office office;
  const Scope acme = office.scope("acme");
  const std::string paths[] = {"acme"};
  must(office.retention().schedule_erasure(paths, "Mr Smith asked on the phone"));
  must(office.retention().cancel_erasure(paths));
  must(office.core->control->read([&](ControlReader& reader) -> Result<void> {
    const auto left = reader.get(ByteWriter().u8('Z').u64(acme.id()).view());
    CHECK_FALSE((left.ok() && left->has_value()));
    return {};
  }));
}

TEST_CASE("a plan does not tell of what is derived, and a sweep destroys it", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs"));
  static_cast<void>(office.derived("globex/customer-data/m", "acme/logs"));
  office.go_to("2027-08-01");
  std::uint64_t told = 0;
  for (const auto& scope : must(office.retention().plan(office.clock.now())).scopes)
    if (scope.outlook == "due") told += 1 + scope.below;
  CHECK(must(office.retention().sweep()).scopes == told);
}

TEST_CASE("what was made while the clock was ahead is never due and cannot be terminated",
          "[retention]") {
  Office office;
  office.go_to("2027-03-02");
  office.clock.set("2090-01-01");
  static_cast<void>(office.scope("acme/logs"));
  office.clock.set("2027-03-02");
  CHECK(office.retention().terminate("acme", office.clock.now()).ok());
  // It counts from the first sweep that saw it.
  office.go_to("2027-08-01");
  must(office.retention().sweep());
  CHECK(office.alive("acme/logs"));
  office.go_to("2027-10-30");
  must(office.retention().sweep());
  CHECK_FALSE(office.alive("acme/logs"));
}

TEST_CASE("what was made today while the clock was behind is destroyed by the next sweep",
          "[retention]") {
  Office office;
  office.go_to("2027-08-01");
  static_cast<void>(office.scope("acme"));
  office.clock.set("2020-01-01");  // no battery, no time server yet
  must(office.scope("acme/logs").put("a", as_bytes("today")));
  must(office.scope("acme/marketing").put("a", as_bytes("today")));
  must(office.core->activity->flush());
  office.clock.set("2027-08-02");
  must(office.retention().sweep());
  CHECK(office.alive("acme/logs"));
  CHECK(office.alive("acme/marketing"));
}

TEST_CASE("grace that was given while the clock was behind is over at once", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme"));
  office.go_to("2027-08-01");
  office.clock.set("2027-07-01");
  const std::string acme[] = {"acme"};
  must(office.retention().schedule_erasure(acme, "test"));
  office.clock.set("2027-08-01");
  must(office.retention().sweep());
  CHECK(office.alive("acme"));
}

constexpr const char* kChoices = R"(effective = 2027-03-01
notice = "0d"
[class.customer-data]
trigger = "termination"
after = "15d"
tenant-override = { min = "0d", max = "15d" }
[class.billing]
trigger = "termination"
after = "7y"
tenant-override = { min = "0d", max = "7y" }
[class.marketing]
rules = [
  { trigger = "consent-withdrawn", after = "0d" },
  { trigger = "last-activity", after = "2y" },
]
tenant-override = { min = "0d", max = "3y" }
)";

struct Choosing : Office {
  Choosing() {
    clock.set("2027-04-15");
    must(retention().apply_policy(std::string(kChoices).replace(12, 10, "2027-05-16")));
    go_to("2027-05-16");
  }
};

TEST_CASE("a period that was chosen for a class shortens another class below it", "[retention]") {
  Choosing office;
  static_cast<void>(office.scope("acme/customer-data"));
  ScopeOptions options;
  options.data_class = "billing";
  must(office.vault().create_scope("acme/customer-data/invoices", options));
  must(office.retention().choose_period("acme/customer-data", "2d"));
  must(office.retention().terminate("acme", office.clock.now()));
  office.go_to("2027-05-25");
  must(office.retention().sweep());
  CHECK(office.alive("acme/customer-data/invoices"));
}

TEST_CASE("a longer period that was chosen puts off what an opt-out ends at once", "[retention]") {
  Choosing office;
  static_cast<void>(office.scope("acme/marketing/b"));
  must(office.retention().choose_period("acme/marketing", "3y"));
  must(office.retention().withdraw_consent("acme/marketing/b", office.clock.now()));
  office.go_to("2027-05-25");
  must(office.retention().sweep());
  CHECK_FALSE(office.alive("acme/marketing/b"));
}

TEST_CASE("a termination while the clock is behind is one of long ago", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/customer-data"));
  office.go_to("2027-08-01");
  office.clock.set("2000-01-01");
  must(office.retention().terminate("acme", office.clock.now()));
  must(office.retention().withdraw_consent("acme/customer-data", office.clock.now()));
  office.clock.set("2027-08-02");
  must(office.retention().sweep());
  CHECK(office.alive("acme/customer-data"));
  CHECK(*must(office.retention().schedule("acme")).terminates == *parse_day("2027-08-01"));
  CHECK(*must(office.retention().schedule("acme/customer-data")).consent_withdrawn ==
        *parse_day("2027-08-01"));
}

TEST_CASE("a key that was replaced while the clock was behind is destroyed before its time",
          "[retention]") {
  Office office;
  Scope logs = office.scope("acme/customer-data");
  must(logs.put("a", as_bytes("one")));
  office.go_to("2027-08-01");
  office.clock.set("2000-01-01");
  must(office.lifecycle().rotate("acme/customer-data", "test"));
  office.clock.set("2027-08-02");
  CHECK(must(office.retention().sweep()).keys_retired == 0);
  office.go_to("2027-09-15");
  CHECK(must(office.retention().sweep()).keys_retired == 1);
}

TEST_CASE("a choice for one class hides that of another above it", "[retention]") {
  Choosing office;
  static_cast<void>(office.scope("acme/customer-data"));
  ScopeOptions billing;
  billing.data_class = "billing";
  must(office.vault().create_scope("acme/customer-data/bills", billing));
  ScopeOptions letters;
  letters.data_class = "customer-data";
  must(office.vault().create_scope("acme/customer-data/bills/letters", letters));
  must(office.retention().choose_period("acme/customer-data", "2d"));
  must(office.retention().choose_period("acme/customer-data/bills", "30d"));
  must(office.retention().terminate("acme", office.clock.now()));
  office.go_to("2027-05-20");
  must(office.retention().sweep());
  CHECK_FALSE(office.alive("acme/customer-data/bills/letters"));
  CHECK(office.alive("acme/customer-data/bills"));
}
