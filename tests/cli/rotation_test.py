"""key rotate, purge: keys that are replaced, what that makes unrecoverable; killed in the middle."""

import json
import os
import pty
import select
import shutil
import subprocess
import time

from rotated import SCOPE, Rotated
from scenario import DONE, ERASED, INTEGRITY, NOT_FOUND, REFUSED, UNAVAILABLE, command, main

REPORT = ["scope", "generation", "records", "bytes", "scopes_rewrapped", "keys_destroyed", "given_up",
          "given_up_records"]


class Rotate(Rotated):
    def test_the_old_key_is_kept_and_versions_stay(self):
        before = self.records()
        [old] = [key for key in self.document("key", "show", SCOPE)["keys"] if key["line"] == "data"]
        done = self.exits(DONE, "--json", "key", "rotate", SCOPE, "--reason", "contract-ended")
        self.assertEqual(b"", done.stderr)
        report = json.loads(done.stdout)
        size = sum(map(len, self.contents.values()))
        self.assertEqual(dict(zip(REPORT, (SCOPE, 2, 3, size, 1, 0, 0, []))), report)
        self.assertEqual(REPORT, list(report))
        self.assertEqual(before, self.records())
        self.check_whole()
        self.assertEqual({1: "deactivated", 2: "active"}, self.states())
        self.assertEqual({1: "active"}, self.states(line="lasting"))
        [kept] = [key for key in self.document("key", "show", SCOPE)["keys"] if key["id"] == old["id"]]
        self.assertEqual(old["commitment"], kept["commitment"])
        [listed] = self.rotations()
        self.assertEqual((SCOPE, 2, "old key kept"),
                         tuple(listed[k] for k in ("scope", "generation", "stage")))
        self.assertIn(b"old key kept", self.must("status"))
        scope = self.document("scope", "show", SCOPE)["id"]
        self.assertEqual([{"scope": scope, "generation": 2, "reason": "contract-ended"}],
                         self.logged("rotation-begun"))
        self.assertEqual([{"scope": scope, "generation": 2}], self.logged("rotation-done"))

    def test_for_people(self):
        done = self.exits(DONE, "key", "rotate", SCOPE)
        self.assertEqual(b"", done.stderr)
        text = done.stdout.decode()
        for line in "generation +2", "re-encrypted +3 records, 1000.0 KiB", "re-wrapped +1 scope", "destroyed +0 keys":
            self.assertRegex(text, f"(?m)^{line}$")
        shown = self.must("key", "show", SCOPE).decode()
        self.assertRegex(shown, r"[0-9a-f]{16} +data +2 +active")
        self.assertRegex(shown, r"[0-9a-f]{16} +data +1 +deactivated")

    def test_a_parent_and_a_source_touch_no_record_of_others(self):
        for scope in "acme", "acme/data":
            report = self.rotate(scope=scope)
            self.assertEqual((0, 1), (report["records"], report["scopes_rewrapped"]))
        self.assertEqual({1: "active"}, self.states())
        self.assertEqual(1, self.rotate()["scopes_rewrapped"])
        self.check_whole()

    def test_again_and_again_and_then_a_purge(self):
        for generation in 2, 3, 4:
            self.assertEqual(generation, self.rotate()["generation"])
        self.assertEqual(1, len(self.rotations()))
        self.assertEqual(4, self.purge()["keys_destroyed"])
        self.assertEqual({1: "destroyed", 2: "destroyed", 3: "destroyed", 4: "destroyed", 5: "active"},
                         self.states())
        self.assertEqual([], self.rotations())
        self.check_whole()

    def test_now_is_a_purge(self):
        report = self.rotate("--now", "--yes")
        self.assertEqual((2, 1), (report["generation"], report["keys_destroyed"]))
        self.assertEqual({1: "destroyed", 2: "active"}, self.states())

    def test_too_many_older_keys(self):
        for _ in range(64):
            self.must("key", "rotate", SCOPE)
        self.assertIn("purge", self.answers(REFUSED, "refused", "key", "rotate", SCOPE))
        self.assertEqual(65, len(self.states()))
        self.assertEqual(65, self.purge()["keys_destroyed"])
        self.must("key", "rotate", SCOPE)
        self.check_whole()

    def test_a_large_object_that_is_streamed_in_meanwhile_must_be_begun_again(self):
        process = self.waiting_put(SCOPE, "streamed")
        for _ in range(120):
            process.stdin.write(bytes(100_000))
        self.rotate()
        shown, _ = process.communicate(bytes(100_000), timeout=60)
        self.assertEqual(UNAVAILABLE, process.returncode)
        self.assertEqual("busy", json.loads(shown)["error"]["code"])
        self.exits(NOT_FOUND, "get", SCOPE, "streamed")
        self.must("put", SCOPE, "streamed", stdin=bytes(12_000_000))
        self.check_whole()

    def test_a_small_record_that_waits_meanwhile_is_written_under_the_new_key(self):
        process = self.waiting_put(SCOPE, "waiting")
        self.assertEqual(1, self.purge()["keys_destroyed"])
        process.communicate(b"x", timeout=60)
        self.assertEqual(DONE, process.returncode)
        self.contents["waiting"] = bytes(100_000) + b"x"
        self.check_whole()


