#include "governance/policy.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "governance/due.hpp"
#include "support/result_matchers.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

UnixMillis midnight_of(std::string_view text) {
  return *parse_day(text);
}

std::string starter_text() {
  std::ifstream file(QUIETUS_SOURCE_DIR "/docs/policy.toml");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Policy starter() {
  return must(parse_policy(starter_text()));
}

constexpr std::string_view kFirst = "effective = 2027-02-01\n";

}  // namespace

TEST_CASE("a policy is read with its defaults") {
  const Policy policy = must(parse_policy(kFirst));
  CHECK(policy.effective == midnight_of("2027-02-01"));
  CHECK(to_text(policy.notice) == "30d");
  CHECK(to_text(policy.backup_retention) == "30d");
  CHECK(to_text(policy.tenant.grace) == "7d");
  CHECK(to_text(policy.tenant.rules.at(0)) == "0d after termination");
  CHECK(policy.classes.empty());
}

TEST_CASE("each mistake is told with its line and what to do") {
  const struct {
    const char* text;  // behind the first line
    const char* says;
  } cases[] = {
      {"colour = 1", "line 2: \"colour\" is not known here; possible are effective, notice"},
      {"notice = 30", "line 2: a period is text like \"30d\""},
      {"\nnotice = \"30 days\"", "line 3: a period is text"},
      {"[class.a]\nafter = \"1d\"", "line 2: a rule needs a `trigger`"},
      {"[class.a]\ntrigger = \"never\"\nafter = \"1d\"",
       "line 3: trigger is one of termination, creation, last-activity, consent-withdrawn, date"},
      {"[class.a]\ntrigger = \"creation\"", "line 2: a trigger goes with `after`"},
      {"[class.a]\ntrigger = \"date\"\nafter = \"1d\"", "line 2: trigger \"date\" goes with `on`"},
      {"[class.a]\ntrigger = \"date\"\non = \"2027-01-01\"",
       "line 4: a date is written without quotes"},
      {"[class.a]\ntrigger = \"creation\"\nafter = \"1d\"\naction = \"shred\"",
       "line 5: action is one of erase, review"},
      {"[class.a]\ntrigger = \"creation\"\nafter = \"1d\"\nafter = \"2d\"", "line 5: "},
      {"[class.a]\ntrigger = \"creation\"\nafter = \"1d\"\n[class.a]\n", "line 5: "},
      {"[class.\"a/b\"]\ntrigger = \"creation\"\nafter = \"1d\"", "line 2: a class is named by"},
      {"[class.a]\nrules = []", "line 3: `rules` is a list of 1 to 16 rules"},
      {"[class.a]\nafter = \"1d\"\nrules = [{ trigger = \"creation\", after = \"1d\" }]",
       "line 4: either `rules`, or one rule"},
      {"[class.a]\nrules = [{ trigger = \"creation\", grace = \"1d\", after = \"1d\" }]",
       "line 3: \"grace\" is not known here"},
      {"[class.a]\ntrigger = \"creation\"\nafter = \"9d\"\ntenant-override = { min = \"1d\" }",
       "line 5: `tenant-override` needs `min` and `max`"},
      {"[class.a]\ntrigger = \"creation\"\nafter = \"9d\"\n"
       "tenant-override = { min = \"1d\", max = \"8d\" }",
       "line 5: `after` is not between"},
      {"[class.a]\ntrigger = \"creation\"\nafter = \"9d\"\n"
       "tenant-override = { min = \"1m\", max = \"30d\" }",
       "line 5: `min` is not always shorter than `max`"},
      {"[class.a]\ntrigger = \"date\"\non = 2030-01-01\n"
       "tenant-override = { min = \"1d\", max = \"8d\" }",
       "line 5: a tenant cannot choose"},
      {"[tenant]\ntrigger = \"creation\"", "line 3: \"trigger\" is not known here"},
      {"[deadline]\nanything = \"1m\"", "line 3: \"anything\" is not known here"},
      {"deadline = 1", "line 2: `deadline` is a table"},
      {"class = 1", "line 2: `class` is a table"},
      {"[class]\na = 1", "line 3: a class is a table"},
      {"[class.a", "line 2: "},
      {"# donn\xc3\xa9"
       "es",
       "line 2: only ASCII"},        // undefined in toml++ 3.3
      {"[$class.a]", "not TOML: "},  // an assertion of toml++ 3.3 ended the program here
  };
  for (const auto& one : cases) {
    INFO(one.text);
    const auto parsed = parse_policy(std::string(kFirst) + one.text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code() == ErrorCode::kInvalidArgument);
    CHECK_THAT(parsed.error().context(), Catch::StartsWith(one.says));
  }
  CHECK_THAT(parse_policy("").error().context(), Catch::Contains("`effective` is missing"));
  CHECK_THAT(parse_policy("effective = 2027-02-30").error().context(),
             Catch::StartsWith("line 1: "));
  CHECK_FAILS_WITH(parse_policy(std::string(kMaxPolicyText + 1, '#')), ErrorCode::kInvalidArgument);
  std::string dotted = "\n\na";
  while (dotted.size() < kMaxPolicyText - 100) dotted += ".a";  // this ended toml++ 3.3
  CHECK_THAT(parse_policy(dotted + " = 1\n").error().context(),
             Catch::StartsWith("line 3: longer than 1000 bytes"));
  CHECK_FAILS_WITH(parse_policy("effective = 2027-02-01\n\xff"), ErrorCode::kInvalidArgument);
}

TEST_CASE("a class may be named by any letters, as escapes") {
  const Policy policy = must(parse_policy(
      std::string(kFirst) + "[class.\"donn\\u00e9es\"]\ntrigger = \"creation\"\nafter = \"1d\""));
  CHECK(policy.classes.count("donn\xc3\xa9"
                             "es") == 1);
}

