// Beside a sweep others use, restrict, make, decide and erase: nothing ends that should not.
#include "support/retention_office.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

TEST_CASE("use between T1 and T2 of a sweep is not seen", "[retention]") {
  Office office;
  Scope user = office.scope("acme/marketing/b");
  office.go_to("2029-04-10");
  at("change/after-slot", [&] {
    must(user.put("order", as_bytes("acknowledged")));
    must(office.core->activity->flush());
  });
  static_cast<void>(office.retention().sweep());
  CHECK(office.alive("acme/marketing/b"));
}

TEST_CASE("a sweep that was killed after T1 destroys weeks later what was used ever since",
          "[retention]") {
  Office office;
  Scope user = office.scope("acme/marketing/b");
  office.go_to("2029-04-10");
  at("change/after-t1", {}, true);
  CHECK_FALSE(office.retention().sweep());
  failpoint::install({});
  // Another process that had it open all the time goes on.
  for (const char* day : {"2029-04-11", "2029-05-01", "2029-06-01"}) {
    office.clock.set(day);
    must(user.put("order", as_bytes(day)));
    must(office.core->activity->flush());
  }
  CHECK(must(office.retention().plan(office.clock.now())).scopes.size() <= 1);
  office.reopen();
  CHECK(office.alive("acme/marketing/b"));
}

TEST_CASE("a restriction between T1 and T2 is not seen", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs/day-1"));
  office.go_to("2027-08-01");
  at("change/after-slot", [&] { must(office.lifecycle().suspend("acme/logs", "legal-claims")); });
  static_cast<void>(office.retention().sweep());
  CHECK(office.alive("acme/logs/day-1"));
}

TEST_CASE("what was restricted after a sweep was killed is destroyed at the next opening",
          "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs/day-1"));
  office.go_to("2027-08-01");
  at("change/after-t1", {}, true);
  CHECK_FALSE(office.retention().sweep());
  failpoint::install({});
  must(office.lifecycle().suspend("acme/logs", "legal-claims"));
  const auto plan = must(office.retention().plan(office.clock.now()));
  CHECK(plan.scopes.front().outlook == "restricted");
  office.reopen();
  CHECK(office.alive("acme/logs/day-1"));
}

TEST_CASE("a scope that is made below one that is due is destroyed with it", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs/day-1"));
  office.go_to("2027-08-01");
  const char* point = GENERATE("sweep/before-erasure", "change/after-slot");
  at(point, [&] { must(office.scope("acme/logs/new").put("a", as_bytes("just now"))); });
  static_cast<void>(office.retention().sweep());
  CHECK(office.alive("acme/logs/new"));
}

TEST_CASE("what is made below exceeds the limit of the sweep", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs/day-1"));
  office.go_to("2027-08-01");
  at("sweep/before-erasure", [&] {
    for (int i = 0; i < 20; ++i) static_cast<void>(office.scope("acme/logs/n" + std::to_string(i)));
  });
  static_cast<void>(office.retention().sweep());
  CHECK(office.alive("acme/logs/n7"));
}

TEST_CASE("a process wrote to a scope seconds ago, and a sweep elsewhere destroys it",
          "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/marketing/b"));
  office.go_to("2029-04-10");
  office.core.reset();
  Worker service([&](const Telling& telling) {
    office.core = must(office.open());
    must(office.scope("acme/marketing/b").put("order", as_bytes("acknowledged")));
    telling.tell("written");
    while (true) pause();
    return true;
  });
  REQUIRE(service.hear() == "written");
  office.core = must(office.open());
  static_cast<void>(office.retention().sweep());
  CHECK(office.alive("acme/marketing/b"));
}

TEST_CASE("a decision that postpones nothing takes back an erasure by hand", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/customer-data/user-7"));
  at("change/after-t1", {}, true);
  const std::string user[] = {"acme/customer-data/user-7"};
  CHECK_FALSE(office.vault().erase(user, "deletion-request"));
  failpoint::install({});
  SECTION("a termination") {
    must(office.retention().terminate("acme", office.clock.now()));
  }
  SECTION("an objection") {
    must(office.retention().withdraw_consent("acme/customer-data/user-7", office.clock.now()));
  }
  SECTION("an expiry") {
    must(office.retention().set_expiry("acme/customer-data", *parse_day("2027-03-02")));
  }
  office.reopen();
  CHECK_FALSE(office.alive("acme/customer-data/user-7"));
}

