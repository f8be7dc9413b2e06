"""Terminations, plans, grace, the sweep and its clock; the starter policy over seven years."""

import datetime
import json
import pathlib
import shutil
import subprocess
import unittest

from scenario import DONE, ERASED, NOT_FOUND, REFUSED, USAGE, Scenario, command, main

STARTER = pathlib.Path(__file__).parents[2] / "docs" / "policy.toml"
FAKETIME = shutil.which("faketime")


def day(text):
    return datetime.date.fromisoformat(text)


@unittest.skipUnless(FAKETIME, "faketime is not installed")
class AtAnyTime(Scenario):
    """The tool at a time of the test's choosing, in whatever time zone."""

    make_vault = False
    zone = "UTC"

    def run_at(self, moment, *arguments):
        self.environment["TZ"] = self.zone
        # faketime preloads a library; a sanitized build must not mind that it is not the first one.
        given = self.environment.get("ASAN_OPTIONS", "")
        if "verify_asan_link_order" not in given:
            self.environment["ASAN_OPTIONS"] = f"{given}:verify_asan_link_order=0".lstrip(":")
        return subprocess.run(
            [FAKETIME, "--exclude-monotonic", "-f", f"@{moment}", *command(*arguments)],
            env=self.environment, cwd=self.folder, capture_output=True, timeout=120, check=False)

    def at(self, moment, *arguments, code=DONE):
        done = self.run_at(moment, *arguments)
        self.assertEqual(code, done.returncode, (moment, arguments, done.stderr.decode()))
        return done

    def json_at(self, moment, *arguments, code=DONE):
        return json.loads(self.at(moment, "--json", *arguments, code=code).stdout)

    def made_at(self, moment):
        self.at(moment, "init", self.vault, *self.anywhere())


class SevenYears(AtAnyTime):
    """Each class of the starter policy dies on its day, not the day before, with a certificate."""

    def scenario(self, zone, begins):
        self.zone = zone
        self.made_at(f"{begins} 12:00:00")
        when = f"{begins} 12:00:00"
        text = STARTER.read_text()
        policy = self.write("policy.toml", text.replace("effective = 2027-02-01", f"effective = {begins}").encode())
        self.at(when, "policy", "apply", policy)
        for tenant in ("acme", "globex", "kept"):
            self.at(when, "tenant", "create", tenant)
            for scope in ("customer-data", "customer-data/user-7", "billing", "marketing"):
                self.at(when, "scope", "create", f"{tenant}/{scope}")
        return when

    def walk(self, first, last, interesting):
        """A sweep at least every four weeks, and on each interesting day and the one before. What
        died when."""
        days, at = set(), first
        while at <= last:
            days.add(at)
            at += datetime.timedelta(days=28)
        for one in interesting:
            days |= {one - datetime.timedelta(days=1), one}
        died = {}
        for at in sorted(d for d in days if first <= d <= last):
            # By a timer at some odd minute; the clock of the machine may be on any side of UTC's.
            report = self.json_at(f"{at} 23:30:00", "sweep")
            for scope in report["scopes"]:
                if scope["outlook"] == "due":
                    died[scope["scope"]] = at
                    self.assertTrue(report["erasures"], scope)
        return died

    def check_certificates(self, scopes):
        issuer = self.folder / "issuer.pem"
        issuer.write_bytes(self.must("cert", "key"))
        named = set()
        for certificate in self.document("cert", "list")["certificates"]:
            file = self.write("certificate.json", self.must("cert", "show", certificate["id"]))
            named |= set(self.document("cert", "verify", file, "--key", issuer)["scope_ids"])
        self.assertEqual(scopes, len(named))

    def test_walk(self):
        """Terminated on 29 February: seven years later there is none. Consent withdrawn in one tenant,
        two years of inactivity in another; a hold and a cancellation in the third."""
        begins = "2028-02-01"
        self.scenario("UTC", begins)
        moment = "2028-02-10 10:00:00"
        for tenant in ("acme", "globex", "kept"):
            self.at(moment, "tenant", "terminate", tenant, "--effective", "2028-02-29")
        self.at(moment, "scope", "withdraw", "acme/marketing", "--on", "2028-03-20")
        self.at(moment, "hold", "place", "kept/billing", "--reason", "tax")
        self.at("2028-02-20 10:00:00", "tenant", "terminate", "kept", "--cancel")
        plan = self.json_at(moment, "policy", "plan", "--until", "2036-01-01")["scopes"]
        expected = {
            "acme/customer-data": day("2028-03-15"), "globex/customer-data": day("2028-03-15"),
            "acme/marketing": day("2028-03-20"),
            "globex/marketing": day("2030-02-01"), "kept/marketing": day("2030-02-01"),
            "acme/billing": day("2035-03-01"), "globex/billing": day("2035-03-01"),
            "acme": day("2035-03-01"), "globex": day("2035-03-01"),
        }
        planned = {s["scope"]: day(s["when"][:10]) for s in plan if s["outlook"] == "due"}
        self.assertEqual(expected, {k: v for k, v in planned.items() if k in expected})
        died = self.walk(day(begins), day("2035-04-10"), set(expected.values()))
        self.assertEqual(expected, died)
        self.check_certificates(len(expected))
        end = "2035-04-11 00:00:00"
        self.at(end, "ls", "acme", code=ERASED)
        for alive in ("kept", "kept/billing", "kept/customer-data/user-7"):
            self.at(end, "scope", "show", alive)
        self.assertEqual([], self.json_at(end, "check")["damages"])

    def test_daylight_changes_make_no_day_longer(self):
        """Berlin puts its clocks forward on 26 March 2028: fifteen days are fifteen days of UTC."""
        self.scenario("Europe/Berlin", "2028-02-01")
        self.at("2028-03-12 10:00:00", "tenant", "terminate", "acme", "--effective", "2028-03-14")
        for earlier in ("2028-02-28", "2028-03-25"):
            self.at(f"{earlier} 12:00:00", "sweep")
        # 00:30 in Berlin is still the day before in UTC.
        self.assertEqual(0, self.json_at("2028-03-29 00:30:00", "sweep")["ended"])
        self.assertEqual(2, self.json_at("2028-03-29 02:30:00", "sweep")["ended"])