TEST_CASE("a change takes effect no sooner than its notice period, and the one before it") {
  const UnixMillis now = midnight_of("2027-01-10") + 5;
  Policy next = starter();
  must(check_notice(next, now, nullptr));
  const Policy current = starter();
  next.effective = midnight_of("2027-02-09");
  CHECK_FAILS_WITH(check_notice(next, now, &current), ErrorCode::kRefused);
  CHECK_THAT(check_notice(next, now, &current).error().context(), Catch::Contains("2027-02-10"));
  next.effective = midnight_of("2027-02-10");
  must(check_notice(next, now, &current));
  // A change cannot do away with its own notice.
  next.notice = {0, Period::Unit::kDays};
  next.effective = midnight_of("2027-01-11");
  CHECK_FAILS_WITH(check_notice(next, now, &current), ErrorCode::kRefused);
  next.notice = {90, Period::Unit::kDays};
  next.effective = midnight_of("2027-02-10");
  CHECK_FAILS_WITH(check_notice(next, now, &current), ErrorCode::kRefused);
}

TEST_CASE("differences are told in one line each") {
  const Policy before = starter();
  CHECK(differences(before, before).empty());
  Policy after = before;
  after.effective = midnight_of("2027-06-01");
  after.classes.at("billing").rules.at(0).after = {10, Period::Unit::kYears};
  after.classes.at("customer-data").rules.at(0).after = {5, Period::Unit::kDays};
  after.classes.erase("marketing");
  after.classes["logs"].rules = {{Trigger::kCreation, {90, Period::Unit::kDays}, 0, {}}};
  after.deadlines["deletion"] = {45, Period::Unit::kDays};
  const std::vector<std::string> expected = {
      "effective: 2027-06-01, was 2027-02-01",
      "class billing: 10y after termination, was 7y after termination (longer)",
      "class customer-data: 5d after termination, was 15d after termination (shorter)",
      "class marketing: kept, was " +
          std::string("0d after consent-withdrawn or 2y after last-activity (no rule any more)"),
      "class logs: 90d after creation, new",
      "deadline of deletion: 45d, was 1m",
  };
  CHECK(differences(before, after) == expected);
}

TEST_CASE("the starter policy keeps its promises, midnight_of by midnight_of over seven years") {
  const Policy policy = starter();
  constexpr UnixMillis kSnapshots = 14 * kDayMillis;
  constexpr UnixMillis kSweep = kDayMillis;  // a sweep a midnight_of
  for (UnixMillis begin = midnight_of("2023-12-20") + 12'345; begin < midnight_of("2031-01-10");
       begin += kDayMillis) {
    INFO(day_text(begin));
    ScopeFacts facts;
    facts.created = begin - 900 * kDayMillis;
    facts.last_activity = begin;
    facts.data_class = "customer-data";
    CHECK_FALSE(due_of(policy, facts));
    facts.terminated = begin;
    const Due customer = *due_of(policy, facts);
    CHECK(customer.when + kSweep + kSnapshots <= begin + 30 * kDayMillis);
    CHECK(customer.rule == "customer-data: 15d after termination");
    facts.data_class = "billing";
    const Due billing = *due_of(policy, facts);
    CHECK(billing.when >= begin + (7 * 365 + 1) * kDayMillis);
    CHECK(billing.when <= begin + (7 * 365 + 3) * kDayMillis);
    facts.data_class = "marketing";
    const Due marketing = *due_of(policy, facts);
    CHECK(marketing.when >= begin + 730 * kDayMillis);
    CHECK(marketing.when <= begin + 732 * kDayMillis);
    facts.consent_withdrawn = begin;
    CHECK(due_of(policy, facts)->when == begin);
    facts.data_class = "something else";
    CHECK_FALSE(due_of(policy, facts));
    facts.expires = begin + 5;
    CHECK(due_of(policy, facts)->when == begin + 5);
  }
  CHECK(never_longer(policy.backup_retention, {14, Period::Unit::kDays}));
}

TEST_CASE("a tenant's choice counts within the bounds of its class") {
  const Policy policy = starter();
  ScopeFacts facts;
  facts.data_class = "customer-data";
  facts.terminated = midnight_of("2027-03-01");
  const auto when = [&](std::string_view period) {
    facts.chosen_by_tenant = *parse_period(period);
    return day_text(due_of(policy, facts)->when);
  };
  CHECK(when("0d") == "2027-03-01");
  CHECK(when("7d") == "2027-03-08");
  CHECK(when("16d") == "2027-03-16");  // beyond the bounds: the rule's own 15 days
  facts.data_class = "billing";
  CHECK(when("0d") == "2034-03-01");
}

TEST_CASE("a tenant's own scope is due with its termination, by the rule for tenants") {
  const Policy policy = starter();
  ScopeFacts facts;
  facts.is_tenant = true;
  facts.data_class = "billing";
  CHECK_FALSE(due_of(policy, facts));
  facts.terminated = midnight_of("2027-03-01");
  CHECK(due_of(policy, facts)->when == midnight_of("2027-03-01"));
  CHECK(due_of(policy, facts)->rule == "tenant: 0d after termination");
}

TEST_CASE("a rule that asks for a review says so") {
  const Policy policy = must(parse_policy(
      std::string(kFirst) + "[class.a]\ntrigger = \"date\"\non = 2030-01-01\naction = \"review\""));
  ScopeFacts facts;
  facts.data_class = "a";
  const Due due = *due_of(policy, facts);
  CHECK(due.when == midnight_of("2030-01-01"));
  CHECK(due.action == RetentionAction::kReview);
  CHECK(due.rule == "a: on 2030-01-01");
}
