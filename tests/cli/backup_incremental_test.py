"""backup create --incremental, verify --base, and what the inventory says of them."""

import json
import os

from backup_test import NO_VAULT, BackupScenario, moment
from scenario import DONE, FAILURE, INTEGRITY, REFUSED, USAGE, main


class Incremental(BackupScenario):
    def setUp(self):
        super().setUp()
        for number in range(20):
            self.must("put", self.scope, f"r{number}", stdin=os.urandom(20_000))
        self.must("put", self.scope, "large", stdin=os.urandom(1 << 20))
        self.base = self.create(place="base")
        self.must("put", self.scope, "r1", stdin=b"another")
        self.must("put", self.scope, "new", stdin=b"new")
        self.must("rm", self.scope, "large")

    def changes(self, *options, place="changes"):
        return self.create("--incremental", "base", *options, place=place)

    def pair(self, code=DONE, base="base", place="changes", *options, **how):
        return self.exits(code, "backup", "verify", place, "--base", base, *options, without=NO_VAULT, **how)

    def test_holds_the_changes(self):
        made = self.changes()
        self.assertEqual((self.base["id"], 2), (made["base"], made["records"]))
        self.assertIsNone(self.base["base"])
        self.assertLess(made["bytes"], 200_000)
        document = json.loads(self.verify(DONE, "changes", "--json").stdout)
        self.assertEqual((self.base["id"], self.base["manifest_hash"]),
                         (document["base"], document["base_manifest_hash"]))
        self.assertEqual((2, 1, None), tuple(document[key] for key in ("records", "removed", "records_in_all")))
        document = json.loads(self.pair(DONE, "base", "changes", "--json").stdout)
        self.assertEqual(22, document["records_in_all"])  # with "a record"
        document = json.loads(self.verify(DONE, "base", "--json").stdout)
        self.assertEqual((None, None, 0, 22), tuple(document[key] for key in (
            "base", "base_manifest_hash", "removed", "records_in_all")))
        self.must("check")

    def test_what_it_prints(self):
        shown = self.exits(DONE, "backup", "create", "changes", "--incremental", "base").stdout.decode()
        self.assertRegex(shown, f"changes since +{self.base['id']}\n")
        shown = self.verify(DONE, "changes").stdout.decode()
        self.assertRegex(shown, f"changes since +{self.base['id']}\n")
        self.assertRegex(shown, "records +2 new or changed, 1 removed\n")
        self.assertIn("1 removed; with its base 22\n", self.pair().stdout.decode())
        lines = self.must("backup", "list").decode().splitlines()
        self.assertTrue(lines[0].endswith("CHANGES SINCE"))
        self.assertTrue(lines[1].endswith(" -"))
        self.assertTrue(lines[2].endswith(self.base["id"]))

    def test_the_base_is_needed_as_long(self):
        long_one = self.changes("--keep", "90d")
        self.changes("--keep", "2d", place="short")
        base, listed, short = self.listed()
        self.assertEqual(self.base["expires"], base["expires"])
        self.assertEqual(long_one["expires"], base["needed_until"])
        self.assertEqual(listed["expires"], listed["needed_until"])
        self.assertEqual(2, (moment(short["expires"]) - moment(short["begun"])).days)
        self.assertIn(long_one["expires"], self.must("backup", "list").decode().splitlines()[1])
        begun = [e for e in self.document("audit", "log")["entries"] if e["kind"] == "backup-begun"]
        self.assertEqual([None, self.base["id"], self.base["id"]], [e.get("base") for e in begun])

    def test_through_pipes(self):
        with open(self.folder / "base", "rb") as base:
            done = self.exits(DONE, "backup", "create", "-", "--incremental", "-", stdin=base.read())
        (self.folder / "changes").write_bytes(done.stdout)
        self.pair()
        self.pair(DONE, "-", stdin=(self.folder / "base").read_bytes())
        self.pair(DONE, "base", "-", stdin=done.stdout)
        self.says(self.pair(USAGE, "-", "-", stdin=done.stdout), "standard input")

    def test_what_is_no_base(self):
        self.changes()
        before = self.listed()
        for place, why, code in (("changes", "only changes itself", REFUSED), ("none", "none", FAILURE),
                                 (self.write("no", b"nonsense" * 100), "base: backup: this is none", INTEGRITY)):
            self.says(self.exits(code, "backup", "create", "other", "--incremental", place), why)
        self.must("init", "other-vault", *self.anywhere("other-roots"))
        self.must("--vault", "other-vault", "backup", "create", "stranger")
        self.says(self.exits(REFUSED, "backup", "create", "other", "--incremental", "stranger"), "another vault")
        self.assertEqual(before, self.listed())
        self.assertFalse((self.folder / "other").exists())
        self.assertEqual([], self.left_over())

    def test_a_damaged_base(self):
        good = (self.folder / "base").read_bytes()
        middle, end = bytearray(good), bytearray(good)
        middle[len(good) // 2] ^= 1
        end[-30] ^= 1
        for bad, hint in ((good[:-1], "verify another copy"), (middle, ""), (end, "")):
            done = self.exits(INTEGRITY, "backup", "create", "other", "--incremental", self.write("bad", bytes(bad)))
            self.says(done, "base: ", hint)
            self.assertNotIn(b"quietus check", done.stderr)
        self.assertEqual([self.base["id"]], [b["id"] for b in self.listed()])
        self.assertEqual(["backup-begun", "backup-dropped"] * 3, [kind for kind, _ in self.kinds()][2:])
        self.assertFalse((self.folder / "other").exists())
        self.assertEqual([], self.left_over())

    def test_mixed_up(self):
        second = self.create(place="second")
        self.changes()
        self.says(self.pair(REFUSED, "second"), self.base["id"], second["id"])
        self.says(self.pair(REFUSED, "changes"), self.base["id"])
        self.says(self.pair(REFUSED, "base", "second"), "complete")
        good = (self.folder / "base").read_bytes()
        for at in (len(good) // 2, len(good) - 30):
            bad = bytearray(good)
            bad[at] ^= 1
            self.says(self.pair(INTEGRITY, self.write("bad", bytes(bad))), "base: ")


if __name__ == "__main__":
    main()
