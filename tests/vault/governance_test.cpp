// A governed vault: who may do what, and what has to be approved by whom.
#include <catch2/catch.hpp>

#include "support/governed_office.hpp"

namespace quietus::test {
namespace {

std::vector<std::string> names_in(const std::vector<OperatorInfo>& people) {
  std::vector<std::string> names;
  for (const OperatorInfo& person : people)
    names.push_back(person.name + (person.removed_unix_ms == 0 ? "" : " (removed)"));
  return names;
}

TEST_CASE("a vault without operators is one person's", "[governance]") {
  const Office office{nullptr};
  static_cast<void>(office.scope("acme"));
  CHECK_FALSE(must(office.vault().governance().status()).governed);
  CHECK_FAILS_WITH(office.vault().governance().review(), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.vault().governance().open({"deletion", {"acme"}, "test", {}}),
                   ErrorCode::kRefused);
  const std::string paths[] = {"acme"};
  must(office.vault().erase(paths, "test"));
}

TEST_CASE("the first operator is an admin, and there is no way back", "[governance]") {
  GovernedOffice office;
  CHECK(must(office.governance().status()).operators == 5);
  CHECK(names_in(must(office.governance().operators())) ==
        std::vector<std::string>{"Ada", "Ben", "Cleo", "Dan", "Eve"});
  CHECK_FAILS_WITH(office.governance().govern(office.spec("Mallory", {"admin"})),
                   ErrorCode::kRefused);
  office.reopen();
  CHECK(must(office.governance().status()).governed);
  const Office other{nullptr};
  CHECK_FAILS_WITH(other.vault().governance().govern(office.spec("Nobody", {"operator"})),
                   ErrorCode::kInvalidArgument);
  CHECK_FALSE(must(other.vault().governance().status()).governed);
}

TEST_CASE("who acts shows it with a fresh signature, and only for what their roles allow",
          "[governance]") {
  GovernedOffice office;
  // Every cell of the table.
  const std::map<std::string, std::set<std::string>> allowed = {
      {"Ada", {"look", "hold", "ask", "approve", "execute", "change", "review"}},
      {"Ben", {"look", "approve"}},
      {"Cleo", {"look", "hold", "ask", "verify", "approve"}},
      {"Dan", {"look", "records", "scopes", "keep", "hold", "ask", "execute"}},
      {"Eve", {"look", "review"}}};
  for (const auto& [name, duties] : allowed)
    for (const Duty duty : kDuties) {
      CAPTURE(name, name_of(duty));
      const auto acted = office.try_act(name, name_of(duty));
      CHECK(acted.ok() == duties.contains(std::string(name_of(duty))));
      if (!acted) CHECK(acted.error().code() == ErrorCode::kRefused);
    }
  const Governance governance = office.governance();
  Governance acting = governance;
  const std::string text = must(acting.challenge("Dan", "status"));
  const std::string signature = office.people.at("Dan").sign(text, kActNamespace);
  // Another's key, another use, another text, a second time.
  CHECK_FAILS_WITH(acting.act(office.people.at("Ben").sign(text, kActNamespace), "look"),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(acting.act(signature, "look"), ErrorCode::kRefused);  // used up by the try
  const std::string again = must(acting.challenge("Dan", "status"));
  CHECK_FAILS_WITH(acting.act(signature, "look"), ErrorCode::kUnverified);
  const std::string third = must(acting.challenge("Dan", "status"));
  CHECK_FAILS_WITH(acting.act(office.people.at("Dan").sign(third, kApproveNamespace), "look"),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(acting.act(signature, "nonsense"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(acting.challenge("Dan", "two\nlines"), ErrorCode::kInvalidArgument);
  CHECK(office.logged("\"what\":\"acted\"") > 5);
}

TEST_CASE("nothing is destroyed, released or changed in a governed vault without approval",
          "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string hold = must(office.lifecycle().place_hold("acme", "litigation")).id;
  const std::string paths[] = {"acme/data"};
  CHECK_FAILS_WITH(office.vault().erase(paths, "test"), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.vault().destroy(office.place.live() / "gone", "test"),
                   ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.lifecycle().release_hold(hold), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.retention().apply_policy(kOfficePolicy), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.retention().schedule_erasure(paths, "test"), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.retention().terminate("acme", office.clock.now()), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.retention().withdraw_consent("acme", office.clock.now()),
                   ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.retention().set_expiry("acme", office.clock.now()), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.governance().check_export("acme/data"), ErrorCode::kRefused);
  CHECK(office.scope("acme/data").get("a").ok());
  // Asking needs somebody who asks.
  office.reopen();
  CHECK_FAILS_WITH(office.governance().open({"deletion", {"acme"}, "test", {}}),
                   ErrorCode::kRefused);
}

TEST_CASE("who is removed approves nothing any more, and the last admin stays", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("deletion", {"acme/data"});
  must(office.approve("Ben", id));
  office.act("Ada", "change");
  office.change(must(office.governance().propose_removal("Ben")));
  office.act("Dan", "execute");
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.try_act("Ben", "look"), ErrorCode::kUnverified);
  office.act("Ada", "change");
  CHECK_FAILS_WITH(office.governance().propose_removal("Ada"), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.governance().propose_removal("Nobody"), ErrorCode::kNotFound);
  // With a second admin it takes both.
  office.add("Hal", {"admin"});
  office.act("Ada", "change");
  const RequestInfo removal = must(office.governance().propose_removal("Hal"));
  static_cast<void>(must(office.governance().plan(removal.id)));
  CHECK(must(office.approve("Ada", removal.id)).state == "verified");
  CHECK_FAILS_WITH(office.governance().execute(removal.id), ErrorCode::kRefused);
  CHECK(must(office.approve("Hal", removal.id)).state == "approved");
  office.act("Ada", "execute");
  must(office.governance().execute(removal.id));
  CHECK(names_in(must(office.governance().operators()))[5] == "Hal (removed)");
}

TEST_CASE("of two admins none changes anything alone, whatever the policy says", "[governance]") {
  GovernedOffice office;
  office.add("Hal", {"admin"});
  office.act("Ada", "change");
  const RequestInfo policy = must(office.governance().propose_policy(
      "effective = 2000-01-01\nnotice = \"0d\"\n[approval.change]\npeople = 1\n"));
  must(office.approve("Ada", policy.id));
  must(office.approve("Hal", policy.id));
  must(office.governance().execute(policy.id));
  const RequestInfo change = must(office.governance().propose_removal("Ben"));
  const RequestInfo own = must(office.approve("Ada", change.id));
  CHECK(own.state == "verified");
  CHECK(own.missing.find("nobody but who opened") != std::string::npos);
  CHECK(must(office.approve("Hal", change.id)).state == "approved");
}

TEST_CASE("a hold is released by approval, and an export allowed by it", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string hold = must(office.lifecycle().place_hold("acme", "litigation")).id;
  const std::string id = office.opened("deletion", {"acme/data"});
  CHECK_FAILS_WITH(office.governance().plan(id), ErrorCode::kHeld);
  office.act("Ada", "change");
  office.change(must(office.governance().propose_release(hold)));
  CHECK(must(office.lifecycle().holds()).empty());
  const std::string access = office.opened("access", {"acme"});
  must(office.approve("Ben", access));
  must(office.approve("Cleo", access));
  office.act("Dan", "execute");
  must(office.governance().execute(access));
  must(office.governance().check_export("acme/data"));
  static_cast<void>(office.scope("globex"));
  CHECK_FAILS_WITH(office.governance().check_export("globex"), ErrorCode::kRefused);
  office.reopen();
  CHECK_FAILS_WITH(office.governance().check_export("acme/data"), ErrorCode::kRefused);
}

TEST_CASE("broken glass takes a week in the open, and ends when an admin acts", "[governance]") {
  GovernedOffice office;
  Governance governance = office.governance();
  const OperatorSpec next = office.spec("Zoe", {"admin"});
  CHECK_FAILS_WITH(governance.break_glass(office.spec("Yan", {"operator"})),
                   ErrorCode::kInvalidArgument);
  const std::int64_t when = must(governance.break_glass(next));
  CHECK(when == office.clock.now() + 7 * kDayMillis);
  CHECK(must(governance.status()).break_glass_unix_ms == when);
  CHECK_FAILS_WITH(governance.break_glass(next), ErrorCode::kRefused);
  // Somebody else cannot go through it.
  office.clock.set(when);
  CHECK(must(governance.break_glass(office.spec("Xen", {"admin"}))) > when);
  CHECK(must(governance.break_glass(next)) > when);
  // An admin is there after all.
  office.act("Ada", "look");
  CHECK(must(governance.status()).break_glass_unix_ms == 0);
  const std::int64_t again = must(governance.break_glass(next));
  office.act("Ben", "look");
  office.clock.set(again);
  CHECK(must(governance.break_glass(next)) == 0);
  office.act("Zoe", "change");
  CHECK(office.logged("break-glass-done") == 1);
  CHECK(office.logged("break-glass-stopped") == 1);
}

TEST_CASE("an access review lists every right, and a signed one closes the quarter",
          "[governance]") {
  GovernedOffice office;
  office.clock.set(office.clock.now() + 100 * kDayMillis);
  CHECK(must(office.governance().status()).review_overdue);
  const std::string text = must(office.governance().review());
  for (const char* expected :
       {"operator Ada: admin\n", "operator Eve: auditor\n", "unused for 90 days",
        "without a second factor", "  may look, hold, ask, approve, execute, change, review\n"}) {
    CAPTURE(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
  Governance governance = office.governance();
  CHECK_FAILS_WITH(
      governance.sign_review(text, office.people.at("Dan").sign(text, kReviewNamespace)),
      ErrorCode::kRefused);
  CHECK_FAILS_WITH(
      governance.sign_review(text + " ", office.people.at("Eve").sign(text, kReviewNamespace)),
      ErrorCode::kUnverified);
  office.add("Ivo", {"auditor"});
  CHECK_FAILS_WITH(
      governance.sign_review(text, office.people.at("Eve").sign(text, kReviewNamespace)),
      ErrorCode::kRefused);
  const std::string now = must(governance.review());
  must(governance.sign_review(now, office.people.at("Eve").sign(now, kReviewNamespace)));
  CHECK_FALSE(must(governance.status()).review_overdue);
  office.clock.set(office.clock.now() + 8 * kDayMillis);
  CHECK_FAILS_WITH(governance.sign_review(now, office.people.at("Eve").sign(now, kReviewNamespace)),
                   ErrorCode::kRefused);
}

TEST_CASE("an older copy that was not governed opens no more, whoever vouches for it",
          "[governance]") {
  Office office{nullptr};
  static_cast<void>(office.scope("acme"));
  office.core.reset();
  office.place.keep("single");
  office.core = must(office.open());
  must(office.vault().governance().govern(
      {"Ada", {"admin"}, SshSigner("Ada", false).line() + "\n", 0, 0}));
  CHECK(office.alive("acme"));
  office.reopen();
  CHECK(must(office.vault().governance().status()).governed);
  office.core.reset();
  for (const auto& file : std::filesystem::directory_iterator(office.place.vault()))
    if (file.is_regular_file()) office.place.put_back_file("single", file.path());
  CHECK_FAILS_WITH(office.open(), ErrorCode::kRolledBack);
  std::filesystem::remove(office.place.root() / "anchor");
  CHECK_FALSE(office.open().ok());
  CHECK_FALSE(Vault::rewrite_anchor(office.place.vault(), office.place.unlock()).ok());
  CHECK_FALSE(office.open().ok());
}

TEST_CASE("an erasure that one person began is certified as theirs, also when it ends governed",
          "[governance]") {
  Office office{nullptr};
  must(office.scope("acme").put("a", as_bytes("one")));
  must(office.scope("globex").put("a", as_bytes("two")));
  const std::string paths[] = {"acme"};
  at("change/after-t2", {}, true);
  CHECK_FAILS_WITH(office.vault().erase(paths, "test"), ErrorCode::kInternal);
  failpoint::install({});
  must(office.vault().governance().govern(
      {"Ada", {"admin"}, SshSigner("Ada", false).line() + "\n", 0, 0}));
  const auto certificates = must(office.vault().certificates());
  REQUIRE(certificates.size() == 1);
  const auto file = nlohmann::json::parse(must(office.vault().certificate(certificates[0].id)));
  const std::string claims(as_text(*from_base64url(file["payload"].get<std::string>())));
  CHECK(claims.find("\"decided_by\":\"single-user\"") != std::string::npos);
}

TEST_CASE("a vault can be governed from the beginning, or is not made", "[governance]") {
  const VaultPlace place;
  std::filesystem::create_directories(place.live());
  const OperatorSpec ada{"Ada", {"admin"}, SshSigner("Ada", false).line() + "\n", 0, 0};
  OperatorSpec clerk = ada;
  clerk.roles = {"operator"};
  CHECK_FAILS_WITH(
      Vault::create_governed(place.vault(), place.unlock(), clerk, place.create_options()),
      ErrorCode::kInvalidArgument);
  CHECK_FALSE(std::filesystem::exists(place.vault()));
  Vault vault =
      must(Vault::create_governed(place.vault(), place.unlock(), ada, place.create_options()));
  CHECK(must(vault.governance().status()).operators == 1);
  must(vault.create_scope("acme"));
  const std::string paths[] = {"acme"};
  CHECK_FAILS_WITH(vault.erase(paths, "test"), ErrorCode::kRefused);
}

TEST_CASE("no change leaves a vault that nobody can change any more", "[governance]") {
  GovernedOffice office;
  constexpr const char* kBegin = "effective = 2000-01-01\nnotice = \"0d\"\n[approval.change]\n";
  const auto policy = [&](const std::string& rule) { return kBegin + rule; };
  Governance governance = office.governance();
  office.act("Ada", "change");
  // Ada has no security key.
  for (const char* rule : {"people = 1\nsecond-factor = true\n", "people = 1\npin = true\n"}) {
    CAPTURE(rule);
    CHECK_FAILS_WITH(governance.propose_policy(policy(rule)), ErrorCode::kRefused);
  }
  office.add("Hal", {"admin"}, true);
  office.act("Ada", "change");
  const RequestInfo rule =
      must(governance.propose_policy(policy("people = 1\nsecond-factor = true\n")));
  must(office.approve("Ada", rule.id));
  must(office.approve("Hal", rule.id));
  must(governance.execute(rule.id));
  // Only Hal can approve by it: what would take that away is refused when it is made.
  const RequestInfo removal = must(governance.propose_removal("Hal"));
  must(office.approve("Hal", removal.id));
  CHECK_FAILS_WITH(governance.execute(removal.id), ErrorCode::kRefused);
  CHECK(must(governance.request(removal.id)).state == "approved");
  CHECK(must(governance.status()).operators == 6);
}

TEST_CASE("rows of operators that others wrote or took away decide nothing", "[governance]") {
  GovernedOffice office;
  office.add("Hal", {"admin"});
  const auto people = must(office.governance().operators());
  const auto hal = std::ranges::find(people, "Hal", &OperatorInfo::name);
  const Bytes row = ByteWriter().u8('g').raw(*from_hex(hal->id)).take();
  office.act("Ada", "change");
  const RequestInfo change = must(office.governance().propose_removal("Ben"));
  const std::string plan = must(office.governance().plan(change.id));
  const bool removed = GENERATE(true, false);
  CAPTURE(removed);
  office.change_row(row, removed);
  // The other admin is not the only one for that.
  CHECK_FAILS_WITH(
      office.governance().approve(change.id, office.people.at("Ada").sign(plan, kApproveNamespace)),
      ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(office.governance().plan(change.id), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(office.try_act("Ada", "change"), ErrorCode::kCorrupt);
  must(office.try_act("Ada", "look"));
  const auto damages = must(office.vault().check()).damages;
  REQUIRE(damages.size() == (removed ? 1 : 2));
  CHECK(damages[0].where == "operators");
  // Without the row that says so it is governed all the same.
  office.change_row(Bytes{'y'}, true);
  office.reopen();
  CHECK(must(office.governance().governed()));
  CHECK(must(office.governance().status()).governed);
  CHECK_FAILS_WITH(office.governance().govern(office.spec("Mallory", {"admin"})),
                   ErrorCode::kRefused);
  static_cast<void>(office.scope("acme"));
  const std::string paths[] = {"acme"};
  CHECK_FAILS_WITH(office.vault().erase(paths, "test"), ErrorCode::kRefused);
  // Nobody can decide anything, until another admin was let in.
  const OperatorSpec zoe = office.spec("Zoe", {"admin"});
  const std::int64_t first = must(office.governance().break_glass(zoe));
  // Who damaged the rows did not take away from an admin to see that, and to stop it.
  must(office.try_act("Ada", "look"));
  CHECK(must(office.governance().status()).break_glass_unix_ms == 0);
  office.clock.set(first);
  const std::int64_t when = must(office.governance().break_glass(zoe));
  REQUIRE(when > first);
  office.clock.set(when);
  CHECK(must(office.governance().break_glass(zoe)) == 0);
  office.act("Zoe", "change");
  CHECK_FAILS_WITH(office.try_act("Ada", "look"), ErrorCode::kUnverified);
  CHECK(must(office.vault().check()).damages.empty());
}

TEST_CASE("glass that was broken and mended is not broken because a row was put back",
          "[governance]") {
  GovernedOffice office;
  const OperatorSpec zoe = office.spec("Zoe", {"admin"});
  const std::int64_t when = must(office.governance().break_glass(zoe));
  Bytes broken;
  must(office.core->control->read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const auto found, reader.get(Bytes{'y'}));
    broken.assign(found->begin(), found->end());
    return {};
  }));
  // Whoever signs as an admin mends it, also by an approval.
  office.act("Ada", "look");
  CHECK(must(office.governance().status()).break_glass_unix_ms == 0);
  must(office.core->control->update(
      WriteClass::kErasure, [&](ControlWriter& writer) { return writer.put(Bytes{'y'}, broken); }));
  office.clock.set(when + 1);
  CHECK(must(office.governance().break_glass(zoe)) > when);
}

TEST_CASE("a review that was not printed so closes no quarter", "[governance]") {
  GovernedOffice office;
  Governance governance = office.governance();
  office.clock.set(office.clock.now() + 100 * kDayMillis);
  const std::string text = must(governance.review());
  const auto sign = [&](const std::string& what) {
    return governance.sign_review(what, office.people.at("Eve").sign(what, kReviewNamespace));
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    const std::size_t where = other.find(from);
    REQUIRE(where != std::string::npos);
    return other.replace(where, from.size(), to);
  };
  for (const std::string& other :
       {with("quietus-access-review/v1", "quietus-access-review/v2"), text + "one more line\n",
        text + "no newline", with("operator Ada: admin", "operator Ada: auditor"),
        with("without a second factor", "with a second factor"), with("is still needed", "is not"),
        with("  since ", "  since, used "), with("  may look", "  may  look")}) {
    CAPTURE(other);
    CHECK_FAILS_WITH(sign(other), ErrorCode::kRefused);
  }
  // Somebody who was added in the second in which it was printed is nobody else then.
  office.clock.set(office.clock.now() - office.clock.now() % 1000 + 500);
  office.add("Nora", {"auditor"});
  const std::string same_second = must(governance.review());
  CHECK(same_second.find("may not act now") == std::string::npos);
  must(sign(same_second));
  office.clock.set(office.clock.now() + 2000);
  // What was used since it was printed may be.
  office.clock.set(office.clock.now() + kDayMillis);
  const std::string later = must(governance.review());
  office.clock.set(office.clock.now() + kDayMillis);
  office.act("Ada", "look");
  must(sign(later));
  CHECK_FAILS_WITH(sign(later), ErrorCode::kRefused);
}

TEST_CASE("a change that could not be made is not asked for", "[governance]") {
  GovernedOffice office;
  office.act("Ada", "change");
  OperatorSpec ada = office.spec("Ada", {"auditor"});
  CHECK_FAILS_WITH(office.governance().propose_operator(ada), ErrorCode::kRefused);
  OperatorSpec over = office.spec("Olga", {"operator"});
  over.from_unix_ms = 1;
  over.until_unix_ms = 2;
  CHECK_FAILS_WITH(office.governance().propose_operator(over), ErrorCode::kInvalidArgument);
}

TEST_CASE("names of operators cannot pass for anything else", "[governance]") {
  GovernedOffice office;
  office.act("Ada", "change");
  for (const char* name : {"", "Ada Lovelace", "-Ada", ".ada", "Ada,used", "Ad\xC3\xA1", "Ada\n",
                           "A\x7F", "\u202EAda"}) {
    CAPTURE(name);
    CHECK_FAILS_WITH(office.governance().propose_operator(
                         {name, {"operator"}, SshSigner("new", false).line() + "\n", 0, 0}),
                     ErrorCode::kInvalidArgument);
  }
  must(office.governance().propose_operator(
      {"jane.doe+ops@example.org", {"operator"}, SshSigner("new", false).line() + "\n", 0, 0}));
}

}  // namespace
}  // namespace quietus::test
