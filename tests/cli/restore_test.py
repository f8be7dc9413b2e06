"""backup restore and drill, escrow import-ring, snapshot and import-receipt: beside the walk through
docs/recovery.md, what is refused and what is shown."""

import base64
import datetime
import json
import shutil
import unittest

from scenario import (DONE, ERASED, INTEGRITY, NOT_FOUND, REFUSED, USAGE, Scenario, command, main)
import subprocess

FAKETIME = shutil.which("faketime")


class World(Scenario):
    """A vault with two tenants, a recovery site, and a backup."""

    def setUp(self):
        super().setUp()
        for tenant in ("acme", "globex"):
            self.tenant(tenant)
            self.must("put", tenant, "a", stdin=tenant.encode())
        self.site = {"QUIETUS_VAULT": str(self.folder / "site"), "QUIETUS_KEY_FILE": str(self.folder / "site.key")}
        self.must("escrow", "init", self.folder / "site", *self.anywhere("site-roots"), "-o", self.folder / "ring",
                  **self.site)
        site_key = self.document("escrow", "list", **self.site)["verifier_key"]
        self.site_trust = self.write("site.trust", f"log {site_key}\nquorum none\n".encode())
        own_key = self.document("audit", "verify")["verifier_key"]
        self.trust = self.write("own.trust", f"log {own_key}\nquorum none\n".encode())

    def import_ring(self):
        self.must("escrow", "import-ring", self.folder / "ring", "--trust", self.site_trust)

    def backup(self, name="backup", *options):
        self.must("backup", "create", self.folder / name, *options)
        return self.folder / name

    def export_log(self, name="log"):
        self.must("audit", "export", "-o", self.folder / name)
        return self.folder / name

    def restore(self, code, backup, name="new", *options, **how):
        return self.exits(code, "backup", "restore", backup, self.folder / name, *self.anywhere(f"{name}-roots"),
                          *options, **how)

    def recover(self, code, backup, name="new", *options):
        return self.restore(code, backup, name, "--escrow", self.folder / "site", "--trust", self.trust,
                            "--new-key-file", self.folder / "new.key", *options,
                            QUIETUS_KEY_FILE=self.site["QUIETUS_KEY_FILE"])


