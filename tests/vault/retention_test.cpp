// Schedules, forecast and sweep, as a caller of the library sees them, with a clock of the test's.
#include <quietus/certificate.hpp>
#include <quietus/vault.hpp>

#include <map>
#include <set>

#include "support/failpoint_hook.hpp"
#include "support/retention_office.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

namespace {

constexpr std::int64_t kDay = kDayMillis;

constexpr const char* kPolicy = R"(effective = 2027-01-01
[class.customer-data]
trigger = "termination"
after = "15d"
tenant-override = { min = "0d", max = "15d" }
[class.billing]
trigger = "termination"
after = "7y"
[class.marketing]
rules = [
  { trigger = "consent-withdrawn", after = "0d" },
  { trigger = "last-activity", after = "2y" },
]
[class.logs]
trigger = "creation"
after = "90d"
grace = "3d"
[class.claims]
trigger = "creation"
after = "10d"
action = "review"
)";

// A policy is applied when a case asks for it, and a sweep runs each day.
struct SweptOffice : Office {
  SweptOffice() : Office(nullptr) {}

  void apply() const { must(retention().apply_policy(kPolicy)); }
  bool alive(const std::string& path) const {
    auto found = vault().scope(path);
    if (!found && found.error().code() != kErased) FAIL(found.error().context());
    return found.ok();
  }
  // A sweep on each of the days up to that one; the paths that were due then, by day.
  std::map<std::string, std::set<std::string>> sweep_until(std::string_view last) {
    std::map<std::string, std::set<std::string>> ended;
    for (; clock.now() < *parse_day(last); clock.set(clock.now() + kDay)) sweep(ended);
    sweep(ended);
    return ended;
  }
  SweepReport sweep(std::map<std::string, std::set<std::string>>& ended) {
    auto report = must(retention().sweep());
    for (const Prospective& scope : report.plan.scopes)
      if (scope.outlook == "due") ended[day_text(clock.now())].insert(scope.path);
    return report;
  }
  SweepReport sweep() {
    std::map<std::string, std::set<std::string>> unused;
    return sweep(unused);
  }
};

using Ended = std::map<std::string, std::set<std::string>>;

}  // namespace

TEST_CASE("each class of a tenant that leaves ends on its day", "[retention]") {
  SweptOffice office;
  office.apply();
  for (const char* path : {"acme/customer-data/user-7", "acme/billing", "globex/customer-data"})
    must(office.scope(path).put("a", as_bytes("one")));
  must(office.retention().terminate("acme", *parse_day("2027-03-10")));
  CHECK(office.alive("acme/billing"));
  must(office.scope("acme/billing").put("b", as_bytes("two")));  // not ended yet

  CHECK(office.sweep_until("2027-03-10").empty());
  CHECK_FAILS_WITH(office.scope("acme/billing").put("c", as_bytes("three")), kRefused);
  CHECK_FAILS_WITH(office.vault().create_scope("acme/billing/below"), kRefused);
  CHECK(must(office.scope("acme/billing").get("b")).has_value());
  CHECK(must(office.vault().lifecycle().keys("acme")).effective == "deactivated");

  CHECK(office.sweep_until("2027-03-26") == Ended{{"2027-03-25", {"acme/customer-data"}}});
  CHECK_FALSE(office.alive("acme/customer-data/user-7"));
  CHECK(office.alive("acme/billing"));
  CHECK(office.sweep_until("2034-03-12") == Ended{{"2034-03-10", {"acme", "acme/billing"}}});
  CHECK_FALSE(office.alive("acme"));
  CHECK(office.alive("globex/customer-data"));
  Vault vault = office.vault();
  CHECK(check_invariants(*office.core, vault).size() == 3);
}

