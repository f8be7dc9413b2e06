"""backup verify --vault: whether a backup opens; backup forget."""

import json
import os

from backup_test import BackupScenario
from scenario import DONE, INTEGRITY, LOCKED, NOT_FOUND, REFUSED, USAGE, main


class Opening(BackupScenario):
    def setUp(self):
        super().setUp()
        self.must("put", self.scope, "large", stdin=os.urandom(3 << 20))
        self.must("scope", "create", "acme/other")
        self.must("put", "acme/other", "r", stdin=b"x" * 100)
        self.create()

    def open(self, *options, code=DONE, place="b", **how):
        return self.exits(code, "--vault", self.vault, "backup", "verify", place, *options, **how)

    def opened(self, *options, **how):
        return json.loads(self.open("--json", *options, **how).stdout)["opened"]

    def counts(self, *options, **how):
        opened = self.opened(*options, **how)
        return tuple(opened[key] for key in ("records", "erased", "purged", "missing", "damaged"))

    def test_all_of_it(self):
        self.assertEqual((3, 0, 0, 0, 0), self.counts())
        opened = self.opened()
        self.assertEqual(((3 << 20) + 118, 0, []), (opened["bytes"], opened["contents_not_opened"], opened["damages"]))
        document = json.loads(self.open("--json").stdout)
        self.assertTrue(document["trusted"])
        shown = self.open().stdout.decode()
        self.assertRegex(shown, r"opened +3 records, 3\.0 MiB\n")
        self.assertNotIn("erased", shown)
        before = self.files_below(self.folder)
        self.open()
        self.assertEqual(before, self.files_below(self.folder))

    def test_only_where_a_vault_is_named(self):
        self.assertNotIn("opened", json.loads(self.exits(DONE, "--json", "backup", "verify", "b").stdout))
        self.open(code=LOCKED, without=["QUIETUS_KEY_FILE"])
        self.says(self.open("--trust", "b", code=USAGE), "--trust")

    def test_what_is_gone_since(self):
        self.must("purge", self.scope, "--reason", "test", "--yes")
        self.assertEqual((1, 0, 2, 0, 0), self.counts())
        self.must("erase", "acme/other", "--reason", "test", "--yes", "--now")
        self.assertEqual((0, 1, 2, 0, 0), self.counts())
        shown = self.open().stdout.decode()
        self.assertRegex(shown, r"opened +0 records")
        self.assertRegex(shown, r"erased +1 of erased scopes")
        self.assertRegex(shown, r"purged +2 of keys")

    def test_an_incremental_one(self):
        self.must("put", self.scope, "new", stdin=b"new")
        self.create("--incremental", "b", place="changes")
        self.assertEqual((4, 0, 0, 0, 0), self.counts("--base", "b", place="changes"))
        self.says(self.open(code=REFUSED, place="changes"), "base")
        self.says(self.open("--base", "changes", code=REFUSED), "complete")

    def test_damage(self):
        content = bytearray(self.file.read_bytes())
        content[len(content) // 2] ^= 1
        done = self.open(code=INTEGRITY, place=self.write("bad", bytes(content)))
        self.assertEqual(b"", done.stdout)
        self.must("init", "other", *self.anywhere("other-roots"))
        self.says(self.exits(REFUSED, "--vault", "other", "backup", "verify", "b"), "another vault")


class Forget(BackupScenario):
    def setUp(self):
        super().setUp()
        self.made = self.create()

    def test_with_yes(self):
        other = self.create(place="other")
        document = self.document("backup", "forget", self.made["id"], "--yes")
        del self.made["file"]
        self.assertEqual(self.made, document)
        self.assertEqual([other["id"]], [backup["id"] for backup in self.listed()])
        self.assertEqual(("backup-dropped", self.made["id"]), self.kinds()[-1])
        self.verify()  # the file is left alone
        self.assertIn(other["id"].encode(), self.must("backup", "forget", other["id"], "--yes"))
        self.assertEqual([], self.listed())
        self.must("check")

    def test_asks(self):
        self.exits(REFUSED, "backup", "forget", self.made["id"])  # nobody is there to ask
        code, shown = self.on_terminal("backup", "forget", self.made["id"], answers=[(b"Forget it?", b"no\n")])
        self.assertEqual(REFUSED, code, shown)
        self.assertEqual(1, len(self.listed()))
        code, shown = self.on_terminal("backup", "forget", self.made["id"], answers=[(b"Forget it?", b"forget\n")])
        self.assertEqual(DONE, code, shown)
        self.assertIn(b"not touched", shown)
        self.assertEqual([], self.listed())

    def test_what_is_none(self):
        self.exits(NOT_FOUND, "backup", "forget", "0" * 32, "--yes")
        for wrong in ("", "b", self.made["id"][:8], self.made["id"].upper()):
            self.exits(USAGE, "backup", "forget", wrong, "--yes")
        self.exits(USAGE, "backup", "forget")
        self.exits(LOCKED, "backup", "forget", self.made["id"], "--yes", without=["QUIETUS_KEY_FILE"])
        self.assertEqual(1, len(self.listed()))

    def test_not_a_base_that_is_needed(self):
        changes = self.create("--incremental", "b", place="changes")
        self.says(self.exits(REFUSED, "backup", "forget", self.made["id"], "--yes"), changes["id"])
        for backup in (changes, self.made):
            self.must("backup", "forget", backup["id"], "--yes")


if __name__ == "__main__":
    main()