class Purge(Rotated):
    def test_removed_and_replaced(self):
        self.must("rm", SCOPE, "b")
        del self.contents["b"]
        done = self.exits(DONE, "--json", "purge", SCOPE, "--yes")
        self.says(done, "replaces the key of " + SCOPE, "for ever", "nothing of this scope's own records")
        size = sum(map(len, self.contents.values()))
        self.assertEqual(dict(zip(REPORT, (SCOPE, 2, 2, size, 1, 1, 0, []))), json.loads(done.stdout))
        self.assertEqual({1: "destroyed", 2: "active"}, self.states())
        self.assertEqual({1: "active"}, self.states(line="lasting"))
        self.assertEqual([], self.rotations())
        self.check_whole()
        [dead] = [key["id"] for key in self.document("key", "show", SCOPE)["keys"]
                  if key["state"] == "destroyed"]
        self.assertIn(dead, json.dumps(self.logged("keys-unreachable")))
        self.assertEqual(1, len(self.logged("rotation-done")))
        self.assertEqual([], self.document("cert", "list")["certificates"])

    def test_it_asks(self):
        for what in ["purge", SCOPE], ["key", "rotate", SCOPE, "--now"]:
            self.says(self.exits(REFUSED, *what), "--yes")
            self.assertEqual("refused", json.loads(self.exits(REFUSED, "--json", *what).stdout)["error"]["code"])
            code, shown = self.on_terminal(*what, answers=[(b"Type", b"acme\n")])
            self.assertEqual(REFUSED, code, shown)
        self.assertEqual({1: "active"}, self.states())
        code, shown = self.on_terminal("purge", SCOPE, answers=[(b"Type", SCOPE.encode() + b"\n")])
        self.assertEqual(DONE, code, shown)
        self.assertIn(b"for ever", shown)
        self.assertEqual({1: "destroyed", 2: "active"}, self.states())
        # Nobody is asked about a rotation that destroys nothing.
        self.assertEqual(DONE, self.on_terminal("key", "rotate", SCOPE)[0])

    def test_the_names_of_erased_children_are_forgotten(self):
        self.must("erase", SCOPE, "--reason", "test", "--yes", "--now")
        self.rotate(scope="acme/data")
        self.exits(ERASED, "key", "show", SCOPE)
        self.purge(scope="acme/data")
        self.exits(NOT_FOUND, "key", "show", SCOPE)
        self.must("scope", "create", SCOPE)

    def test_copies_from_before(self):
        """What a kept copy of the files is worth to who has the key file. That nothing at all of
        them opens, not with every surviving slot, is shown by tests/faults/purge_test.cpp."""
        records = self.vault / "records.mdb"
        self.must("put", SCOPE, "a", stdin=b"newer content")
        self.contents["a"] = b"newer content"
        shutil.copytree(self.vault, self.folder / "before", ignore=shutil.ignore_patterns("runtime"))
        before = {"QUIETUS_VAULT": str(self.folder / "before")}
        self.rotate()
        kept = records.read_bytes()
        # The old key is still there: an older store of records beside it opens.
        shutil.copyfile(self.folder / "before" / "records.mdb", records)
        self.check_whole()
        records.write_bytes(kept)
        self.purge()
        self.check_whole()
        kept = records.read_bytes()
        shutil.copyfile(self.folder / "before" / "records.mdb", records)
        for name in self.contents:
            self.assertNotEqual(DONE, self.run_tool("get", SCOPE, name).returncode, name)
        self.assertEqual(b"derived", self.must("get", "globex/model", "weights"))
        damages = self.document("check", code=INTEGRITY)["damages"]
        self.assertGreaterEqual(len(damages), len(self.contents))
        records.write_bytes(kept)
        self.check_whole()
        # The whole copy has no root slot any more.
        done = self.run_tool("get", SCOPE, "a", **before)
        self.assertEqual(INTEGRITY, done.returncode, done.stderr)
        self.says(done, "older copy of the vault")