// Takes more than a minute. With kGuarded it holds: the thread wrote what was noted.
TEST_CASE("without key caching a process that runs for months never writes what it used",
          "[retention][.][slow]") {
  Office office;
  static_cast<void>(office.scope("acme/marketing/b"));
  office.go_to("2029-04-10");
  office.core.reset();
  const KeyCaching caching = GENERATE(KeyCaching::kGuarded, KeyCaching::kNone);
  Worker service([&](const Telling& telling) {
    OpenOptions options;
    options.key_caching = caching;
    office.core = must(VaultCore::open(office.place.vault(), office.place.unlock(), options,
                                       {posix_file_system(), office.clock}));
    must(office.scope("acme/marketing/b").put("order", as_bytes("acknowledged")));
    telling.tell("written");
    while (true) pause();
    return true;
  });
  REQUIRE(service.hear() == "written");
  std::this_thread::sleep_for(std::chrono::seconds(75));
  office.core = must(office.open());
  static_cast<void>(office.retention().sweep());
  INFO(static_cast<int>(caching));
  CHECK(office.alive("acme/marketing/b"));
}

TEST_CASE("a policy that keeps longer, applied after a sweep was killed, is not heeded",
          "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs/day-1"));
  office.go_to("2027-08-01");
  at("change/after-t1", {}, true);
  CHECK_FALSE(office.retention().sweep());
  failpoint::install({});
  must(
      office.retention().apply_policy("effective = 2027-09-02\n[class.logs]\n"
                                      "trigger = \"creation\"\nafter = \"10y\"\n"));
  office.clock.set("2027-09-03");
  CHECK(must(office.retention().plan(office.clock.now())).scopes.empty());
  office.reopen();
  CHECK(office.alive("acme/logs/day-1"));
}

TEST_CASE("a sweep of several reasons fails when another one erased it all", "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs"));
  static_cast<void>(office.scope("globex/customer-data"));
  static_cast<void>(office.scope("globex/odd"));
  must(office.retention().terminate("globex/customer-data", office.clock.now()));
  office.go_to("2027-08-01");
  at("sweep/before-erasure", [&] { must(office.retention().sweep()); });
  CHECK(failure_of(office.retention().sweep()) == "swept");
}

TEST_CASE("a process that does not answer keeps what it may have used, and not what that lies in",
          "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/customer-data"));
  ScopeOptions options;
  options.data_class = "marketing";
  must(office.vault().create_scope("acme/customer-data/letters", options));
  static_cast<void>(office.scope("globex/logs"));
  must(office.retention().terminate("acme", office.clock.now()));
  office.go_to("2029-04-10");
  office.core.reset();
  Worker stopped([&](const Telling&) {
    office.core = must(office.open());
    must(office.scope("acme/customer-data/letters").get("none"));
    static_cast<void>(raise(SIGSTOP));
    while (true) pause();
    return true;
  });
  stopped.await_stopped();
  OpenOptions patience;
  patience.acknowledgement_timeout = std::chrono::milliseconds(300);
  office.core = must(VaultCore::open(office.place.vault(), office.place.unlock(), patience,
                                     {posix_file_system(), office.clock}));
  const auto swept = office.retention().sweep();
  if (swept) CHECK(swept->unconfirmed == 1);
  CHECK(office.alive("acme/customer-data/letters"));
  CHECK(office.alive("acme/customer-data"));
  stopped.go_on();
  for (int i = 0; i < 200 && must(office.core->holders->unwritten()) > 0; ++i) {
    static_cast<void>(office.retention().sweep());
    usleep(50'000);
  }
  must(office.retention().sweep());
  CHECK(office.alive("acme/customer-data/letters"));
  CHECK_FALSE(office.alive("globex/logs"));
}

TEST_CASE("a clock that is vouched for in the middle of a sweep is not the one it began with",
          "[retention]") {
  Office office;
  static_cast<void>(office.scope("acme/logs/day-1"));
  office.go_to("2027-05-20");
  office.clock.set("2027-06-05");
  at("sweep/before-erasure", [&] {
    office.clock.set("2027-05-20");
    must(office.retention().accept_clock());
  });
  static_cast<void>(office.retention().sweep());
  CHECK(office.alive("acme/logs/day-1"));
}
