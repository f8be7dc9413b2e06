// Requests of a governed vault: what is asked for, verified, approved and done.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "support/failpoint_hook.hpp"
#include "support/governed_office.hpp"

namespace quietus::test {
namespace {

TEST_CASE("a deletion that is verified and approved is carried out once", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("deletion", {"acme/data"});
  RequestInfo request = must(office.governance().request(id));
  CHECK(request.state == "verified");
  CHECK(request.contact == "somebody@example");
  CHECK(request.verified_by == "Cleo");
  const std::string plan = must(office.governance().plan(id));
  CHECK(plan.starts_with("quietus-plan/v1\n"));
  CHECK(plan.find("\nerase acme/data scope ") != std::string::npos);
  CHECK(plan.find(" data generation 1\n") != std::string::npos);
  CHECK(must(office.governance().plan(id)) == plan);
  office.act("Dan", "execute");
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
  CHECK(office.alive("acme/data"));
  request = must(office.approve("Ben", id));
  CHECK(request.state == "approved");
  CHECK(request.missing.empty());
  request = must(office.governance().execute(id));
  CHECK(request.state == "done");
  CHECK_FALSE(office.alive("acme/data"));
  CHECK_FALSE(request.erasure_id.empty());
  const auto certificates = must(office.vault().certificates());
  REQUIRE(certificates.size() == 1);
  const std::string claims = office.claims_of(certificates[0].id);
  CHECK(claims.find("\"decided_by\":\"approval\",\"request\":{\"request_id\":\"" + id) !=
        std::string::npos);
  CHECK(claims.find("\"plan_sha256\":\"" + to_hex(sha256(as_bytes(plan)))) != std::string::npos);
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.governance().plan(id), ErrorCode::kRefused);
  const auto signatures = must(office.governance().signatures(id));
  REQUIRE(signatures.size() == 2);
  CHECK(signatures[1].name == "Ben");
  CHECK(signatures[1].text == plan);
  CHECK(must(office.vault().check()).damages.empty());
}

TEST_CASE("a tenant takes two people, and neither who asked alone nor one person twice",
          "[governance]") {
  GovernedOffice office;
  office.add("Fay", {"approver", "operator"});
  must(office.scope("acme").put("a", as_bytes("one")));
  office.act("Fay", "ask");
  const RequestInfo request =
      must(office.governance().open({"deletion", {"acme"}, "contract-ended", {}}));
  must(office.verify("Cleo", request.id));
  CHECK(must(office.approve("Fay", request.id)).state == "verified");
  CHECK_FAILS_WITH(office.approve("Fay", request.id), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.approve("Dan", request.id), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.approve("Eve", request.id), ErrorCode::kRefused);
  office.act("Dan", "execute");
  CHECK_FAILS_WITH(office.governance().execute(request.id), ErrorCode::kRefused);
  CHECK(must(office.approve("Ben", request.id)).state == "approved");
  must(office.governance().execute(request.id));
  CHECK_FALSE(office.alive("acme"));
}

TEST_CASE("who asked is never the one alone who approves", "[governance]") {
  GovernedOffice office;
  office.add("Fay", {"approver", "operator"});
  must(office.scope("acme/data").put("a", as_bytes("one")));
  office.act("Fay", "ask");
  const RequestInfo request =
      must(office.governance().open({"deletion", {"acme/data"}, "test", {}}));
  must(office.verify("Cleo", request.id));
  const RequestInfo approved = must(office.approve("Fay", request.id));
  CHECK(approved.state == "verified");
  CHECK(approved.missing.find("nobody but who opened") != std::string::npos);
  CHECK(must(office.approve("Cleo", request.id)).state == "approved");
}

TEST_CASE("whatever changes what would be destroyed voids the approvals, a rotation does not",
          "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("deletion", {"acme/data"});
  must(office.approve("Ben", id));
  must(office.lifecycle().rotate("acme/data", "test"));
  CHECK(must(office.governance().request(id)).missing.empty());
  static_cast<void>(office.scope("acme/data/user"));
  office.act("Dan", "execute");
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
  CHECK(office.alive("acme/data/user"));
  // A subtree has to be frozen, so that it cannot grow while people look.
  CHECK_FAILS_WITH(office.governance().plan(id), ErrorCode::kRefused);
  must(office.lifecycle().deactivate("acme/data", "test"));
  must(office.approve("Ben", id));
  must(office.governance().execute(id));
  CHECK_FALSE(office.alive("acme/data/user"));
}

TEST_CASE("signatures for another request, vault, use or time approve nothing", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/a").put("a", as_bytes("one")));
  must(office.scope("acme/b").put("a", as_bytes("two")));
  const std::string a = office.opened("deletion", {"acme/a"});
  const std::string b = office.opened("deletion", {"acme/b"});
  const SshSigner& ben = office.people.at("Ben");
  const std::string plan_a = must(office.governance().plan(a));
  const std::string plan_b = must(office.governance().plan(b));
  Governance governance = office.governance();
  CHECK_FAILS_WITH(governance.approve(b, ben.sign(plan_a, kApproveNamespace)),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(governance.approve(a, ben.sign(plan_a, kActNamespace)), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(governance.approve(a, ben.sign(plan_a + " ", kApproveNamespace)),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(governance.approve(a, SshSigner("Mallory").sign(plan_a, kApproveNamespace)),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(governance.approve(a, "nothing"), ErrorCode::kUnverified);
  GovernedOffice other;
  must(other.scope("acme/a").put("a", as_bytes("one")));
  const std::string there = other.opened("deletion", {"acme/a"});
  static_cast<void>(must(other.governance().plan(there)));
  CHECK_FAILS_WITH(other.governance().approve(there, ben.sign(plan_a, kApproveNamespace)),
                   ErrorCode::kUnverified);
  // A week later it has expired, and the next plan is another text.
  const std::string signature = ben.sign(plan_a, kApproveNamespace);
  office.clock.set(office.clock.now() + 8 * kDayMillis);
  CHECK_FAILS_WITH(governance.approve(a, signature), ErrorCode::kRefused);
  office.act("Dan", "look");
  CHECK(must(governance.plan(a)) != plan_a);
  CHECK_FAILS_WITH(governance.approve(a, signature), ErrorCode::kUnverified);
  // A verification is of one request, too.
  office.act("Dan", "ask");
  const std::string c = must(governance.open({"deletion", {"acme/a"}, "test", {}})).id;
  const std::string of_b = must(governance.verification(b, "identity-card", as_bytes("a scan")));
  CHECK_FAILS_WITH(
      governance.verify(c, of_b, office.people.at("Cleo").sign(of_b, kVerifyNamespace)),
      ErrorCode::kUnverified);
  CHECK_FAILS_WITH(office.verify("Ben", c), ErrorCode::kRefused);
}

TEST_CASE("a security key has to be touched, and by rule to ask for a PIN", "[governance]") {
  GovernedOffice office;
  office.add("Gus", {"approver"}, true);
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("deletion", {"acme/data"});
  CHECK_FAILS_WITH(office.approve("Gus", id, 0), ErrorCode::kUnverified);
  office.act("Ada", "change");
  office.change(must(office.governance().propose_policy(
      "effective = 2000-01-01\nnotice = \"0d\"\n[approval.scope]\npeople = 1\npin = true\n")));
  CHECK_FAILS_WITH(office.approve("Ben", id), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.approve("Gus", id, 1), ErrorCode::kRefused);
  const RequestInfo approved = must(office.approve("Gus", id, 5));
  CHECK(approved.state == "approved");
  CHECK(approved.approvals[0].touched);
  CHECK(approved.approvals[0].verified);
}

TEST_CASE("who may not approve any more has not approved", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("deletion", {"acme/data"});
  must(office.approve("Ben", id));
  office.act("Ada", "change");
  office.people.erase("Ben");
  office.change(must(office.governance().propose_operator(office.spec("Ben", {"auditor"}))));
  office.act("Dan", "execute");
  CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
  CHECK(office.alive("acme/data"));
}

TEST_CASE("every other kind of request does what it says", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const auto done = [&](const std::string& kind) {
    const std::string id = office.opened(kind, {"acme"});
    must(office.approve("Ben", id));
    // It is about a tenant, so one is not enough, whatever the kind.
    office.act("Dan", "execute");
    CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kRefused);
    must(office.approve("Cleo", id));
    std::string state = must(office.governance().execute(id)).state;
    if (state != "executing") {
      CHECK_FAILS_WITH(office.governance().complete(id), ErrorCode::kRefused);
      return state;
    }
    must(office.governance().execute(id));
    return must(office.governance().complete(id)).state;
  };
  CHECK(done("consent-withdrawal") == "done");
  CHECK(must(office.retention().schedule("acme")).consent_withdrawn.has_value());
  CHECK(done("correction") == "done");
  CHECK(done("portability") == "done");
  CHECK(done("termination") == "done");
  CHECK(must(office.retention().schedule("acme")).ended);
  static_cast<void>(office.scope("globex"));
  const std::string id = office.opened("restriction", {"globex"});
  must(office.approve("Ben", id));
  must(office.approve("Cleo", id));
  office.act("Dan", "execute");
  CHECK(must(office.governance().execute(id)).state == "done");
  CHECK(must(office.lifecycle().keys("globex")).state == "suspended");
}

TEST_CASE("a request ends by being rejected or cancelled, and its contact goes", "[governance]") {
  GovernedOffice office;
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string a = office.opened("deletion", {"acme/data"});
  office.act("Ben", "approve");
  CHECK(must(office.governance().reject(a, "not-entitled")).state == "rejected");
  CHECK(must(office.governance().request(a)).contact.empty());
  CHECK_FAILS_WITH(office.governance().cancel(a), ErrorCode::kRefused);
  const std::string b = office.opened("deletion", {"acme/data"});
  CHECK(must(office.governance().cancel(b)).state == "cancelled");
  office.act("Dan", "look");
  CHECK_FAILS_WITH(office.governance().plan(b), ErrorCode::kRefused);
  CHECK(must(office.governance().status()).open_requests == 0);
}

TEST_CASE("deadlines are those of the policy, and an extension says why", "[governance]") {
  GovernedOffice office;
  office.act("Ada", "change");
  office.change(must(office.governance().propose_policy(
      "effective = 2000-01-01\nnotice = \"0d\"\n[deadline]\ndeletion = \"1m\"\n")));
  must(office.scope("acme/data").put("a", as_bytes("one")));
  const std::string id = office.opened("deletion", {"acme/data"});
  const std::int64_t deadline = must(office.governance().request(id)).deadline_unix_ms;
  CHECK(deadline > office.clock.now() + 27 * kDayMillis);
  office.clock.set(deadline + 1000);
  CHECK(must(office.governance().request(id)).overdue);
  CHECK(must(office.governance().status()).overdue_requests == 1);
  office.act("Cleo", "verify");
  CHECK_FAILS_WITH(office.governance().extend(id, deadline, "complex"),
                   ErrorCode::kInvalidArgument);
  const RequestInfo extended =
      must(office.governance().extend(id, deadline + 60 * kDayMillis, "complex"));
  CHECK_FALSE(extended.overdue);
  CHECK(extended.extended == "complex");
}

TEST_CASE("an execution that fails at any point is never done before the erasure is",
          "[governance]") {
  for (int n = 1;; ++n) {
    CAPTURE(n);
    GovernedOffice office;
    must(office.scope("acme/data").put("a", as_bytes("one")));
    const std::string id = office.opened("deletion", {"acme/data"});
    must(office.approve("Ben", id));
    office.act("Dan", "execute");
    bool failed = false;
    const auto execute = [&] {
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        failed = true;
        return Error(ErrorCode::kIo, "as if");
      }));
      return office.governance().execute(id);
    };
    const auto done_only_when_erased = [&](const Result<RequestInfo>& result) {
      if (!result || result->state != "done") return;
      CHECK(must(office.core->keys->pending()).empty());
      const auto certificates = must(office.vault().certificates());
      REQUIRE(certificates.size() == 1);
      CHECK(office.claims_of(certificates[0].id).find("\"decided_by\":\"approval\"") !=
            std::string::npos);
    };
    done_only_when_erased(execute());
    if (!failed) break;
    // The same point again, and then after a restart.
    if (office.core->keys->pending().ok()) done_only_when_erased(execute());
    office.reopen();
    office.act("Dan", "execute");
    if (must(office.governance().request(id)).state == "executing")
      done_only_when_erased(office.governance().execute(id));
    const std::string state = must(office.governance().request(id)).state;
    CHECK(office.alive("acme/data") == (state != "done"));
    CHECK((state == "done" || state == "verified" || state == "approved"));
    REQUIRE(n < 100);
  }
}

TEST_CASE("what an interrupted termination did is not done again", "[governance]") {
  GovernedOffice office;
  static_cast<void>(office.scope("acme"));
  static_cast<void>(office.scope("globex"));
  const std::string id = office.opened("termination", {"acme", "globex"});
  must(office.approve("Ben", id));
  must(office.approve("Cleo", id));
  office.act("Dan", "execute");
  {
    const FailpointHook hook([](std::string_view point) -> Result<void> {
      if (point != "request/begun") return {};
      return Error(ErrorCode::kBusy, "as if it ended here");
    });
    CHECK_FAILS_WITH(office.governance().execute(id), ErrorCode::kBusy);
  }
  CHECK(must(office.governance().request(id)).state == "executing");
  {
    const ApprovedAction approved(office.core->session);
    must(office.retention().terminate("acme", office.clock.now()));
  }
  CHECK(must(office.governance().execute(id)).state == "done");
  CHECK(must(office.retention().schedule("globex")).ended);
}

TEST_CASE("what a change says cannot pass for a line of the plan", "[governance]") {
  GovernedOffice office;
  office.act("Ada", "change");
  const RequestInfo change = must(office.governance().propose_policy(
      "effective = 2000-01-01\nnotice = \"0d\"\n"
      "# \n# Who signs this approves nothing.\n[deadline]\naccess = \"1m\""));
  const std::string plan = must(office.governance().plan(change.id));
  CHECK(plan.find("\n| # Who signs this approves nothing.\n") != std::string::npos);
  CHECK(plan.find("\n| access = \"1m\"\n\nWho signs this approves this change.\n") !=
        std::string::npos);
  // A name that would be shown in another order than it is in.
  const std::string odd =
      "acme/\xE2\x80\xAE"
      "eno";
  static_cast<void>(office.scope(odd));
  const std::string erasing = must(office.governance().plan(office.opened("deletion", {odd})));
  CHECK(erasing.find("\nerase acme/\\xe2\\x80\\xaeeno scope ") != std::string::npos);
  office.act("Ada", "change");
  // A long one is refused before anybody reads it.
  std::string longest = "effective = 2000-01-01\nnotice = \"0d\"\n";
  longest.append(30'000, '\n');
  CHECK_FAILS_WITH(office.governance().propose_policy(longest), ErrorCode::kInvalidArgument);
  std::string large = "effective = 2000-01-01\nnotice = \"0d\"\n";
  while (large.size() < 47'000) large.append("# ").append(70, 'x').append("\n");
  const RequestInfo policy = must(office.governance().propose_policy(large));
  must(office.approve("Ada", policy.id));
  CHECK(must(office.governance().execute(policy.id)).state == "done");
}

// Each round one thread for each approver, one that carries out as soon as it may, and one that
// makes something that nobody approved the end of.
TEST_CASE("two who approve while the plan changes never approve what was not on it",
          "[governance][concurrent]") {
  GovernedOffice office;
  int done = 0;
  int changed = 0;
  for (int round = 0; round < 12; ++round) {
    const std::string path = "acme" + std::to_string(round);
    must(office.scope(path).put("a", as_bytes("one")));
    const std::string id = office.opened("deletion", {path});
    const std::string plan = must(office.governance().plan(id));
    office.act("Dan", "execute");
    std::atomic<bool> late{false};
    bool created = false;
    const auto approve = [&](const char* name) {
      return [&, name] {
        const std::string signature = office.people.at(name).sign(plan, kApproveNamespace);
        static_cast<void>(office.governance().approve(id, signature));
      };
    };
    {
      std::thread ben(approve("Ben"));
      std::thread cleo(approve("Cleo"));
      std::thread maker([&] {
        std::this_thread::sleep_for(std::chrono::microseconds(700 * round));
        created = office.vault().create_scope(path + "/user").ok();
      });
      std::thread executor([&] {
        while (!late && !office.governance().execute(id).ok()) std::this_thread::yield();
      });
      ben.join();
      cleo.join();
      maker.join();
      late = true;
      executor.join();
    }
    static_cast<void>(office.governance().execute(id));
    const bool erased = must(office.governance().request(id)).state == "done";
    CHECK(erased != created);
    CHECK(office.alive(path) == created);
    CHECK(office.alive(path + "/user") == created);
    (erased ? done : changed) += 1;
  }
  INFO("carried out " << done << ", changed before " << changed);
  CHECK(done + changed == 12);
}

}  // namespace
}  // namespace quietus::test
