"""init, status, doctor, check, unlock change: making a vault and looking after it."""

import os
import pathlib
import stat
import subprocess
import time

from scenario import (DONE, FAILURE, INTEGRITY, LOCKED, NOT_FOUND, REFUSED, TOOL, UNAVAILABLE,
                      USAGE, Scenario, command, main)


class Init(Scenario):
    make_vault = False

    def test_makes_vault_and_key_file(self):
        done = self.exits(DONE, "init", self.vault, *self.anywhere())
        self.assertIn(str(self.folder / "roots").encode(), done.stdout)
        self.says(done, f"the key file {self.key} was made")
        self.assertEqual(0o600, stat.S_IMODE(self.key.stat().st_mode))
        self.assertTrue((self.vault / "vault.json").is_file())
        self.assertTrue(list((self.folder / "roots").rglob("*")))

    def test_json(self):
        made = self.document("init", self.vault, *self.anywhere())
        self.assertRegex(made["vault_id"], "^[0-9a-f]{32}$")
        self.assertTrue(made["key_file_made"])
        self.assertEqual("file", made["root_provider"])

    def test_takes_an_existing_key_file(self):
        self.must("init", self.vault, *self.anywhere())
        before = self.key.read_bytes()
        again = self.document("init", self.folder / "second", *self.anywhere())
        self.assertFalse(again["key_file_made"])
        self.assertEqual(before, self.key.read_bytes())

    def test_never_into_a_folder_in_use(self):
        (self.folder / "used").mkdir()
        self.write("used/file", b"x")
        self.exits(REFUSED, "init", self.folder / "used", *self.anywhere())
        self.assertFalse(self.key.exists(), "a key file was made for nothing")
        self.must("init", self.vault, *self.anywhere())
        self.exits(REFUSED, "init", self.vault, *self.anywhere())
        self.must("status")

    def test_root_in_vault_needs_the_flag(self):
        inside = "--root", f"file:{self.vault}/roots", "--accept-unknown-medium"
        self.exits(REFUSED, "init", self.vault, *inside)
        self.must("init", self.folder / "other", "--root", f"file:{self.folder}/other/roots",
                  "--accept-unknown-medium", "--insecure-root-in-vault")

    def test_other_root_providers_are_not_offered(self):
        for root in ("tpm2:", "tpm2:0x81000001", "pkcs11:token=x"):
            done = self.exits(UNAVAILABLE, "init", self.vault, "--root", root)
            self.says(done, "not offered by this build")
        for root in ("nfs:/x", "/plain/path", "file:"):
            self.exits(USAGE, "init", self.vault, "--root", root)
        self.assertFalse(self.key.exists())
        self.assertFalse(self.vault.exists())

    def test_default_root_lies_outside_the_vault(self):
        if os.geteuid() == 0:
            self.skipTest("root would use /var/lib/quietus-roots")
        made = self.document("init", self.vault, "--accept-unknown-medium")
        self.assertTrue(made["root_location"].startswith(str(self.folder / "state/quietus/roots")))

    def test_relative_paths(self):
        self.must("init", "here", "--root", "file:there", "--accept-unknown-medium")
        self.must("--vault", "here", "status")
        located = self.document("--vault", "here", "status")["root_location"]
        self.assertTrue(located.startswith(str(self.folder / "there")), located)


class Passphrase(Scenario):
    make_vault = False

    def setUp(self):
        super().setUp()
        del self.environment["QUIETUS_KEY_FILE"]

    def test_file(self):
        secret = self.write("secret", b"correct horse\nanother line\n")
        self.must("init", self.vault, *self.anywhere(), "--passphrase-file", secret)
        self.must("status", "--passphrase-file", secret)
        self.must("status", QUIETUS_PASSPHRASE_FILE=str(self.write("same", b"correct horse")))
        wrong = self.write("wrong", b"correct hors\n")
        self.exits(LOCKED, "status", "--passphrase-file", wrong)

    def test_prompt(self):
        code, shown = self.on_terminal(
            "init", self.vault, *self.anywhere(),
            answers=[(b"New passphrase", b"battery staple\n"), (b"again", b"battery staple\n")])
        self.assertEqual(DONE, code, shown)
        self.assertNotIn(b"battery", shown, "the passphrase was shown")
        code, shown = self.on_terminal("status", answers=[(b"Passphrase", b"battery staple\n")])
        self.assertEqual(DONE, code, shown)
        self.assertNotIn(b"battery", shown)
        code, shown = self.on_terminal("status", answers=[(b"Passphrase", b"wrong\n")])
        self.assertEqual(LOCKED, code, shown)

    def test_prompt_twice_must_agree(self):
        code, shown = self.on_terminal(
            "init", self.vault, *self.anywhere(),
            answers=[(b"New passphrase", b"one\n"), (b"again", b"two\n")])
        self.assertEqual(USAGE, code, shown)
        self.assertIn(b"differ", shown)
        code, shown = self.on_terminal(
            "init", self.vault, *self.anywhere(), answers=[(b"New passphrase", b"\n")])
        self.assertEqual(USAGE, code, shown)
        self.assertFalse((self.vault / "vault.json").exists())

    def test_prompt_is_left_by_an_interrupt(self):
        code, shown = self.on_terminal(
            "init", self.vault, *self.anywhere(), answers=[(b"New passphrase", b"\x03")])
        self.assertEqual(-2, code, shown)

    def test_without_terminal_says_what_to_do(self):
        done = self.exits(LOCKED, "status")
        self.says(done, "no terminal", "--key-file", "QUIETUS_PASSPHRASE_FILE")