class Clock(AtAnyTime):
    def setUp(self):
        super().setUp()
        self.made_at("2027-03-01 12:00:00")
        self.at("2027-03-01 12:00:00", "tenant", "create", "acme")
        self.at("2027-03-01 12:00:00", "scope", "expire", "acme", "--on", "2027-03-10")
        self.at("2027-03-02 12:00:00", "sweep")

    def test_wrong_clocks_destroy_nothing_and_service_goes_on(self):
        for wrong in ("2026-03-02 12:00:00", "2037-03-02 12:00:00", "2027-03-02 09:00:00"):
            for how in ([], ["--dry-run"]):
                done = self.at(wrong, "sweep", *how, code=REFUSED)
                self.says(done, "the clock ", "2027-03-02T12:00:00Z was accepted before", "clock accept")
            self.at(wrong, "scope", "create", f"acme/{wrong[:4]}-{wrong[11:13]}")
            self.at(wrong, "ls", "acme")
        self.at("2027-03-09 12:00:00", "sweep")
        self.at("2027-03-09 12:00:00", "ls", "acme")
        self.at("2027-03-10 00:00:01", "sweep")
        self.at("2027-03-10 00:00:02", "ls", "acme", code=ERASED)

    def test_a_clock_is_vouched_for(self):
        later = "2028-03-02 12:00:00"
        self.says(self.at(later, "clock", "accept", code=REFUSED), "2028-03-02T12:00:00", "--yes")
        self.at(later, "sweep", code=REFUSED)
        self.at(later, "clock", "accept", "--yes")
        self.at(later, "sweep")
        self.at(later, "ls", "acme", code=ERASED)


