"""backup: create, verify, list."""

import datetime
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

from scenario import (DONE, FAILURE, INTEGRITY, LOCKED, REFUSED, USAGE, UNAVAILABLE, Scenario, command,
                      main)

NO_VAULT = ["QUIETUS_VAULT", "QUIETUS_KEY_FILE"]
SECRET = b"a secret of user-7"
INFO = ["id", "begun", "made", "expires", "needed_until", "base", "records", "bytes", "epoch", "manifest_hash"]


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class BackupScenario(Scenario):
    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")
        self.must("put", self.scope, "a record", stdin=SECRET)
        self.file = self.folder / "b"

    def create(self, *options, place=None):
        return self.document("backup", "create", place or self.file, *options)

    def verify(self, code=DONE, place=None, *options, **how):
        return self.exits(code, "backup", "verify", place or self.file, *options, without=NO_VAULT, **how)

    def listed(self):
        return self.document("backup", "list")["backups"]

    def kinds(self):
        """The log's entries about backups, in their order."""
        entries = self.document("audit", "log")["entries"]
        return [(e["kind"], e["backup"]) for e in entries if e["kind"].startswith("backup-")]

    def make_large(self, megabytes=24):
        for number in range(megabytes // 8):
            self.must("put", self.scope, f"large {number}", stdin=os.urandom(8 << 20))

    def left_over(self):
        return [name for name in os.listdir(self.folder) if name.startswith(".quietus")]

    def start(self, *arguments, **how):
        process = subprocess.Popen(command(*arguments), env=self.environment, cwd=self.folder,
                                   stderr=subprocess.PIPE, **how)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.kill)
        self.addCleanup(process.stderr.close)
        return process

    def start_traced(self, *arguments):
        """With strace, which can make system calls slow or fail."""
        if shutil.which("strace") is None:
            self.skipTest("no strace")
        given = self.environment.get("ASAN_OPTIONS", "")
        # Nobody can trace what is traced already, as the search for leaks would.
        environment = self.environment | {"ASAN_OPTIONS": f"{given}:detect_leaks=0".lstrip(":")}
        process = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", *arguments], cwd=self.folder,
                                   env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.kill)
        self.addCleanup(process.stderr.close)
        return process

    def wait_for_some(self, process):
        """Until the process has written something of its backup. It has begun it then."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            for name in self.left_over():
                try:
                    if os.stat(self.folder / name).st_size > 0:
                        return
                except FileNotFoundError:
                    pass
        self.fail(f"nothing was written: exit {process.poll()}")


class Create(BackupScenario):
    def test_to_a_file(self):
        made = self.create()
        self.assertEqual(sorted([*INFO, "file"]), sorted(made))
        self.assertEqual((str(self.file), 1), (made["file"], made["records"]))
        content = self.file.read_bytes()
        self.assertEqual(len(content), made["bytes"])
        self.assertEqual(b"QUIETUSB", content[:8])
        self.assertEqual(0o600, self.file.stat().st_mode & 0o777)
        self.assertRegex(made["id"], "^[0-9a-f]{32}$")
        self.assertRegex(made["manifest_hash"], "^[0-9a-f]{64}$")
        self.assertLessEqual(moment(made["begun"]), moment(made["made"]))
        self.assertEqual(30, (moment(made["expires"]) - moment(made["begun"])).days)
        self.assertEqual([("backup-begun", made["id"]), ("backup-made", made["id"])], self.kinds())
        self.assertEqual([], self.left_over())
        self.must("check")

    def test_what_it_prints(self):
        done = self.exits(DONE, "backup", "create", "b")
        self.assertEqual(b"", done.stderr)
        lines = dict(re.split("  +", line) for line in done.stdout.decode().splitlines())
        self.assertEqual(["file", "backup", "records", "size", "as of", "remove after"], list(lines))
        self.assertEqual(("b", "1"), (lines["file"], lines["records"]))

    def test_nothing_of_the_content_is_in_it(self):
        self.create()
        content = self.file.read_bytes()
        for plain in (SECRET, b"user-7", b"a record", b"acme"):
            self.assertNotIn(plain, content)
        for slot in (self.folder / "roots").rglob("slot-*"):
            self.assertNotIn(slot.read_bytes()[-1000:], content)

    def test_into_a_folder(self):
        (self.folder / "all").mkdir()
        names = [self.create(place=place)["file"] for place in ("all", "all/", self.folder / "all")]
        self.assertEqual(3, len(set(names)))
        self.assertEqual(3, len(os.listdir(self.folder / "all")))
        for name in names:
            self.assertRegex(os.path.basename(name), r"^quietus-\d{8}T\d{9}Z-\d+\.backup$")
            self.verify(place=name)
        self.exits(FAILURE, "backup", "create", "none/")
        self.exits(FAILURE, "backup", "create", "none/b")
        self.assertEqual(3, len(self.listed()))

    def test_to_standard_output(self):
        done = self.exits(DONE, "backup", "create", "-")
        [listed] = self.listed()
        self.says(done, listed["id"], listed["expires"])
        self.assertEqual(listed["bytes"], len(done.stdout))
        self.verify(place="-", stdin=done.stdout)
        with open(self.file, "wb") as file:
            self.exits(DONE, "backup", "create", "-", stdout=file)
        self.verify()
        self.says(self.exits(USAGE, "backup", "create", "-", "--json"), "--json")
        self.assertEqual(2, len(self.listed()))

    def test_not_to_a_terminal(self):
        code, shown = self.on_terminal("backup", "create", "-")
        self.assertEqual(USAGE, code)
        self.assertIn(b"not for a terminal", shown)
        self.assertEqual([], self.listed())

    def test_replaces_nothing(self):
        self.file.write_bytes(b"precious")
        (self.folder / "link").symlink_to(self.file)
        (self.folder / "dangling").symlink_to(self.folder / "none")
        for place in ("b", "link", "dangling", "/dev/null"):
            error = self.document("backup", "create", place, code=REFUSED)["error"]
            self.assertEqual("already_exists", error["code"])
        self.assertEqual(b"precious", self.file.read_bytes())
        self.assertFalse((self.folder / "none").exists())
        self.assertEqual(([], []), (self.listed(), self.left_over()))

    def test_replaces_nothing_that_came_meanwhile(self):
        self.make_large()
        process = self.start("backup", "create", "b", stdout=subprocess.DEVNULL)
        self.wait_for_some(process)
        self.file.write_bytes(b"precious")
        self.assertEqual(REFUSED, process.wait(60), process.stderr.read())
        self.assertEqual(b"precious", self.file.read_bytes())
        self.assertEqual([], self.left_over())

    def test_replaces_nothing_that_came_in_the_last_moment(self):
        """When it is finished in all but its name, and looked for no more."""
        slow = "renameat2:delay_enter=3s:when=1"
        process = self.start_traced("-e", "trace=renameat2", "-e", f"inject={slow}", "--", *command(
            "backup", "create", "b"))
        deadline = time.monotonic() + 60
        while not any(backup["made"] for backup in self.listed()) and time.monotonic() < deadline:
            self.assertIsNone(process.poll())
        self.assertTrue(self.left_over())
        self.file.write_bytes(b"precious")
        self.assertEqual(REFUSED, process.wait(60), process.stderr.read())
        self.assertEqual((b"precious", []), (self.file.read_bytes(), self.left_over()))

    def test_where_no_rename_spares_what_is_there(self):
        """A file system without it: a second name for the file, then the first is taken away."""
        for errno in ("EINVAL", "ENOSYS"):
            no_rename = ("-e", "trace=renameat2,link", "-e", f"inject=renameat2:error={errno}")
            for faults in (no_rename, (*no_rename, "-e", "inject=link:error=EPERM")):
                process = self.start_traced(*faults, "--", *command("backup", "create", "b"))
                self.assertEqual(DONE, process.wait(60), process.stderr.read())
                self.verify()
                self.assertEqual((0o600, 1, []), (self.file.stat().st_mode & 0o777, self.file.stat().st_nlink,
                                                  self.left_over()))
                self.file.unlink()

    def test_how_long_it_is_kept(self):
        made = self.create("--keep", "400d")
        self.assertEqual(400, (moment(made["expires"]) - moment(made["begun"])).days)
        for wrong in ("30", "d", "0d", "-1d", "30 d", "1h", "9999999999d", "for ever"):
            self.says(self.exits(USAGE, "backup", "create", "other", f"--keep={wrong}"), "30d, 6m, 1y")
        self.assertFalse((self.folder / "other").exists())
        self.assertEqual((1, []), (len(self.listed()), self.left_over()))
        policy = self.write("policy", b'effective = 2020-01-01\nbackup-retention = "14d"\n')
        self.must("policy", "apply", policy)
        made = self.create(place="other")
        self.assertEqual(14, (moment(made["expires"]) - moment(made["begun"])).days)

    def test_a_full_disk(self):
        """The file may not grow further; the vault's own files are smaller, or mapped already."""
        self.make_large(8)

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

        process = self.start("backup", "create", "b", stdout=subprocess.DEVNULL, preexec_fn=limit,
                             restore_signals=False)
        self.assertIn(b"cannot write", process.stderr.read())
        self.assertEqual(FAILURE, process.wait(60))
        self.assertEqual((False, []), (self.file.exists(), self.left_over()))
        self.assertEqual([], self.listed())
        self.assertEqual(["backup-begun", "backup-dropped"], [kind for kind, _ in self.kinds()])
        with open("/dev/full", "wb") as full:
            self.says(self.exits(FAILURE, "backup", "create", "-", stdout=full), "standard output")
        self.assertEqual([], self.listed())
        self.create()

    def test_nobody_reads_the_pipe(self):
        self.make_large(8)
        read, write = os.pipe()
        os.close(read)
        done = self.exits(FAILURE, "backup", "create", "-", stdout=write)
        os.close(write)
        self.says(done, "Broken pipe")
        self.assertEqual([], self.listed())

    def test_killed_while_it_writes(self):
        self.make_large()
        process = self.start("backup", "create", "b", stdout=subprocess.DEVNULL)
        self.wait_for_some(process)
        process.kill()
        self.assertEqual(-signal.SIGKILL, process.wait(60))
        self.assertFalse(self.file.exists())
        for name in self.left_over():
            self.verify(INTEGRITY, self.folder / name)
        [listed] = self.listed()
        self.assertEqual((None, 0, 0, None), (listed["made"], listed["records"], listed["bytes"],
                                              listed["manifest_hash"]))
        self.assertIn(b"not finished", self.must("backup", "list"))
        self.assertEqual(4, self.create()["records"])
        self.verify()
        self.assertEqual([False, True], [b["made"] is not None for b in self.listed()])
        self.must("check")

    def test_killed_before_its_end_in_a_pipe(self):
        self.make_large(8)
        process = self.start("backup", "create", "-", stdout=subprocess.PIPE)
        begin = process.stdout.read(1 << 20)
        process.kill()
        begin += process.stdout.read()
        process.stdout.close()
        process.wait(60)
        self.verify(INTEGRITY, "-", stdin=begin)
        self.assertIn(b"not finished", self.must("backup", "list"))

    def test_two_at_once(self):
        self.make_large(8)
        first, second = (self.start("backup", "create", place, stdout=subprocess.DEVNULL)
                         for place in ("one", "two"))
        for process in (first, second):
            self.assertEqual(DONE, process.wait(60), process.stderr.read())
        found = {json.loads(self.verify(DONE, place, "--json").stdout)["id"] for place in ("one", "two")}
        self.assertEqual(found, {backup["id"] for backup in self.listed()})
        self.assertEqual(2, len(found))

    def test_beside_a_writer(self):
        self.make_large(8)
        pipe = self.start("backup", "create", "-", stdout=subprocess.PIPE)
        content = pipe.stdout.read(1 << 16)  # its snapshot is taken
        for number in range(20):
            self.must("put", self.scope, f"new {number}", stdin=b"x")
        self.must("rm", self.scope, "large 0")
        self.must("tenant", "create", "globex")
        content += pipe.stdout.read()
        pipe.stdout.close()
        self.assertEqual(DONE, pipe.wait(60), pipe.stderr.read())
        checked = json.loads(self.verify(DONE, "-", "--json", stdin=content).stdout)
        self.assertEqual(2, checked["records"])
        self.must("check")

    def test_needs_the_key(self):
        for arguments in (["create", "b"], ["list"]):
            self.exits(LOCKED, "backup", *arguments, without=["QUIETUS_KEY_FILE"])
        self.assertEqual([], self.left_over())
        for arguments in (["create"], ["verify"], []):
            self.exits(USAGE, "backup", *arguments)