class Opening(Scenario):
    def test_vault_by_option_and_environment(self):
        self.must("status")
        self.must("--vault", self.vault, "status", without=["QUIETUS_VAULT"])
        self.must("status", "--vault", self.vault, without=["QUIETUS_VAULT"])
        self.says(self.exits(USAGE, "status", without=["QUIETUS_VAULT"]), "--vault", "QUIETUS_VAULT")

    def test_option_wins_over_environment(self):
        self.exits(NOT_FOUND, "--vault", self.folder / "none", "status")
        self.must("--key-file", self.key, "status", QUIETUS_KEY_FILE="/nowhere")
        self.must("--key-file", self.key, "status", QUIETUS_PASSPHRASE_FILE="/nowhere")

    def test_contradictions(self):
        self.exits(USAGE, "status", QUIETUS_PASSPHRASE_FILE=str(self.key))
        self.exits(USAGE, "status", "--key-file", self.key, "--passphrase-file", self.key)

    def test_wrong_and_missing_secrets(self):
        other = self.folder / "other.key"
        self.must("init", self.folder / "other", *self.anywhere(), "--key-file", other)
        self.says(self.exits(LOCKED, "status", "--key-file", other), "--key-file")
        self.exits(LOCKED, "status", "--key-file", self.folder / "none")
        self.exits(LOCKED, "status", "--key-file", self.write("short", b"not a key"))
        self.exits(LOCKED, "status", "--passphrase-file", self.write("secret", b"x\n"))
        self.assertFalse((self.folder / "none").exists())

    def test_no_vault_there(self):
        self.exits(NOT_FOUND, "status", "--vault", self.folder / "none")
        (self.folder / "empty").mkdir()
        self.exits(NOT_FOUND, "status", "--vault", self.folder / "empty")


class Looking(Scenario):
    def test_status(self):
        self.tenant("acme", "data")
        status = self.document("status")
        self.assertEqual(1, status["tenants"])
        self.assertEqual(0, status["certificates"])
        self.assertFalse(status["read_only"])
        self.assertEqual([], status["pending_erasures"])
        self.assertIn(status["vault_id"].encode(), self.must("status"))

    def test_doctor(self):
        findings = self.document("doctor")["findings"]
        self.assertTrue(findings)
        for finding in findings:
            self.assertIn(finding["level"], ("ok", "note", "warning", "problem"))
            self.assertTrue(finding["subject"] and finding["text"])

    def test_check_counts(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "a", stdin=b"12345")
        report = self.document("check")
        self.assertEqual(1, report["records"])
        self.assertEqual(5, report["bytes"])
        self.assertEqual([], report["damages"])

    def test_check_finds_damage(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "a", stdin=os.urandom(3000))
        for name in "records.mdb", "control.mdb":
            damaged = self.damage(name)
            done = self.run_tool("check", "--json")
            self.assertEqual(INTEGRITY, done.returncode, (name, done.stdout, done.stderr))
            (self.vault / name).write_bytes(damaged)
        self.must("check")

    def damage(self, name):
        """Flips a bit in every used page behind the first four; what was there before."""
        before = (self.vault / name).read_bytes()
        after = bytearray(before)
        for page in range(4 * 4096, len(after), 4096):
            if any(after[page:page + 4096]):
                for offset in range(page + 2048, page + 4096, 64):
                    after[offset] ^= 1
        self.assertNotEqual(before, bytes(after))
        (self.vault / name).write_bytes(after)
        return before