TEST_CASE("a termination is taken back, and nothing ends", "[retention]") {
  SweptOffice office;
  office.apply();
  Scope data = office.scope("acme/customer-data");
  must(office.retention().terminate("acme", *parse_day("2027-02-01")).error().code() ==
               kInvalidArgument
           ? Result<void>()
           : Result<void>(Error(kInternal, "before it was made")));
  must(office.retention().terminate("acme", office.clock.now()));
  CHECK_FAILS_WITH(data.put("a", as_bytes("one")), kRefused);
  CHECK_FAILS_WITH(office.retention().terminate("acme", office.clock.now()), kRefused);
  CHECK(office.sweep_until("2027-03-15").empty());
  must(office.retention().cancel_termination("acme"));
  must(data.put("a", as_bytes("one")));
  CHECK_FAILS_WITH(office.retention().cancel_termination("acme"), kNotFound);
  CHECK(office.sweep_until("2027-06-01").empty());
  CHECK(office.alive("acme/customer-data"));
  CHECK(must(office.retention().schedule("acme")).terminates == std::nullopt);
  for (const char* change : {"termination-set", "termination-cancelled"})
    CHECK(office.logged(change) == 1);
}

TEST_CASE("inactivity counts from the last day on which something was read or written",
          "[retention]") {
  SweptOffice office;
  office.apply();
  for (const char* path : {"acme/marketing/a", "acme/marketing/b", "acme/marketing/c"})
    must(office.scope(path).put("mail", as_bytes("x")));
  office.clock.set("2027-03-20");
  must(office.retention().withdraw_consent("acme/marketing/c", office.clock.now()));
  CHECK(office.sweep_until("2027-03-20") == Ended{{"2027-03-20", {"acme/marketing/c"}}});
  office.clock.set("2027-04-10");
  office.sweep();
  // One of them is read once, by another opening of the vault.
  must(office.scope("acme/marketing/b").get("mail"));
  office.reopen();
  const auto plan = must(office.retention().plan(*parse_day("2029-03-02")));
  CHECK(plan.scopes.size() == 2);
  CHECK(plan.scopes.at(0).waits_for == "acme/marketing/b");  // the class itself was never used
  CHECK(plan.scopes.at(1).path == "acme/marketing/a");
  CHECK(office.sweep_until("2029-04-15") ==
        Ended{{"2029-03-02", {"acme/marketing/a"}},
              {"2029-04-11", {"acme/marketing", "acme/marketing/b"}}});
}

TEST_CASE("a date, a chosen period and a review", "[retention]") {
  SweptOffice office;
  office.apply();
  for (const char* path : {"acme/customer-data/a", "acme/claims", "acme/logs", "acme/odd/x"})
    static_cast<void>(office.scope(path));
  must(office.retention().set_expiry("acme/odd", *parse_day("2027-03-05")));
  CHECK_FAILS_WITH(office.retention().choose_period("acme/customer-data", "16d"), kRefused);
  CHECK_FAILS_WITH(office.retention().choose_period("acme/claims", "1d"), kRefused);
  CHECK_FAILS_WITH(office.retention().choose_period("acme/customer-data", "soon"),
                   kInvalidArgument);
  must(office.retention().choose_period("acme/customer-data", "2d"));
  must(office.retention().terminate("acme", *parse_day("2027-03-10")));
  CHECK(office.sweep_until("2027-06-30") == Ended{{"2027-03-05", {"acme/odd"}},
                                                  {"2027-03-12", {"acme/customer-data"}},
                                                  {"2027-05-30", {"acme/logs"}}});
  // What is to be reviewed stays, and its tenant with it.
  const auto plan = must(office.retention().plan(office.clock.now()));
  std::map<std::string, std::string> outlooks;
  for (const auto& scope : plan.scopes) outlooks[scope.path] = scope.outlook;
  CHECK(outlooks ==
        std::map<std::string, std::string>{{"acme", "waits"}, {"acme/claims", "review"}});
  CHECK(plan.scopes.front().waits_for + plan.scopes.back().waits_for == "acme/claims");
}

