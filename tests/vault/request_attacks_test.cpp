// What was approved is what is done: once, in time, in this instance, and nothing else.
#include <catch2/catch.hpp>

#include "restore.hpp"
#include "support/failpoint_hook.hpp"
#include "support/governed_office.hpp"
#include "support/streams.hpp"

namespace quietus::test {
namespace {

// As if the process had ended when the approvals were used up and nothing was done yet.
void interrupt(const GovernedOffice& office, const std::string& id) {
  const FailpointHook hook([](std::string_view point) -> Result<void> {
    if (point != "request/begun") return {};
    return Error(ErrorCode::kBusy, "as if it ended here");
  });
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kBusy);
  CHECK(must(office.governance().request(id)).state == "executing");
}

TEST_CASE("what was interrupted is not approved for ever", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("access", {"acme/data"});
  must(office.approve("Ben", id));
  office.act("Dan", "execute");
  interrupt(office, id);
  office.clock.set(office.clock.now() + 8 * kDayMillis);
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.governance().check_export("acme/data"), ErrorCode::kRefused);
  // And it can be ended.
  office.act("Ben", "approve");
  CHECK(must(office.governance().reject(id, "too-late")).state == "rejected");
}

TEST_CASE("an interrupted deletion is cancelled only while nothing is decided", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/a").put("a", as_bytes("one")));
  must(office.scope("acme/b").put("a", as_bytes("two")));
  const auto approved = [&](const std::string& scope) {
    const std::string id = office.opened("deletion", {scope});
    must(office.approve("Ben", id));
    office.act("Dan", "execute");
    return id;
  };
  const std::string a = approved("acme/a");
  interrupt(office, a);
  CHECK_FALSE(must(office.governance().request(a)).erasure_id.empty());
  const RequestInfo cancelled = must(office.governance().cancel(a));
  CHECK(cancelled.state == "cancelled");
  CHECK(cancelled.erasure_id.empty());
  CHECK(office.alive("acme/a"));
  const std::string b = approved("acme/b");
  at("change/after-t2", {}, true);
  CHECK_FALSE(office.governance().execute(b).ok());
  failpoint::install({});
  CHECK_FAILS_WITH(office.governance().cancel(b), ErrorCode::kErasureIncomplete);
  CHECK(must(office.governance().execute(b)).state == "done");
}

TEST_CASE("of two approved changes of the same thing only one is made", "[governance]") {
  GovernedOffice office;
  const auto approved = [&](const RequestInfo& change) {
    must(office.approve("Ada", change.id));
    return change.id;
  };
  office.act("Ada", "change");
  office.people.erase("Ben");
  const std::string renewed =
      approved(must(office.governance().propose_operator(office.spec("Ben", {"approver"}))));
  const std::string removed = approved(must(office.governance().propose_removal("Ben")));
  must(office.governance().execute(removed));
  CHECK_FAILS_WITH(office.governance().execute(renewed), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.try_act("Ben", "look"), ErrorCode::kUnverified);
  office.act("Ada", "change");
  constexpr const char* kPolicy = "effective = 2000-01-01\nnotice = \"0d\"\n[approval.scope]\n";
  const std::string one =
      approved(must(office.governance().propose_policy(std::string(kPolicy) + "people = 1\n")));
  const std::string two =
      approved(must(office.governance().propose_policy(std::string(kPolicy) + "people = 2\n")));
  must(office.governance().execute(two));
  CHECK_FAILS_WITH(office.governance().execute(one), ErrorCode::kRefused);
}

TEST_CASE("a plan says what a change replaces, and which hold is released", "[governance]") {
  GovernedOffice office;
  static_cast<void>(office.scope("acme/data"));
  const std::string hold = must(office.lifecycle().place_hold("acme/data", "litigation")).id;
  office.act("Ada", "change");
  const RequestInfo release = must(office.governance().propose_release(hold));
  const std::string plan = must(office.governance().plan(release.id));
  CHECK(plan.find("\n| hold on acme/data\n| reason litigation\n") != std::string::npos);
  office.people.erase("Ben");
  const RequestInfo change =
      must(office.governance().propose_operator(office.spec("Ben", {"auditor"})));
  const std::string other = must(office.governance().plan(change.id));
  CHECK(other.find("\nin place of\n| operator Ben\n| roles approver\n") != std::string::npos);
}

TEST_CASE("who thaws what was frozen voids what was approved", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data/jane").put("a", as_bytes("one")));
  must(office.lifecycle().suspend("acme/data", "objection"));
  const std::string id = office.opened("deletion", {"acme/data"});
  must(office.approve("Ben", id));
  CHECK(must(office.governance().request(id)).missing.empty());
  office.clock.set(office.clock.now() + 1000);
  must(office.lifecycle().resume("acme/data", "resolved"));
  must(office.scope("acme/data/jane").put("b", as_bytes("two")));
  must(office.lifecycle().suspend("acme/data", "objection"));
  office.act("Dan", "execute");
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
  CHECK(office.alive("acme/data/jane"));
}