class ReadOnly(Scenario):
    """The vault on a disk that takes no writes."""

    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")
        self.must("put", self.scope, "a", stdin=b"content")

    def tool(self, *arguments):
        """Runs the tool with vault and roots on a read-only mount of its own."""
        script = ('for d in vault roots; do mount --bind $d $d && mount -o remount,ro,bind $d $d || '
                  'exit 99; done; exec "$@"')
        namespaces = "-m" if os.geteuid() == 0 else "-rm"
        if subprocess.run(["unshare", namespaces, "sh", "-c", script, "sh", "true"], cwd=self.folder,
                          capture_output=True, check=False).returncode != 0:
            self.skipTest("read-only mounts are not allowed here")
        return subprocess.run(
            ["unshare", namespaces, "sh", "-c", script, "sh", *command(*arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, env=self.environment, cwd=self.folder,
            timeout=120, check=False)

    def test_reads_work_and_say_so(self):
        done = self.tool("get", self.scope, "a")
        self.assertEqual((DONE, b"content"), (done.returncode, done.stdout), done.stderr)
        self.says(done, "read-only")
        for arguments in (["status"], ["ls", self.scope], ["check"], ["audit", "verify"],
                        ["cert", "list"], ["tenant", "list"]):
            self.assertEqual(DONE, self.tool(*arguments).returncode, arguments)

    def test_export_warns_that_it_is_not_logged(self):
        done = self.tool("export", self.scope, "-o", self.folder / "out.ndjson")
        self.assertEqual(DONE, done.returncode, done.stderr)
        self.says(done, "the log does not know this export")

    def test_writes_fail_and_change_nothing(self):
        done = self.tool("put", self.scope, "b")
        self.assertEqual(FAILURE, done.returncode, done.stderr)
        done = self.tool("erase", "acme", "--reason", "request", "--yes", "--now")
        self.assertEqual(FAILURE, done.returncode, done.stderr)
        self.assertEqual(b"content", self.must("get", self.scope, "a"))


class UnlockChange(Scenario):
    def test_to_a_new_key_file(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "a", stdin=b"x")
        new = self.folder / "new.key"
        self.must("unlock", "change", "--new-key-file", new)
        self.assertTrue(new.exists())
        self.exits(LOCKED, "get", scope, "a")
        self.assertEqual(b"x", self.must("get", scope, "a", "--key-file", new))

    def test_to_a_passphrase_and_back(self):
        secret = self.write("secret", b"pass phrase\n")
        self.must("unlock", "change", "--new-passphrase-file", secret)
        self.exits(LOCKED, "status")
        changed = self.document("unlock", "change", "--new-key-file", self.key,
                                "--passphrase-file", secret)
        self.assertTrue(changed["changed"])
        self.assertEqual(3, changed["root_generation"])
        self.must("status")

    def test_needs_the_old_secret(self):
        other = self.write("other", b"x\n")
        self.exits(LOCKED, "unlock", "change", "--new-key-file", self.folder / "n",
                   "--passphrase-file", other)
        self.must("status")


class Anchor(Scenario):
    def anchors(self):
        return [p for p in (self.folder / "roots").rglob("*") if "anchor" in p.name]

    def test_rewrite(self):
        self.tenant("acme", "data")
        self.assertTrue(self.anchors())
        for path in self.anchors():
            path.write_bytes(b"\0" * path.stat().st_size)
        self.exits(INTEGRITY, "tenant", "create", "globex")
        read = self.exits(DONE, "tenant", "list")
        self.says(read, "read-only")
        self.says(self.exits(REFUSED, "doctor", "--rewrite-anchor"), "--yes")
        self.must("doctor", "--rewrite-anchor", "--yes")
        self.must("tenant", "create", "globex")

    def test_rolled_back(self):
        self.tenant("acme")
        self.tenant("globex")
        subprocess.run(["cp", "-r", self.vault, self.folder / "old"], check=True)
        self.must("erase", "acme", "--reason", "request", "--yes", "--now")
        done = self.exits(INTEGRITY, "tenant", "list", "--vault", self.folder / "old")
        self.says(done, "quietus: ")
        error = self.document("status", "--vault", self.folder / "old", code=INTEGRITY)["error"]
        self.assertEqual("rolled_back", error["code"])
        self.must("tenant", "list")


class Process(Scenario):
    """What the process does to itself."""

    def test_no_core_dumps(self):
        scope = self.tenant("acme", "data")
        process = subprocess.Popen([TOOL, "put", scope, "a"], stdin=subprocess.PIPE,
                                   env=self.environment)
        try:
            limits = []
            deadline = time.monotonic() + 20
            while limits != ["0", "0"] and time.monotonic() < deadline:
                time.sleep(0.05)
                text = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
                limits = text.split("Max core file size")[1].split()[:2]
            self.assertEqual(["0", "0"], limits)
        finally:
            process.stdin.close()
            self.assertEqual(DONE, process.wait(timeout=60))

    def test_closed_descriptors_do_not_reach_the_vault(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "a", stdin=b"content")
        closed = subprocess.run(
            ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", TOOL, "get", scope, "a"],
            env=self.environment, check=False, timeout=60)
        self.assertEqual(FAILURE, closed.returncode)
        self.must("check")

    def test_full_and_broken_standard_output(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "small", stdin=b"content")
        self.must("put", scope, "large", stdin=b"content" * 100000)
        for name in "small", "large":
            with open("/dev/full", "wb") as full:
                done = self.run_tool("get", scope, name, stdout=full)
            self.assertEqual(FAILURE, done.returncode)
            self.says(done, "standard output")
            read, write = os.pipe()
            os.close(read)
            done = self.run_tool("get", scope, name, stdout=write)
            os.close(write)
            self.assertEqual(FAILURE, done.returncode, "a broken pipe must not end in silence")
            self.says(done, "Broken pipe")


if __name__ == "__main__":
    main()
