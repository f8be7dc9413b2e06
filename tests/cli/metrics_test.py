"""metrics: strict OpenMetrics, right numbers, documented one by one, with rules that fit."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import time
import unittest

import openmetrics
from governed import FAKETIME, Governed as GovernedVault
from scenario import DONE, LOCKED, NOT_FOUND, USAGE, Scenario, command, main

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "metrics.md"
TABLE = ROOT / "cli" / "metrics_text.cpp"
RULES = ROOT / "packaging" / "prometheus" / "quietus.rules.yml"


class Metrics(Scenario):
    def read(self, **how):
        return openmetrics.parse(self.must("metrics", **how))

    def values(self, families=None, **how):
        """{name: value}, or {name: {labels besides the vault: value}} where there are any."""
        found = {}
        for name, family in (families or self.read(**how)).items():
            for labels, value in family.samples.items():
                rest = [pair for pair in labels if pair[0] != "vault"]
                if rest and name != "quietus_vault_info":
                    found.setdefault(name, {})[rest[0][1]] = value
                else:
                    found[name] = value
        return {name.removeprefix("quietus_"): value for name, value in found.items()}

    def just_now(self, moment):
        self.assertLess(abs(time.time() - moment), 300)


class Text(Metrics):
    def test_a_new_vault(self):
        values = self.values()
        expected = {"read_only": 0, "tenants": 0, "log_entries": 3, "erasures_pending": 0, "erasures_scheduled": 0,
                    "erasures_recent": 0, "retention_known": 1, "scopes_due": 0, "scopes_overdue": 0, "scopes_kept": 0,
                    "holds": 0, "rotations_open": 0, "backups": 0, "backups_expired": 0, "governed": 0,
                    "processes": 1, "parts_unreadable": 0,
                    "certificates": {"complete": 0, "partial": 0, "pending-snapshots": 0}}
        self.assertEqual(expected, {name: values[name] for name in expected})
        self.just_now(values["collected_timestamp_seconds"])
        self.assertEqual(1, values["vault_info"])
        # What is not known, or never was, is not there.
        for absent in ("backup_newest_timestamp_seconds", "drill_passed", "drill_timestamp_seconds", "operators",
                       "erasure_last_timestamp_seconds", "erasures_pending_oldest_timestamp_seconds", "inbox_waiting",
                       "break_glass_timestamp_seconds", "scopes_next_due_timestamp_seconds", "review_overdue", "snapshots_clear_timestamp_seconds"):
            self.assertNotIn(absent, values)

    def test_every_sample_names_the_vault_and_nothing_else(self):
        self.tenant("a-tenant-name", "a-scope-name")
        self.must("put", "a-tenant-name/a-scope-name", "a-record-name", stdin=b"x")
        self.must("erase", "a-tenant-name/a-scope-name", "--reason", "some free text", "--yes")
        text = self.must("metrics")
        vault = self.document("status")["vault_id"]
        families = openmetrics.parse(text)
        for family in families.values():
            for labels in family.samples:
                self.assertEqual(vault, dict(labels)["vault"])
                self.assertLessEqual(set(dict(labels)), {"vault", "version", "provider", "status", "level", "subject"})
        for name in (b"a-tenant", b"a-scope", b"a-record", b"free text", os.fsencode(self.folder)):
            self.assertNotIn(name, text)
        self.assertEqual(sorted(families), sorted(set(families)))

    def test_what_it_is_written_from_is_strict(self):
        good = b'# TYPE a gauge\n# HELP a An a.\na{x="y\\\\\\"\\n"} 1\n# EOF\n'
        self.assertEqual({(("x", 'y\\"\n'),): 1}, openmetrics.parse(good)["a"].samples)
        for bad in (good[:-1], good.replace(b"gauge", b"gouge"), good.replace(b"} 1", b"}  1"), good.replace(b"a{", b"b{"),
                    good.replace(b"} 1", b"} one"), good.replace(b"\\n", b"\\t"), good + b"\n", b"\n" + good,
                    good.replace(b"# TYPE", b"# UNIT a seconds\n# TYPE"), good.replace(b"# EOF", b"# TYPE a gauge\n# EOF"),
                    good.replace(b"# HELP a An a.\n", b""), good.replace(b"a{", b'a{x="1",')):
            with self.assertRaises(openmetrics.Malformed, msg=bad):
                openmetrics.parse(bad)

    def test_json(self):
        document = self.document("metrics")
        self.assertIsNone(document["file"])
        vault = self.document("status")["vault_id"]
        self.assertIn({"name": "quietus_tenants", "labels": {"vault": vault}, "value": 0}, document["metrics"])

    def test_a_vault_that_does_not_open(self):
        self.exits(NOT_FOUND, "metrics", "--vault", self.folder / "none")
        done = self.exits(LOCKED, "metrics", "-o", self.folder / "m.prom", without=["QUIETUS_KEY_FILE"])
        self.assertEqual(b"", done.stdout)
        self.assertFalse((self.folder / "m.prom").exists())


class File(Metrics):
    def test_whole_and_readable(self):
        file = self.write("m.prom", b"old")
        file.chmod(0o600)
        self.assertEqual(b"", self.must("metrics", "-o", file))
        self.assertEqual(0o644, stat.S_IMODE(file.stat().st_mode))
        openmetrics.parse(file.read_bytes())
        self.assertEqual(str(file), self.document("metrics", "-o", file)["file"])
        self.assertEqual([], [name for name in os.listdir(self.folder) if name.startswith(".quietus")])
        self.exits(USAGE, "metrics", "-o", self.folder)

    def test_an_old_one_stays_when_there_is_no_new_one(self):
        file = self.write("m.prom", b"old")
        self.exits(LOCKED, "metrics", "-o", file, without=["QUIETUS_KEY_FILE"])
        self.assertEqual(b"old", file.read_bytes())


class Values(Metrics):
    def test_erasures(self):
        scope = self.tenant("acme", "data")
        self.must("scope", "create", "acme/other")
        self.must("put", scope, "a", stdin=b"x")
        before = self.values()
        self.assertEqual((1, 0), (before["tenants"], before["erasures_recent"]))
        self.must("erase", scope, "--reason", "test", "--yes", "--now")
        values = self.values()
        self.assertEqual(before["root_generation"] + 1, values["root_generation"])
        self.assertEqual(self.document("status")["log_size"], values["log_entries"])
        self.assertEqual(1, sum(values["certificates"].values()))
        self.assertEqual(1, values["erasures_recent"])
        self.just_now(values["erasure_last_timestamp_seconds"])
        for seconds in ("erasure_last_begun_to_unreachable_seconds", "erasure_last_unreachable_to_destroyed_seconds",
                        "erasures_recent_unreachable_to_destroyed_seconds"):
            self.assertLessEqual(values[seconds], 60)
            self.assertGreaterEqual(values[seconds], 0)
        # A change of the secret destroys a slot too, and is none.
        self.must("unlock", "change", "--new-key-file", self.key)
        self.assertEqual(1, self.values()["erasures_recent"])
        self.must("purge", "acme/other", "--reason", "test", "--yes")
        purged = self.values()
        self.assertEqual(2, purged["erasures_recent"])
        self.assertNotIn("erasure_last_begun_to_unreachable_seconds", purged)
        self.must("erase", "acme", "--reason", "test", "--yes", "--now")
        self.assertEqual(0, self.values()["tenants"])

    def test_scheduled_held_rotated(self):
        scope = self.tenant("acme", "data")
        self.must("hold", "place", scope, "--reason", "test")
        self.must("key", "rotate", scope, "--reason", "test")
        values = self.values()
        self.assertEqual((1, 0), (values["holds"], values["erasures_scheduled"]))
        self.assertEqual(len(self.document("status")["rotations"]), values["rotations_open"])
        self.must("tenant", "create", "globex")
        self.must("erase", "globex", "--reason", "test", "--yes")
        values = self.values()
        self.assertEqual(1, values["erasures_scheduled"])
        self.assertAlmostEqual(time.time() + 7 * 86400, values["erasures_scheduled_next_timestamp_seconds"], delta=300)

    def test_a_pending_erasure(self):
        scope = self.tenant("acme", "data")
        process = self.waiting_put(scope, "waits")
        os.kill(process.pid, 19)  # stopped, it cannot confirm
        done = self.run_tool("erase", scope, "--reason", "test", "--yes", "--now")
        self.assertEqual(9, done.returncode, done.stderr)
        values = self.values()
        self.assertEqual((1, 2), (values["erasures_pending"], values["processes"]))
        self.just_now(values["erasures_pending_oldest_timestamp_seconds"])
        os.kill(process.pid, 18)

    def test_backups_and_drills(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "a", stdin=b"x")
        self.must("backup", "create", self.folder / "b")
        values = self.values()
        self.assertEqual((1, 0), (values["backups"], values["backups_expired"]))
        self.just_now(values["backup_newest_timestamp_seconds"])
        self.must("backup", "drill", self.folder / "b")
        values = self.values()
        self.assertEqual(1, values["drill_passed"])
        self.just_now(values["drill_timestamp_seconds"])

    def test_with_a_recovery_site(self):
        site = ("--vault", self.folder / "site")
        self.must(*site, "escrow", "init", self.folder / "site", *self.anywhere("site-roots"))
        made = self.document(*site, "escrow", "list")
        rolled = self.document(*site, "escrow", "roll")
        trust = self.write("trust", f"log {made['verifier_key']}\nquorum none\n".encode())
        self.must("escrow", "import-ring", self.write("ring", rolled["ring_file"].encode()), "--trust", trust)
        self.assertNotIn("inbox_told", self.values())
        (self.folder / "inbox").mkdir()
        self.must("escrow", "inbox", self.folder / "inbox")
        snapshot = self.document("escrow", "snapshot", self.folder / "snapshot")
        values = self.values()
        self.assertEqual(0, values["inbox_waiting"])
        self.just_now(values["snapshot_newest_timestamp_seconds"])
        expires = next(epoch["expires"] for epoch in made["epochs"] if epoch["id"] == snapshot["epoch"])
        self.assertEqual(expires[:19], time.strftime(
            "%Y-%m-%dT%H:%M:%S", time.gmtime(values["snapshots_clear_timestamp_seconds"])))

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_what_is_due(self):
        self.tenant("acme", "data")
        soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86400))
        self.must("scope", "expire", "acme/data", "--on", soon)
        values = self.values()
        self.assertEqual((0, 0), (values["scopes_due"], values["scopes_overdue"]))
        self.assertEqual(soon, time.strftime("%Y-%m-%d", time.gmtime(values["scopes_next_due_timestamp_seconds"])))
        values = self.values(openmetrics.parse(self.in_days(5, "metrics")))
        self.assertEqual((1, 1), (values["scopes_due"], values["scopes_overdue"]))
        # Nobody swept for so long that a sweep would not believe the clock.
        self.assertNotIn(values["doctor_level"]["clock"], (2, 3))
        self.assertEqual(2, self.values(openmetrics.parse(self.in_days(40, "metrics")))["doctor_level"]["clock"])

    def in_days(self, days, *arguments):
        self.environment.setdefault("ASAN_OPTIONS", "verify_asan_link_order=0")
        done = subprocess.run([FAKETIME, "--exclude-monotonic", "-f", f"+{days}d", *command(*arguments)],
                              env=self.environment, cwd=self.folder, capture_output=True, timeout=120, check=False)
        self.assertEqual(DONE, done.returncode, done.stderr)
        return done.stdout

    def test_findings(self):
        values = self.values()
        findings = self.document("doctor")["findings"]
        by_level = {level: sum(one["level"] == level for one in findings)
                    for level in ("ok", "note", "warning", "problem")}
        self.assertEqual(by_level, values["doctor_findings"])
        self.assertEqual({one["subject"] for one in findings}, set(values["doctor_level"]))

    def test_a_damaged_record_store(self):
        self.tenant("acme", "data")
        (self.vault / "records.mdb").write_bytes(b"damaged" * 1000)
        values = self.values()
        self.assertEqual(3, values["doctor_level"]["record store"])
        self.assertEqual(1, values["tenants"])


class OfAGovernedVault(GovernedVault, Metrics):
    def test_governance(self):
        self.must("operator", "review", "--sign", **self.as_("eve"))
        self.opened()
        values = self.values(**self.as_("eve"))
        expected = {"governed": 1, "operators": 5, "admins": 1, "requests_open": 1, "requests_overdue": 0,
                    "review_overdue": 0}
        self.assertEqual(expected, {name: values[name] for name in expected})
        self.just_now(values["review_timestamp_seconds"])
        self.assertNotIn("break_glass_timestamp_seconds", values)
        self.new_key("mallory")
        self.must("operator", "break-glass", "mallory", "--key", self.public("mallory"))
        values = self.values(**self.as_("eve"))
        self.assertAlmostEqual(time.time() + 7 * 86400, values["break_glass_timestamp_seconds"], delta=300)
        text = self.must("metrics", **self.as_("eve"))
        for name, _ in self.people:
            self.assertNotIn(f'"{name}"'.encode(), text)

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_what_is_overdue(self):
        self.change("policy", "apply", self.write("p", b'effective = 2000-01-01\n[deadline]\ndeletion = "1m"\n'))
        self.opened()
        late = self.values(openmetrics.parse(self.in_days(93, DONE, "metrics", **self.as_("eve")).stdout))
        self.assertEqual((1, 1), (late["requests_overdue"], late["review_overdue"]))


class Documented(unittest.TestCase):
    def test_every_metric(self):
        written = re.findall(r'Metric\{\s*"(quietus_[a-z_]+)"', TABLE.read_text())
        self.assertEqual(len(written), len(set(written)))
        documented = re.findall(r"^\| `(quietus_[a-z_]+)`", DOCUMENT.read_text(), re.M)
        self.assertCountEqual(written, documented)
        sources = (ROOT / "cli" / "metrics_command.cpp").read_text()
        self.assertEqual(set(written), set(re.findall(r'"(quietus_[a-z_]+)"', sources)))

    def test_every_rule(self):
        text = RULES.read_text()
        names = re.findall(r"^ *- alert: (\w+)$", text, re.M)
        self.assertEqual(len(names), len(set(names)))
        self.assertCountEqual(names, re.findall(r"^\| `(Quietus\w+)` \| .+\. \|$", DOCUMENT.read_text(), re.M))
        known = set(re.findall(r'Metric\{\s*"(quietus_[a-z_]+)"', TABLE.read_text()))
        used = set(re.findall(r"\bquietus_[a-z_]+", "\n".join(re.findall(r"^ *expr:(.*(?:\n {10,}.*)*)", text, re.M))))
        self.assertTrue(used)
        self.assertLessEqual(used, known)

    def test_rules_parse(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("python3-yaml is not installed")
        [group] = yaml.safe_load(RULES.read_text())["groups"]
        self.assertEqual("quietus", group["name"])
        for rule in group["rules"]:
            self.assertEqual({"alert", "expr", "for", "labels", "annotations"}, set(rule))
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
            self.assertEqual({"summary", "description"}, set(rule["annotations"]))
            self.assertEqual(rule["expr"].count("("), rule["expr"].count(")"))

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_prometheus_takes_them(self):
        done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)


if __name__ == "__main__":
    main()