class Restore(World):
    def test_an_older_state_comes_back_beside_the_vault(self):
        backup = self.backup()
        self.must("put", "acme", "a", stdin=b"later")
        self.must("erase", "globex", "--reason", "test", "--yes", "--now")
        report = json.loads(self.restore(DONE, backup, "new", "--json").stdout)
        self.assertEqual((1, 1, 0, 0), tuple(report[k] for k in ("restored", "erased", "purged", "missing")))
        new = {"QUIETUS_VAULT": str(self.folder / "new")}
        self.assertEqual(b"acme", self.must("get", "acme", "a", **new))
        self.exits(ERASED, "get", "globex", "a", **new)
        self.assertEqual(b"later", self.must("get", "acme", "a"))
        # Both say that there is another one.
        for where in ({}, new):
            self.must("erase", "acme", "--reason", "test", "--yes", "--now", **where)
            self.assertEqual("partial", self.document("cert", "list", **where)["certificates"][-1]["status"])

    def test_an_incremental_backup_needs_its_base(self):
        base = self.backup("base")
        self.must("put", "acme", "b", stdin=b"new")
        changes = self.backup("changes", "--incremental", base)
        self.restore(REFUSED, changes)
        self.restore(DONE, changes, "new", "--base", base)
        self.assertEqual(b"new", self.must("get", "acme", "b", QUIETUS_VAULT=str(self.folder / "new")))

    def test_nothing_is_restored_over_or_into_a_vault(self):
        backup = self.backup()
        self.exits(REFUSED, "backup", "restore", backup, self.vault, *self.anywhere("new-roots"))
        self.exits(REFUSED, "backup", "restore", backup, self.vault / "inside", *self.anywhere("new-roots"))
        self.assertEqual(b"acme", self.must("get", "acme", "a"))

    def test_options_of_the_site_are_for_the_site(self):
        backup = self.backup()
        self.restore(USAGE, backup, "new", "--log", self.folder)
        self.restore(USAGE, backup, "new", "--trust", self.trust)
        self.assertFalse((self.folder / "new" / "vault.json").exists())

    def test_a_damaged_backup_restores_nothing(self):
        backup = self.backup()
        content = bytearray(backup.read_bytes())
        content[len(content) // 2] ^= 1
        self.restore(INTEGRITY, self.write("damaged", bytes(content)))
        self.says(self.restore(INTEGRITY, self.write("cut", bytes(content[:1000]))), "backup verify")
        self.assertFalse((self.folder / "new" / "vault.json").exists())


class Recovery(World):
    def setUp(self):
        super().setUp()
        self.import_ring()

    def test_what_is_refused_at_the_site_and_why(self):
        backup = self.backup()
        log = self.export_log()
        self.says(self.recover(REFUSED, backup), "--accept-log-as-of")
        self.says(self.recover(REFUSED, backup, "new", "--accept-log-as-of", "2001-01-01"), "which is not 2001-01-01")
        self.recover(USAGE, backup, "new", "--accept-log-as-of", "yesterday")
        self.restore(USAGE, backup, "new", "--escrow", self.folder / "site", QUIETUS_KEY_FILE=self.site["QUIETUS_KEY_FILE"])
        self.recover(NOT_FOUND, backup, "new", "--log", self.folder / "nowhere")
        foreign = self.restore(INTEGRITY, backup, "new", "--escrow", self.folder / "site", "--trust", self.site_trust,
                               "--log", log, QUIETUS_KEY_FILE=self.site["QUIETUS_KEY_FILE"])
        self.says(foreign, "trust file does not name")
        self.assertFalse((self.folder / "new" / "vault.json").exists())
        day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        self.recover(DONE, backup, "new", "--accept-log-as-of", day)
        new = {"QUIETUS_VAULT": str(self.folder / "new"), "QUIETUS_KEY_FILE": str(self.folder / "new.key")}
        self.assertEqual(b"globex", self.must("get", "globex", "a", **new))
        entries = self.document("audit", "log", **new)["entries"]
        self.assertTrue(any(e["kind"] == "log-accepted" and e["as_of"].startswith(day) for e in entries), entries)

    def test_what_the_inbox_tells_is_dead_without_any_log(self):
        inbox = self.folder / "inbox"
        self.exits(NOT_FOUND, "escrow", "inbox", inbox)
        inbox.mkdir()
        self.assertIn(b"no inbox", self.must("escrow", "inbox"))
        self.must("escrow", "inbox", inbox)
        backup = self.backup()
        self.must("erase", "acme", "--reason", "test", "--yes", "--now")
        self.assertIn('"site_inbox":"delivered"', self.claims_of("acme"))
        inbox.rename(self.folder / "away")
        self.must("erase", "globex", "--reason", "test", "--yes", "--now")
        self.assertIn('"site_inbox":"not-yet"', self.claims_of("globex"))
        self.assertRegex(self.must("status").decode(), r"site's inbox +.*, 1 erasure not told yet")
        self.says(self.exits(NOT_FOUND, "escrow", "tell"), "the inbox is not there")
        (self.folder / "away").rename(inbox)
        self.assertEqual((0, str(inbox)), tuple(self.document("escrow", "tell")[k] for k in ("waiting", "folder")))
        (inbox / "x.erasures").write_bytes(b"nobody's")
        received = self.exits(INTEGRITY, "escrow", "receive", inbox, "--trust", self.trust, "--json", **self.site)
        self.assertEqual((2, 2), tuple(json.loads(received.stdout)[k] for k in ("notices", "erasures")))
        self.says(received, "x.erasures")
        (inbox / "x.erasures").unlink()
        day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        self.recover(DONE, backup, "new", "--accept-log-as-of", day, "--inbox", inbox)
        new = {"QUIETUS_VAULT": str(self.folder / "new"), "QUIETUS_KEY_FILE": str(self.folder / "new.key")}
        for tenant in ("acme", "globex"):
            self.exits(ERASED, "get", tenant, "a", **new)
        self.must("escrow", "inbox", "--none")
        self.assertIsNone(self.document("status")["site_inbox"])

    def claims_of(self, scope):
        payload = json.loads(self.must("cert", "show", scope))["payload"]
        return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()

    def test_a_backup_without_a_snapshot_says_so(self):
        other = self.folder / "other"
        self.must("init", other, *self.anywhere("other-roots"))
        plain = self.folder / "plain"
        self.must("--vault", other, "backup", "create", plain)
        key = self.document("--vault", other, "audit", "verify")["verifier_key"]
        self.trust = self.write("other.trust", f"log {key}\nquorum none\n".encode())
        self.says(self.recover(REFUSED, plain, "new", "--accept-log-as-of", "2001-01-01"), "no key snapshot")

    def test_the_plan_of_an_erasure_says_until_when_snapshots_open(self):
        self.backup()
        done = self.exits(DONE, "erase", "acme", "--reason", "test", "--yes", "--now")
        self.says(done, "a recovery site can open those until")
        self.assertEqual("pending-snapshots", self.document("cert", "list")["certificates"][0]["status"])

    def test_the_plan_of_a_purge_says_what_each_backup_loses(self):
        self.backup()
        made = self.document("backup", "list")["backups"][0]["id"]
        done = self.exits(DONE, "purge", "acme", "--yes")
        self.says(done, "These backups lose", made, "a recovery site can open those until")

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_a_receipt_makes_certificates_final(self):
        self.backup()
        self.must("erase", "acme", "--reason", "test", "--yes", "--now")
        first = self.document("cert", "list")["certificates"][0]["id"]
        environment = self.environment | self.site | {"ASAN_OPTIONS": "verify_asan_link_order=0"}
        rolled = subprocess.run([FAKETIME, "-f", "+15d", *command("escrow", "roll", "-o", self.folder)],
                                env=environment, check=False, capture_output=True, timeout=120)
        self.assertEqual(0, rolled.returncode, rolled.stderr)
        imported = self.document("escrow", "import-receipt", self.folder / "receipt")
        if " partial\n" in (self.folder / "receipt").read_text():
            self.assertEqual(0, imported["snapshots"])  # the site's medium is of a kind that nobody knows
            self.skipTest("the file system here is not known to overwrite in place")
        self.assertEqual((1, 1, 1), (imported["epochs"], imported["snapshots"], len(imported["certificates"])))
        pem = self.write("issuer.pem", self.must("cert", "key"))
        last = self.write("last", self.must("cert", "show", imported["certificates"][0]))
        document = self.document("cert", "verify", last, "--key", pem)
        self.assertEqual(("final", [first]), (document["phase"], document["supersedes"]))
        again = self.document("escrow", "import-receipt", self.folder / "receipt")
        self.assertEqual([], again["certificates"])

    def test_a_receipt_of_nobody_known_is_refused(self):
        self.exits(INTEGRITY, "escrow", "import-receipt", self.write("receipt", b"quietus-ring-receipt/v1\n"))
        self.exits(INTEGRITY, "escrow", "import-ring", self.write("ring2", b"quietus-ring/v1\n"))


class Drill(World):
    def test_a_drill_leaves_a_signed_report_and_a_page(self):
        backup = self.backup()
        self.must("erase", "globex", "--reason", "test", "--yes", "--now")
        before = sorted([*self.files_below(self.vault), "runtime/drill"])
        document = self.document("backup", "drill", backup, "--scratch", self.folder, "--report", self.folder / "r.json",
                                 "--html", self.folder / "r.html")
        self.assertEqual((True, 1, 1, 1, 0), tuple(document[k] for k in (
            "passed", "restored", "compared", "erased_scopes_tried", "erased_scopes_readable")))
        self.assertEqual(json.loads((self.folder / "r.json").read_text()), document["report"])
        self.assertIn("Recovery drill: passed", (self.folder / "r.html").read_text())
        self.assertEqual(before, self.files_below(self.vault))
        self.assertFalse(list(self.folder.glob("quietus-drill-*")))
        status = self.must("status").decode()
        self.assertRegex(status, r"last drill +0 hours ago")
        self.assertRegex(status, r"last backup +0 hours ago")
        self.assertRegex(status, r"last snapshot +none")

    def test_a_drill_that_fails_says_so(self):
        content = bytearray(self.backup().read_bytes())
        content[len(content) // 2] ^= 1
        self.exits(INTEGRITY, "backup", "drill", self.write("damaged", bytes(content)), "--scratch", self.folder)
        self.assertIn("FAILED", self.must("status").decode())


if __name__ == "__main__":
    main()