class Interrupted(Rotated):
    RECORDS = 20_000

    def setUp(self):
        super().setUp()
        lines = "".join(json.dumps({"name": f"many {n}", "value": "eHh4"}) + "\n" for n in range(self.RECORDS))
        self.must("import", SCOPE, self.write("many.ndjson", lines.encode()))

    def killed(self, *arguments):
        """Kills the command when it says how far it is, in the middle."""
        master, slave = pty.openpty()
        process = subprocess.Popen(command(*arguments), stdin=slave, stdout=slave, stderr=slave,
                                   env=self.environment)
        os.close(slave)
        shown, deadline = b"", time.monotonic() + 60
        try:
            while b"re-encrypting: " not in shown and time.monotonic() < deadline:
                if select.select([master], [], [], 0.1)[0]:
                    shown += os.read(master, 65536)
        except OSError:  # it has ended
            pass
        process.kill()
        process.wait(60)
        os.close(master)
        self.assertRegex(shown.decode(), r"re-encrypting: [\d,]+ of 20,003 records")
        self.assertEqual(-9, process.returncode)

    def check_interrupted(self):
        [listed] = self.rotations()
        self.assertEqual((SCOPE, 2, "re-encrypting"),
                         tuple(listed[k] for k in ("scope", "generation", "stage")))
        self.assertIn(b"re-encrypting", self.must("status"))
        self.assertEqual({1: "deactivated", 2: "active"}, self.states())
        # Work goes on beside it.
        self.check_whole()
        self.must("put", SCOPE, "a", stdin=b"newer")
        self.contents["a"] = b"newer"
        self.assertEqual(self.RECORDS + 3, len(self.records()))

    def test_a_rotation(self):
        self.killed("key", "rotate", SCOPE)
        self.check_interrupted()
        self.assertEqual({"finished": 1}, self.document("key", "rotate", "--resume"))
        self.assertEqual("old key kept", self.rotations()[0]["stage"])
        self.assertEqual({1: "deactivated", 2: "active"}, self.states())
        self.assertEqual({"finished": 0}, self.document("key", "rotate", "--resume"))
        self.check_whole()

    def test_a_purge(self):
        self.killed("purge", SCOPE, "--yes")
        self.check_interrupted()
        self.assertEqual(b"finished 1 rotation\n", self.must("key", "rotate", "--resume"))
        self.assertEqual([], self.rotations())
        self.assertEqual({1: "destroyed", 2: "active"}, self.states())
        self.assertEqual(b"finished 0 rotations\n", self.must("key", "rotate", "--resume"))
        self.check_whole()

    def test_a_purge_that_a_rotation_takes_up_stays_one(self):
        self.killed("purge", SCOPE, "--yes")
        report = self.rotate()
        self.assertEqual((2, 1), (report["generation"], report["keys_destroyed"]))
        self.assertLess(report["records"], self.RECORDS + 3)
        self.assertEqual({1: "destroyed", 2: "active"}, self.states())
        self.check_whole()

    def test_progress(self):
        code, shown = self.on_terminal("key", "rotate", SCOPE)
        self.assertEqual(DONE, code)
        text = shown.decode()
        self.assertRegex(text, r"quietus: re-encrypting: [\d,]+ of 20,003 records")
        # The line is taken away before the report is printed.
        self.assertIn("\r\x1b[Kgeneration", text)
        done = self.exits(DONE, "key", "rotate", SCOPE)
        self.assertEqual(b"", done.stderr)


if __name__ == "__main__":
    main()