class Grace(AtAnyTime):
    def setUp(self):
        super().setUp()
        self.now = "2027-03-01 12:00:00"
        self.made_at(self.now)
        self.at(self.now, "tenant", "create", "acme")
        self.at(self.now, "scope", "create", "acme/data")

    def test_a_tenant_waits_seven_days_and_a_scope_does_not(self):
        made = self.json_at(self.now, "erase", "acme", "--reason", "deletion-request", "--yes")
        self.assertEqual([], made["erased"])
        self.assertEqual("acme", made["scheduled"][0]["scope"])
        self.assertEqual("2027-03-08", made["scheduled"][0]["when"][:10])
        self.says(self.at(self.now, "ls", "acme/data", code=REFUSED), "erasure was asked for")
        self.at(self.now, "ls", "acme/data", "--restricted-use", "consent")
        status = self.json_at(self.now, "status")
        self.assertEqual(("acme", "2027-03-08"), (status["scheduled_erasures"][0]["scope"],
                                                  status["retention"]["next_due"][:10]))
        self.says(self.at(self.now, "erase", "acme", "--reason", "x", "--yes", code=REFUSED), "asked for already")
        self.at("2027-03-08 11:59:00", "sweep")
        self.at("2027-03-08 11:59:30", "ls", "acme/data", "--restricted-use", "consent")
        self.at("2027-03-08 12:01:00", "sweep")
        self.at("2027-03-08 12:02:00", "ls", "acme/data", code=ERASED)
        self.at(self.now, "erase", "acme", "--cancel", code=ERASED)

    def test_it_is_taken_back(self):
        self.at(self.now, "erase", "acme", "--cancel", code=NOT_FOUND)
        self.at(self.now, "erase", "acme", "--reason", "A text of somebody", "--yes")
        self.at(self.now, "erase", "acme", "--cancel")
        self.at(self.now, "ls", "acme/data")
        self.at("2027-03-28 12:00:00", "sweep")
        self.at("2027-03-28 12:00:00", "ls", "acme/data")

    def test_now_does_not_wait_and_others_have_no_grace(self):
        self.at(self.now, "erase", "acme/data", "--reason", "test", "--yes")
        self.at(self.now, "ls", "acme/data", code=ERASED)
        self.at(self.now, "erase", "acme", "--reason", "test", "--yes", "--certificate", "c", code=USAGE)
        self.at(self.now, "erase", "acme", "--reason", "test", "--yes", "--now", "--certificate", "c")
        self.at(self.now, "ls", "acme", code=ERASED)


class Plan(Scenario):
    def setUp(self):
        super().setUp()
        self.policy = self.write("p.toml", b'effective = 2020-01-01\n[class.data]\ntrigger = "creation"\nafter = "9y"\n')
        self.tenant("acme", "data")
        self.must("scope", "create", "acme/odd")

    def test_what_if(self):
        self.assertIn(b"nothing is due", self.must("policy", "plan", "--until", "2060-01-01"))
        tried = self.document("policy", "plan", "--until", "2060-01-01", "--policy", self.policy)
        self.assertEqual(["acme/data"], [s["scope"] for s in tried["scopes"]])
        self.assertIsNone(tried["policy_version"])
        self.assertEqual([], self.document("policy", "list")["policies"])

    def test_page_loads_nothing_and_escapes_names(self):
        self.must("policy", "apply", self.policy)
        self.must("scope", "create", "acme/<img src=x onerror=alert(1)>", "--class", "data")
        page = self.folder / "plan.html"
        self.must("policy", "plan", "--until", "2060-01-01", "--html", page)
        text = page.read_text()
        self.assertNotIn("<img", text)
        self.assertIn("&lt;img", text)
        self.assertNotRegex(text, r"https?://|<[^>]*(src|href)=|<script")
        self.assertIn("<svg", text)

    def test_usage(self):
        for arguments in (["--until", "soon"], [], ["--until", "2060-01-01", "--policy", self.folder / "none"]):
            self.assertNotEqual(DONE, self.run_tool("policy", "plan", *arguments).returncode)
        for arguments in (["scope", "expire", "acme"], ["scope", "keep", "acme"],
                          ["tenant", "terminate", "acme", "--cancel", "--effective", "2060-01-01"]):
            self.exits(USAGE, *arguments)

    def test_a_tenant_waits_for_what_has_no_rule(self):
        self.must("policy", "apply", self.policy)
        self.must("tenant", "terminate", "acme")
        shown = self.document("policy", "plan", "--until", "2060-01-01")["scopes"]
        waiting = [s for s in shown if s["outlook"] == "waits"]
        self.assertEqual([("acme", "acme/odd")], [(s["scope"], s["waits_for"]) for s in waiting])

    def test_more_than_allowed_is_refused(self):
        for i in range(12):
            self.must("scope", "create", f"acme/data/u{i}")
        self.must("scope", "expire", "acme/data", "--on", self.today())
        self.says(self.exits(REFUSED, "sweep"), "13 scopes are due", "--max")
        self.exits(USAGE, "sweep", "--max", "-1")
        self.assertIn(b"13 scopes would be erased", self.must("sweep", "--dry-run", "--max", 13))
        self.must("sweep", "--max", 13)
        self.exits(ERASED, "ls", "acme/data")

    @staticmethod
    def today():
        return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