TEST_CASE("holds and restrictions outlast what is due, and not for longer than they are there",
          "[retention]") {
  SweptOffice office;
  office.apply();
  Scope user = office.scope("acme/customer-data/user-7");
  static_cast<void>(office.scope("acme/customer-data/user-8"));
  static_cast<void>(office.scope("acme/customer-data/user-9"));
  Lifecycle lifecycle = office.vault().lifecycle();
  HoldOptions until;
  until.until_unix_ms = *parse_day("2027-04-10");
  must(lifecycle.place_hold("acme/customer-data/user-7", "litigation", until));
  must(lifecycle.suspend("acme/customer-data/user-8", "legal-claims"));
  must(office.retention().terminate("acme", office.clock.now()));
  CHECK(office.sweep_until("2027-04-09") == Ended{{"2027-03-16", {"acme/customer-data/user-9"}}});
  CHECK(must(user.get("none")) == std::nullopt);
  CHECK(office.sweep_until("2027-04-12") == Ended{{"2027-04-10", {"acme/customer-data/user-7"}}});
  CHECK(office.logged("hold-released") == 1);
  must(lifecycle.resume("acme/customer-data/user-8", "resolved"));
  CHECK(office.sweep_until("2027-04-13") == Ended{{"2027-04-12", {"acme", "acme/customer-data"}}});
}

TEST_CASE("a hold keeps no source of what was derived and is erased already", "[retention]") {
  SweptOffice office;
  office.apply();
  static_cast<void>(office.scope("acme/customer-data/user-7"));
  static_cast<void>(office.scope("globex"));
  ScopeOptions options;
  options.derived_from = {"acme/customer-data/user-7"};
  must(office.vault().create_scope("globex/statistics", options));
  const std::string user[] = {"acme/customer-data/user-7"};
  must(office.vault().erase(user, "test"));
  must(office.vault().lifecycle().place_hold("globex", "audit"));
  must(office.retention().terminate("acme", office.clock.now()));
  CHECK(office.sweep_until("2027-03-17") == Ended{{"2027-03-16", {"acme", "acme/customer-data"}}});
}

TEST_CASE("an erasure with grace restricts at once, is taken back, and happens on its day",
          "[retention]") {
  SweptOffice office;
  office.apply();
  Scope user = office.scope("acme/logs/day-1");
  must(user.put("a", as_bytes("one")));
  must(office.scope("globex/customer-data").put("a", as_bytes("one")));
  const std::string paths[] = {"acme", "acme/logs", "globex/customer-data"};
  const auto when = must(office.retention().appointments(paths));
  CHECK(when.at(0).grace == "7d");
  CHECK(when.at(1).grace == "3d");
  CHECK(when.at(2).grace == "0d");
  const std::string acme[] = {"acme"};
  must(office.retention().schedule_erasure(acme, "deletion-request"));
  CHECK_FAILS_WITH(user.get("a"), kRestricted);
  CHECK_FAILS_WITH(user.put("a", as_bytes("two")), kRestricted);
  CHECK_FAILS_WITH(office.retention().schedule_erasure(acme, "other"), kAlreadyExists);
  Scope lawful = must(office.vault().scope("acme/logs/day-1", RestrictedUse::kConsent));
  CHECK(must(lawful.get("a")).has_value());
  must(office.retention().cancel_erasure(acme));
  CHECK(must(user.get("a")).has_value());
  CHECK_FAILS_WITH(office.retention().cancel_erasure(acme), kNotFound);

  must(office.retention().schedule_erasure(acme, "deletion-request"));
  CHECK(office.sweep_until("2027-03-07").empty());
  CHECK(office.sweep_until("2027-03-08") == Ended{{"2027-03-08", {"acme", "acme/logs"}}});
  CHECK_FALSE(office.alive("acme/logs/day-1"));
  CHECK(office.alive("globex/customer-data"));
}

