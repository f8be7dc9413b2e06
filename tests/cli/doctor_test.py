"""doctor: what surrounds the vault and may weaken it, changed on purpose and seen."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

from scenario import DONE, INTEGRITY, Scenario, command, main, sanitized

FAKETIME = shutil.which("faketime")
SUBJECTS = {"root slots", "medium of the root slots", "anchor", "file system", "snapshots", "permissions", "key memory",
            "core files", "swap", "readers", "clock", "processes"}
DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "cli.md"


class Doctor(Scenario):
    def found(self, subject, code=DONE, findings=None):
        """(level, text) of the findings about it."""
        findings = findings or self.document("doctor", code=code)["findings"]
        return [(one["level"], one["text"]) for one in findings if one["subject"] == subject]

    def warned(self, subject, *texts, **how):
        """One of the warnings about it has all of these texts."""
        found = self.found(subject, **how)
        self.assertTrue([1 for level, text in found
                         if level == "warning" and all(str(one) in text for one in texts)], found)

    def through(self, *wrapper, **environment):
        """Findings of a doctor that another program starts."""
        full = self.environment | environment
        done = subprocess.run([*wrapper, *command("--json", "doctor")], env=full, cwd=self.folder,
                              capture_output=True, timeout=120, check=False)
        self.assertEqual(DONE, done.returncode, done.stderr)
        return json.loads(done.stdout)["findings"]


class Whole(Doctor):
    def test_everything_is_looked_at(self):
        findings = self.document("doctor")["findings"]
        self.assertLessEqual(SUBJECTS, {one["subject"] for one in findings})
        documented = DOCUMENT.read_text().partition("| subject | looks at |")[2].partition("\n\n")[0]
        for one in findings:
            self.assertIn(f"`{one['subject']}`", documented)
            self.assertIn(one["level"], ("ok", "note", "warning"))

    def test_nothing_is_changed(self):
        before = {path: (path.read_bytes() if path.is_file() else None, path.stat().st_mode)
                  for place in (self.vault, self.folder / "roots") for path in place.rglob("*")
                  if path.name not in ("anchor", "holders", "control.mdb-lock", "records.mdb-lock")}
        self.must("doctor")
        for path, (content, mode) in before.items():
            self.assertEqual((content, mode), (path.read_bytes() if path.is_file() else None, path.stat().st_mode), path)


class Permissions(Doctor):
    def test_all_well(self):
        self.assertEqual(["ok"], [level for level, _ in self.found("permissions")])

    def test_open_to_others(self):
        [slot, *_] = [path for path in (self.folder / "roots").rglob("slot-*")]
        for path in (self.key, self.folder / "vault", self.vault / "control.mdb", self.vault / "runtime", slot.parent, slot):
            mode = path.stat().st_mode
            for bits in (0o040, 0o004):
                path.chmod(mode | bits)
                with self.subTest(path=path, bits=oct(bits)):
                    self.warned("permissions", path, "chmod go=")
            path.chmod(mode)
        self.assertEqual(["ok"], [level for level, _ in self.found("permissions")])

    def test_many_at_once(self):
        for path in (self.folder / "roots").rglob("*"):
            path.chmod(path.stat().st_mode | 0o044)
        for path in self.vault.rglob("*"):
            path.chmod(path.stat().st_mode | 0o044)
        found = self.found("permissions")
        self.assertEqual(6, len(found), found)
        self.assertIn("more are open", found[-1][1])

    def test_a_folder_in_which_others_may_replace_it(self):
        self.folder.chmod(0o777)
        for name in ("vault", "key"):
            self.warned("permissions", f"another {name} in its place", self.folder)
        self.folder.chmod(0o1777)  # as /tmp
        self.assertEqual(["ok"], [level for level, _ in self.found("permissions")])

    def test_a_secret_where_copies_take_it_along(self):
        [roots] = (self.folder / "roots").iterdir()
        for place in (self.vault, roots):
            inside = place / "key"
            shutil.copy(self.key, inside)
            inside.chmod(0o600)
            self.environment["QUIETUS_KEY_FILE"] = str(inside)
            with self.subTest(place=place):
                self.warned("permissions", inside, "takes it along")
            self.environment["QUIETUS_KEY_FILE"] = str(self.key)
            inside.unlink()

    @unittest.skipUnless(os.geteuid() == 0, "only root may give files away")
    def test_of_another_user(self):
        os.chown(self.key, 12345, -1)
        found = self.found("permissions")
        self.assertTrue([1 for level, text in found if level == "note" and "12345" in text], found)


class Memory(Doctor):
    @unittest.skipUnless(shutil.which("prlimit") and shutil.which("setpriv"), "util-linux is not installed")
    def test_memory_that_cannot_be_locked(self):
        if sanitized():
            self.skipTest("the address sanitizer locks no memory and says that it did")
        # Who may lock whatever they like gives that up first.
        without = ("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock") if os.geteuid() == 0 else ()
        findings = self.through("prlimit", "--memlock=0:0", *without)
        self.warned("key memory", "RLIMIT_MEMLOCK is 0 KiB", "LimitMEMLOCK=64M", findings=findings)

    @unittest.skipUnless(shutil.which("prlimit"), "util-linux is not installed")
    def test_core_files(self):
        """The command allows itself none, whatever it is given."""
        findings = self.through("prlimit", "--core=unlimited")
        self.assertEqual(["ok"], [level for level, _ in self.found("core files", findings=findings)])

    def test_swap(self):
        [(level, text)] = self.found("swap")
        with open("/proc/swaps", encoding="ascii") as swaps:
            if len(swaps.readlines()) < 2:
                self.assertEqual(("ok", "none"), (level, text))


class Readers(Doctor):
    def test_a_killed_one(self):
        scope = self.tenant("acme", "data")
        stays = self.waiting_put(scope, "stays")
        killed = self.waiting_put(scope, "killed")
        self.assertEqual({"ok"}, {level for level, _ in self.found("readers")})
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(60)
        found = self.found("readers")
        self.assertTrue([1 for level, text in found if level == "note" and "killed" in text], found)
        self.assertEqual({"ok"}, {level for level, _ in self.found("readers")})
        self.assertIsNone(stays.poll())


class Clock(Doctor):
    def at(self, moment):
        return self.through(FAKETIME, "--exclude-monotonic", "-f", moment, ASAN_OPTIONS="verify_asan_link_order=0")

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_wrong_ones(self):
        self.warned("clock", "went back", "clock accept", findings=self.at("-2h"))
        # Nothing ends by itself here, and nobody has to sweep.
        self.assertEqual([], [1 for level, _ in self.found("clock", findings=self.at("+40d")) if level == "warning"])
        self.tenant("acme", "data")
        self.must("scope", "expire", "acme/data", "--on", time.strftime("%Y-%m-%d", time.gmtime(time.time() + 5e6)))
        self.warned("clock", "is far ahead", "clock accept", findings=self.at("+40d"))

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_one_that_was_never_set(self):
        done = subprocess.run([FAKETIME, "--exclude-monotonic", "-f", "@2000-01-01 00:00:00", *command("doctor")],
                              env=self.environment | {"ASAN_OPTIONS": "verify_asan_link_order=0"}, cwd=self.folder,
                              capture_output=True, timeout=120, check=False)
        self.assertEqual(INTEGRITY, done.returncode, done.stderr)
        self.assertIn(b"set it", done.stdout)


if __name__ == "__main__":
    main()