TEST_CASE("a request about what was erased meanwhile is not planned", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/a").put("a", as_bytes("one")));
  must(office.scope("acme/b").put("a", as_bytes("two")));
  const std::string both = office.opened("deletion", {"acme/a", "acme/b"});
  must(office.approve("Ben", both));
  const std::string one = office.opened("deletion", {"acme/a"});
  must(office.approve("Ben", one));
  office.act("Dan", "execute");
  must(office.governance().execute(one));
  CHECK_FAILS_WITH(office.governance().execute(both), ErrorCode::kErased);
  CHECK_FAILS_WITH(office.governance().plan(both), ErrorCode::kErased);
  CHECK(office.alive("acme/b"));
  office.act("Dan", "ask");
  CHECK(must(office.governance().cancel(both)).state == "cancelled");
}

TEST_CASE("the plan of a large tenant is one that can be read", "[governance]") {
  GovernedOffice office;
  for (int i = 0; i < 150; ++i)
    static_cast<void>(office.scope("acme/customers/user-" + std::to_string(i)));
  must(office.lifecycle().suspend("acme", "objection"));
  const std::string id = office.opened("deletion", {"acme"});
  const std::string plan = must(office.governance().plan(id));
  CHECK(plan.find("\nbelow-or-derived 151\n") != std::string::npos);
  CHECK(plan.find("\n  and 51 more\n") != std::string::npos);
  must(office.approve("Ben", id));
  must(office.approve("Cleo", id));
  office.act("Dan", "execute");
  CHECK(must(office.governance().execute(id)).state == "done");
  CHECK_FALSE(office.alive("acme"));
}

TEST_CASE("who asked is told to those who answer, also after a purge", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  office.act("Dan", "ask");
  const std::string id = must(office.governance().open({"correction",
                                                        {"acme/data"},
                                                        "accuracy-contested",
                                                        "jane@example",
                                                        {"a", "another record"}}))
                             .id;
  CHECK_FAILS_WITH(office.governance().open({"deletion", {"acme/data"}, "test", {}, {"a record"}}),
                   ErrorCode::kInvalidArgument);
  must(office.lifecycle().purge("acme/data", "test"));
  office.act("Cleo", "verify");
  const RequestInfo shown = must(office.governance().request(id));
  CHECK(shown.contact == "jane@example");
  CHECK(shown.records == std::vector<std::string>{"a", "another record"});
  office.act("Eve", "look");
  CHECK(must(office.governance().request(id)).contact.empty());
  CHECK(must(office.governance().request(id)).records.empty());
}

TEST_CASE("the salts of what was deleted by request come with it", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme").put("a", as_bytes("one")));
  const std::string id = office.opened("deletion", {"acme"});
  must(office.approve("Ben", id));
  must(office.approve("Cleo", id));
  office.act("Dan", "execute");
  const RequestInfo done = must(office.governance().execute(id));
  REQUIRE(done.subjects.size() == 1);
  CHECK(done.subjects[0].path == "acme");
  const auto certificates = must(office.vault().certificates());
  const std::string file = must(office.vault().certificate(certificates.at(0).id));
  const auto verified =
      must(verify_certificate(as_bytes(file), must(office.vault().issuing_key_pem())));
  must(check_subject(verified, done.subjects[0]));
  CHECK(verified.decision().by == "approval");
  CHECK(verified.decision().request_id == id);
  CHECK(verified.decision().approvals == 2);
}