TEST_CASE("an erasure with grace of something held is refused", "[retention]") {
  SweptOffice office;
  static_cast<void>(office.scope("acme/customer-data/user-7"));
  must(office.vault().lifecycle().place_hold("acme/customer-data/user-7", "audit"));
  const std::string acme[] = {"acme"};
  CHECK_FAILS_WITH(office.retention().schedule_erasure(acme, "test"), kHeld);
  CHECK(must(office.retention().schedules()).empty());
}

TEST_CASE("a hold that comes later keeps an erasure waiting, and its release lets it go on",
          "[retention]") {
  SweptOffice office;
  static_cast<void>(office.scope("acme/customer-data/user-7"));
  const std::string acme[] = {"acme"};
  must(office.retention().schedule_erasure(acme, "test"));
  const auto hold =
      must(office.vault().lifecycle().place_hold("acme/customer-data/user-7", "audit"));
  CHECK(office.sweep_until("2027-03-20").empty());
  CHECK(must(office.retention().status()).kept == 1);
  must(office.vault().lifecycle().release_hold(hold.id));
  office.sweep();
  CHECK_FALSE(office.alive("acme"));
}

TEST_CASE("a clock that went back or ahead stops the sweep, not service", "[retention][clock]") {
  SweptOffice office;
  office.apply();
  Scope data = office.scope("acme/customer-data");
  must(office.retention().terminate("acme", office.clock.now()));
  office.sweep();
  const UnixMillis right = office.clock.now();
  for (const UnixMillis wrong :
       {right - 365 * kDay, right + 3650 * kDay, right - 2 * UnixMillis{3'600'000}}) {
    office.clock.set(wrong);
    const auto swept = office.retention().sweep();
    CHECK_FAILS_WITH(swept, kRefused);
    REQUIRE_FALSE(swept);
    CHECK(swept.error().context().find("clock accept") != std::string::npos);
    SweepOptions dry;
    dry.dry_run = true;
    CHECK_FAILS_WITH(office.retention().sweep(dry), kRefused);
    CHECK(must(data.get("none")) == std::nullopt);
    must(office.scope("globex/customer-data").put("a", as_bytes("one")));
    CHECK(office.alive("acme/customer-data"));
  }
  // Set right again, everything goes on without a word.
  office.clock.set(right + kDay);
  office.sweep();
  // Vouched for, it counts.
  office.clock.set(right + 400 * kDay);
  CHECK_FAILS_WITH(office.retention().sweep(), kRefused);
  must(office.retention().accept_clock());
  office.sweep();
  CHECK_FALSE(office.alive("acme"));
  CHECK(office.logged("clock-accepted") == 1);
}

TEST_CASE("a clock that was ahead for a while keeps nothing alive for as long",
          "[retention][clock]") {
  SweptOffice office;
  office.apply();
  must(office.scope("acme/marketing/a").put("mail", as_bytes("x")));
  office.sweep();
  const UnixMillis right = office.clock.now();
  office.clock.set(right + 3650 * kDay);
  must(office.scope("acme/marketing/a").get("mail"));
  CHECK_FAILS_WITH(office.retention().sweep(), kRefused);
  office.clock.set(right + kDay);
  office.sweep();
  const auto ended = office.sweep_until("2029-03-05");
  CHECK(ended.at("2029-03-03").count("acme/marketing/a") == 1);
}

TEST_CASE("days that cannot be are refused", "[retention]") {
  SweptOffice office;
  static_cast<void>(office.scope("acme"));
  for (const std::int64_t day : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
    CHECK_FAILS_WITH(office.retention().terminate("acme", day), kInvalidArgument);
    CHECK_FAILS_WITH(office.retention().set_expiry("acme", day), kInvalidArgument);
    CHECK_FAILS_WITH(office.retention().withdraw_consent("acme", day), kInvalidArgument);
  }
  CHECK(must(office.retention().schedules()).empty());
}