class Subject(Scenario):
    """One person in all classes of a tenant."""

    def setUp(self):
        super().setUp()
        self.must("tenant", "create", "acme")
        for scope in ("customer-data", "billing", "marketing", "customer-data/user-7", "customer-data/user-8",
                      "billing/2027", "billing/2027/user-7", "customer-data/user-7/devices"):
            self.must("scope", "create", f"acme/{scope}")
        for scope in ("customer-data/user-7", "customer-data/user-7/devices", "billing/2027/user-7"):
            self.must("put", f"acme/{scope}", "a", stdin=scope.encode())
        self.his = ["acme/billing/2027/user-7", "acme/customer-data/user-7"]

    def test_export(self):
        out = self.folder / "out"
        done = self.exits(DONE, "export", "acme", "--subject", "user-7", "-o", out)
        self.says(done, "nothing of user-7 in acme/marketing")
        self.assertEqual(["billing/2027/user-7/a", "customer-data/user-7/a", "customer-data/user-7/devices/a"],
                         self.files_below(out))
        self.assertEqual(b"billing/2027/user-7", (out / "billing/2027/user-7/a").read_bytes())
        self.exits(USAGE, "export", "acme", "--subject", "user-7", "-o", "-")
        self.exits(NOT_FOUND, "export", "acme", "--subject", "nobody", "-o", self.folder / "none")

    def test_hold_and_restriction(self):
        holds = self.document("hold", "place", "acme", "--subject", "user-7", "--reason", "litigation")["holds"]
        self.assertCountEqual(self.his, [hold["scope"] for hold in holds])
        self.exits(REFUSED, "erase", "acme", "--subject", "user-7", "--reason", "test", "--yes")
        for hold in holds:
            self.must("hold", "release", hold["hold"])
        report = self.document("key", "suspend", "acme", "--subject", "user-7", "--reason", "objection")
        self.assertCountEqual(self.his, report["scopes"])
        for scope in self.his:
            self.exits(REFUSED, "get", scope, "a")
        self.must("ls", "acme/customer-data/user-8")
        # All or none: one of them is restricted no more.
        self.must("key", "resume", self.his[0], "--reason", "resolved")
        self.exits(REFUSED, "key", "resume", "acme", "--subject", "user-7", "--reason", "resolved")
        self.exits(REFUSED, "get", self.his[1], "a")

    def test_erase(self):
        self.exits(REFUSED, "erase", "acme", "--subject", "user-7", "--reason", "deletion-request")
        report = self.document("erase", "acme", "--subject", "user-7", "--reason", "deletion-request", "--yes")
        self.assertCountEqual(self.his, [scope["path"] for scope in report["erased"]])
        for scope in [*self.his, "acme/customer-data/user-7/devices"]:
            self.exits(ERASED, "ls", scope)
        self.must("ls", "acme/customer-data/user-8")
        again = self.exits(ERASED, "erase", "acme", "--subject", "user-7", "--reason", "x", "--yes")
        self.says(again, "2 scopes of user-7 erased before", "nothing of user-7 in acme/marketing")


if __name__ == "__main__":
    main()