class Verify(BackupScenario):
    def setUp(self):
        super().setUp()
        self.made = self.create("--keep", "10d")
        self.content = self.file.read_bytes()
        self.log_key = self.document("audit", "verify")["verifier_key"]

    def trust(self, key, name="trust"):
        return self.write(name, f"log {key}\nquorum none\n".encode())

    def test_without_a_trust_file(self):
        done = self.verify()
        self.says(done, "--trust")
        shown = done.stdout.decode()
        for part in (self.made["id"], self.log_key, self.made["begun"], self.made["expires"]):
            self.assertIn(part, shown)

    def test_document(self):
        document = json.loads(self.verify(DONE, None, "--json").stdout)
        own = [key for key in INFO if key not in ("made", "needed_until")]
        self.assertEqual(sorted([*own, "vault", "log", "verifier_key", "trusted", "base_manifest_hash",
                                 "removed", "records_in_all"]), sorted(document))
        self.assertEqual(["origin", "root_hash", "size"], sorted(document["log"]))
        for key in ("id", "begun", "expires", "records", "bytes", "manifest_hash"):
            self.assertEqual(self.made[key], document[key], key)
        self.assertEqual((self.log_key, False), (document["verifier_key"], document["trusted"]))
        self.assertEqual(self.document("status")["vault_id"], document["vault"])
        # The log goes on from where the backup saw it.
        against = self.write("c", self.must("audit", "checkpoint", "--size", document["log"]["size"]))
        self.assertEqual(document["log"], self.document("audit", "verify", "--against", against)["against"])

    def test_with_a_trust_file(self):
        done = self.verify(DONE, None, "--trust", self.trust(self.log_key))
        self.assertEqual(b"", done.stderr)
        document = json.loads(self.verify(DONE, None, "--trust", "trust", "--json").stdout)
        self.assertTrue(document["trusted"])
        self.must("init", "other", *self.anywhere("other-roots"))
        stranger = self.document("--vault", "other", "audit", "verify")["verifier_key"]
        self.says(self.verify(INTEGRITY, None, "--trust", self.trust(stranger, "t2")), "trust file")
        self.verify(USAGE, None, "--trust", self.write("t3", b"nonsense\n"))
        self.verify(FAILURE, None, "--trust", "none")

    def test_from_standard_input(self):
        self.assertEqual(self.verify().stdout, self.verify(place="-", stdin=self.content).stdout)

    def test_what_is_no_backup(self):
        cases = {"empty": b"", "short": b"QUIETUS", "other": b"what is this" * 1000, "longer": self.content + b"\0"}
        for name, content in cases.items():
            done = self.verify(INTEGRITY, self.write(name, content))
            self.assertEqual(b"", done.stdout)
            self.says(done, f"{name}: backup: ", "make a new backup")
            self.assertNotIn(b"quietus check", done.stderr)
        self.says(self.verify(INTEGRITY, "-", stdin=b""), "standard input: backup: ")
        self.verify(FAILURE, "none")
        self.verify(FAILURE, self.folder)
        newer = bytearray(self.content)
        newer[9] = 2
        self.says(self.verify(UNAVAILABLE, "-", stdin=bytes(newer)), "newer version")

    def test_damage(self):
        size = len(self.content)
        for at in (10, 15, 40, size // 3, size // 2, size - 200, size - 2):
            damaged = bytearray(self.content)
            damaged[at] ^= 1
            done = self.verify(INTEGRITY, "-", stdin=bytes(damaged))
            self.assertEqual(b"", done.stdout)
        for cut in (9, 100, size // 2, size - 1):
            self.says(self.verify(INTEGRITY, "-", stdin=self.content[:cut]), "backup: ")
        error = json.loads(self.verify(INTEGRITY, "-", "--json", stdin=self.content[:-1]).stdout)["error"]
        self.assertEqual(("corrupt", INTEGRITY), (error["code"], error["exit"]))

    def test_after_an_erasure_it_is_whole_still(self):
        self.must("erase", self.scope, "--reason", "test", "--yes", "--now")
        self.verify()


class List(BackupScenario):
    def test_none(self):
        self.assertEqual([], self.listed())
        self.assertEqual(1, len(self.must("backup", "list").splitlines()))

    def test_in_the_order_of_making(self):
        made = [self.create(place=name) for name in ("one", "two", "three")]
        for backup in made:
            del backup["file"]
        self.assertEqual(made, self.listed())
        lines = self.must("backup", "list").decode().splitlines()
        self.assertEqual(4, len(lines))
        for backup, line in zip(made, lines[1:]):
            for part in (backup["id"], backup["begun"], backup["expires"]):
                self.assertIn(part, line)

    def test_the_file_is_no_part_of_it(self):
        self.create()
        self.file.unlink()
        self.assertEqual(1, len(self.listed()))


if __name__ == "__main__":
    main()