TEST_CASE("what is allowed to one is not allowed to the next", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("access", {"acme/data"});
  must(office.approve("Ben", id));
  office.act("Dan", "execute");
  CHECK(must(office.governance().execute(id)).state == "executing");
  must(office.governance().check_export("acme/data"));
  office.act("Ada", "execute");
  CHECK_FAILS_WITH(office.governance().check_export("acme/data"), ErrorCode::kRefused);
  // What failed on the way can be done again, and then no more.
  must(office.governance().execute(id));
  must(office.governance().check_export("acme/data"));
  CHECK(must(office.governance().complete(id)).state == "done");
  CHECK_FAILS_WITH(office.governance().check_export("acme/data"), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
}

TEST_CASE("what a sweep erases after an approved termination names the request", "[governance]") {
  GovernedOffice office;
  office.act("Ada", "change");
  office.change(must(office.governance().propose_policy(
      "effective = 2000-01-01\nnotice = \"0d\"\n"
      "[class.customer-data]\ntrigger = \"termination\"\nafter = \"10d\"\n"
      "[class.logs]\ntrigger = \"creation\"\nafter = \"5d\"\n")));
  must(office.scope("acme/customer-data").put("a", as_bytes("one")));
  must(office.scope("acme/logs").put("a", as_bytes("two")));
  const std::string id = office.opened("termination", {"acme"});
  must(office.approve("Ben", id));
  must(office.approve("Cleo", id));
  office.act("Dan", "execute");
  must(office.governance().execute(id));
  for (int day = 0; day < 13; ++day) {
    office.clock.set(office.clock.now() + kDayMillis);
    must(office.retention().accept_clock());
    must(office.retention().sweep());
  }
  CHECK_FALSE(office.alive("acme/customer-data"));
  CHECK_FALSE(office.alive("acme/logs"));
  std::set<std::string> seen;
  for (const CertificateInfo& info : must(office.vault().certificates())) {
    const std::string claims = office.claims_of(info.id);
    const bool ended = claims.find("\"reason\":\"contract-ended\"") != std::string::npos;
    seen.insert(ended ? "ended" : "expired");
    CHECK(claims.find("\"decided_by\":\"policy\"") != std::string::npos);
    // What was due because it was old is nobody's request.
    CHECK((claims.find("\"request_id\":\"" + id) != std::string::npos) == ended);
  }
  CHECK(seen == std::set<std::string>{"ended", "expired"});
}

TEST_CASE("a certificate of what two requests ended names neither for the other", "[governance]") {
  GovernedOffice office;
  office.act("Ada", "change");
  office.change(must(office.governance().propose_policy(
      "effective = 2000-01-01\nnotice = \"0d\"\n"
      "[class.customer-data]\ntrigger = \"termination\"\nafter = \"3d\"\n")));
  std::map<std::string, std::string> request_of;  // by the id of the scope
  for (const std::string tenant : {"acme", "globex"}) {
    must(office.scope(tenant + "/customer-data").put("a", as_bytes("one")));
    const std::string id = office.opened("termination", {tenant});
    must(office.approve("Ben", id));
    must(office.approve("Cleo", id));
    office.act("Dan", "execute");
    must(office.governance().execute(id));
    request_of[hex_id(office.id(tenant + "/customer-data"))] = id;
  }
  office.clock.set(office.clock.now() + 4 * kDayMillis);
  must(office.retention().accept_clock());
  must(office.retention().sweep());
  std::size_t seen = 0;
  for (const CertificateInfo& info : must(office.vault().certificates())) {
    const std::string claims = office.claims_of(info.id);
    for (const auto& [scope, request] : request_of) {
      if (claims.find(scope) == std::string::npos) continue;
      ++seen;
      // Named is that of every scope in it, or none.
      if (claims.find("\"request_id\"") != std::string::npos)
        CHECK(claims.find("\"request_id\":\"" + request) != std::string::npos);
    }
  }
  CHECK(seen == 2);
}

TEST_CASE("a plan is of one instance of the vault", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("deletion", {"acme/data"});
  must(office.approve("Ben", id));
  Bytes backup;
  must(office.vault().backups().create(sink_into(backup)));
  RestoreOptions options;
  options.create = office.place.create_options();
  options.create.root_folder = office.place.path("other-roots");
  must(restore_backup(*office.core, source_of(backup), office.place.path("restored"),
                      office.place.unlock(), options));
  Vault restored(must(VaultCore::open(office.place.path("restored"), office.place.unlock(), {},
                                      {posix_file_system(), office.clock})));
  Governance governance = restored.governance();
  CHECK(must(governance.governed()));
  const std::string text = must(governance.challenge("Dan", "a test"));
  must(governance.act(office.people.at("Dan").sign(text, kActNamespace), "execute"));
  CHECK_FAILS_WITH(governance.execute(id), ErrorCode::kRefused);
  CHECK(must(governance.request(id)).missing.find("not what was approved") != std::string::npos);
  CHECK(must(governance.plan(id)).find(" instance ") != std::string::npos);
}

TEST_CASE("a removed operator does not come back with an older copy of the store", "[governance]") {
  GovernedOffice office;
  static_cast<void>(office.scope("acme"));
  office.core.reset();
  office.place.keep("before");
  office.core = must(office.open());
  office.act("Ada", "change");
  office.change(must(office.governance().propose_removal("Ben")));
  office.core.reset();
  for (const auto& file : std::filesystem::directory_iterator(office.place.vault()))
    if (file.is_regular_file()) office.place.put_back_file("before", file.path());
  std::filesystem::remove(office.place.root() / "anchor");
  CHECK_FALSE(office.open().ok());
  CHECK_FALSE(Vault::rewrite_anchor(office.place.vault(), office.place.unlock()).ok());
}

}  // namespace
}  // namespace quietus::test