TEST_CASE("the key that a rotation left is destroyed when no backup is kept from before",
          "[retention][rotation]") {
  SweptOffice office;
  Scope scope = office.scope("acme");
  must(scope.put("a", as_bytes("one")));
  must(office.vault().lifecycle().rotate("acme", "test"));
  const auto old_state = [&] {
    for (const KeyInfo& key : must(office.vault().lifecycle().keys("acme")).keys)
      if (key.line == "data" && key.generation == 1) return key.state;
    return std::string("none");
  };
  office.sweep_until("2027-03-31");
  CHECK(old_state() == "deactivated");
  office.clock.set("2027-04-01");
  CHECK(must(office.retention().sweep()).keys_retired == 1);
  CHECK(old_state() == "destroyed");
  CHECK(must(scope.get("a")).has_value());
  CHECK(must(office.vault().lifecycle().rotations()).empty());
}

TEST_CASE("a sweep that was interrupted after T1 is not taken up again, and the next one is made",
          "[retention]") {
  SweptOffice office;
  office.apply();
  static_cast<void>(office.scope("acme/logs/day-1"));
  must(office.retention().withdraw_consent("acme/logs", office.clock.now()));
  must(office.retention().set_expiry("acme/logs", *parse_day("2027-03-05")));
  office.clock.set("2027-03-06");
  {
    const FailpointHook hook([](std::string_view name) -> Result<void> {
      if (name == "change/after-t1" || name == "change/before-t2" || name == "change/after-slot")
        return Error(kIo, "planned");
      return {};
    });
    CHECK_FALSE(office.retention().sweep());
  }
  must(office.vault().lifecycle().suspend("acme/logs", "legal-claims"));
  office.reopen();
  CHECK(office.alive("acme/logs/day-1"));
  CHECK(must(office.vault().status()).pending.empty());
  CHECK(office.sweep().scopes == 0);
  must(office.vault().lifecycle().resume("acme/logs", "resolved"));
  CHECK(office.sweep().scopes == 2);
  CHECK_FALSE(office.alive("acme/logs/day-1"));
}

TEST_CASE("a clock that steps during a sweep destroys nothing", "[retention][clock]") {
  SweptOffice office;
  office.apply();
  static_cast<void>(office.scope("acme/customer-data"));
  must(office.retention().terminate("acme", office.clock.now()));
  office.clock.set("2027-03-20");
  for (const UnixMillis by : {-400 * kDay, 4000 * kDay}) {
    for (int looks = 1;; ++looks) {
      REQUIRE(looks < 100);
      const UnixMillis before = *parse_day("2027-03-20");
      office.clock.set(before);
      office.clock.jump_after(looks, by);
      const auto swept = office.retention().sweep();
      office.clock.jump_after(0, 0);
      const UnixMillis after = office.clock.now();
      office.clock.set(before);
      if (!swept) {
        CHECK_FAILS_WITH(swept, kRefused);
        CHECK(office.alive("acme"));
        CHECK(must(office.vault().status()).pending.empty());
        continue;
      }
      // It stepped when the last look of T2 was over, or never.
      INFO(after);
      CHECK_FALSE(office.alive("acme"));
      break;
    }
    static_cast<void>(office.scope("acme-" + std::to_string(by) + "/customer-data"));
    if (by < 0) return;
  }
}

TEST_CASE("a sweep that would end too much ends nothing until it is allowed", "[retention]") {
  SweptOffice office;
  office.apply();
  for (int i = 0; i < 30; ++i)
    static_cast<void>(office.scope("acme/customer-data/user-" + std::to_string(i)));
  must(office.retention().terminate("acme", office.clock.now()));
  office.clock.set("2027-03-20");
  const auto refused = office.retention().sweep();
  CHECK_FAILS_WITH(refused, kRefused);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().context().find("32 scopes are due, and at most 10") != std::string::npos);
  CHECK(office.alive("acme/customer-data/user-0"));
  SweepOptions options;
  options.max_scopes = 31;
  CHECK_FAILS_WITH(office.retention().sweep(options), kRefused);
  options.max_scopes = 32;
  options.dry_run = true;
  CHECK(must(office.retention().sweep(options)).scopes == 32);
  CHECK(office.alive("acme"));
  options.dry_run = false;
  CHECK(must(office.retention().sweep(options)).erasures.size() == 1);
  CHECK_FALSE(office.alive("acme"));
}

TEST_CASE("what was derived counts as what a sweep would end", "[retention]") {
  SweptOffice office;
  office.apply();
  static_cast<void>(office.scope("acme/customer-data"));
  static_cast<void>(office.scope("models/x"));
  for (int i = 0; i < 12; ++i) {
    ScopeOptions options;
    options.derived_from = {"acme/customer-data"};
    must(office.vault().create_scope("models/x/m" + std::to_string(i), options));
  }
  must(office.retention().terminate("acme", office.clock.now()));
  office.clock.set("2027-03-20");
  CHECK_FAILS_WITH(office.retention().sweep(), kRefused);
  SweepOptions options;
  options.max_scopes = 14;
  CHECK(must(office.retention().sweep(options)).scopes == 14);
  CHECK_FALSE(office.alive("models/x/m0"));
  CHECK(office.alive("models/x"));
}

TEST_CASE("nothing ends by a policy that is not in force, and a plan can try one", "[retention]") {
  SweptOffice office;
  const std::string later =
      "effective = 2027-05-01\n[class.data]\ntrigger = \"creation\"\nafter = \"10d\"\n";
  static_cast<void>(office.scope("acme/data"));
  const UnixMillis summer = *parse_day("2027-07-01");
  CHECK(must(office.retention().plan(summer)).scopes.empty());
  const auto tried = must(office.retention().plan(summer, later));
  REQUIRE(tried.scopes.size() == 1);
  // Its period is over before, but it counts from the day on which it takes effect.
  CHECK(day_text(tried.scopes[0].when_unix_ms) == "2027-05-01");
  CHECK(must(office.retention().policies()).empty());
  must(office.retention().apply_policy(later));
  CHECK(office.sweep_until("2027-05-02") == Ended{{"2027-05-01", {"acme/data"}}});
}

TEST_CASE("a plan says what a sweep then does, day by day", "[retention]") {
  SweptOffice office;
  office.apply();
  for (const char* path : {"acme/customer-data/a", "acme/customer-data/b", "acme/logs",
                           "globex/marketing/x", "globex/logs/y", "globex/billing"})
    static_cast<void>(office.scope(path));
  must(office.retention().terminate("acme", *parse_day("2027-03-10")));
  must(office.retention().set_expiry("acme/customer-data/b", *parse_day("2027-03-12")));
  Ended planned;
  for (const auto& scope : must(office.retention().plan(*parse_day("2027-12-31"))).scopes)
    if (scope.outlook == "due") planned[day_text(scope.when_unix_ms)].insert(scope.path);
  CHECK(planned.size() == 3);
  CHECK(office.sweep_until("2027-12-31") == planned);
}

TEST_CASE("the key that a rotation left outlives every backup that needs it",
          "[retention][rotation][backup]") {
  SweptOffice office;
  Scope scope = office.scope("acme");
  must(scope.put("a", as_bytes("one")));
  BackupOptions kept;
  kept.keep = "90d";
  must(office.vault().backups().create([](ByteView) { return Result<void>(); }, kept));
  must(office.vault().lifecycle().rotate("acme", "test"));
  const auto old_key_lives = [&] {
    for (const KeyInfo& key : must(office.vault().lifecycle().keys("acme")).keys)
      if (key.line == "data" && key.generation == 1) return key.state == "deactivated";
    return false;
  };
  office.sweep_until("2027-05-29");
  CHECK(old_key_lives());
  office.sweep_until("2027-05-31");
  CHECK_FALSE(old_key_lives());
}
