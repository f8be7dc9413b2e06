"""What every scenario needs: a folder of its own, a vault in it, and the tool under test run for real.

A scenario is a unittest.TestCase in tests/cli/<group>_test.py, run as `<group>_test.py TOOL`.
"""

import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import termios
import time
import unittest

TOOL = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else ""

DONE, FAILURE, USAGE, NOT_FOUND, ERASED, REFUSED, LOCKED, INTEGRITY, UNAVAILABLE, INCOMPLETE = range(10)


def sanitized():
    """Whether the command was built with the address sanitizer, which takes over memory locking."""
    with open(TOOL, "rb") as program:
        return b"__asan_init" in program.read()


def command(*arguments):
    """The command line; arguments are text, bytes, paths or numbers."""
    return [TOOL, *(os.fsencode(str(a) if isinstance(a, int) else a) for a in arguments)]


class Scenario(unittest.TestCase):
    """A vault with a key file, its roots beside it; self.run_tool() runs the tool against it."""

    maxDiff = None
    make_vault = True

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="quietus-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.vault = self.folder / "vault"
        self.key = self.folder / "key"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("QUIETUS_")
        }
        self.environment |= {
            "LC_ALL": "C",
            "XDG_STATE_HOME": str(self.folder / "state"),
            "QUIETUS_VAULT": str(self.vault),
            "QUIETUS_KEY_FILE": str(self.key),
        }
        if self.make_vault:
            self.must("init", self.vault, *self.anywhere())

    def anywhere(self, roots="roots"):
        """Options of init that make it work on any file system."""
        return "--root", f"file:{self.folder / roots}", "--accept-unknown-medium"

    def run_tool(self, *arguments, stdin=b"", stdout=subprocess.PIPE, without=(), **environment):
        """Runs the tool without a terminal. Output is bytes."""
        full = {k: v for k, v in (self.environment | environment).items() if k not in without}
        return subprocess.run(
            command(*arguments), input=stdin, stdout=stdout,
            stderr=subprocess.PIPE, env=full, cwd=self.folder, timeout=120, start_new_session=True,
            check=False,
        )

    def must(self, *arguments, **how):
        """Runs the tool, which must succeed; its standard output."""
        return self.exits(DONE, *arguments, **how).stdout

    def exits(self, code, *arguments, **how):
        """Runs the tool, which must end with that code; the finished process."""
        done = self.run_tool(*arguments, **how)
        shown = " ".join(map(str, arguments))
        self.assertEqual(
            code, done.returncode,
            f"quietus {shown}\nstdout: {done.stdout!r}\nstderr: {done.stderr.decode(errors='replace')}",
        )
        for line in done.stderr.splitlines():
            self.assertNotIn(b"internal", line.lower(), shown)
        return done

    def document(self, *arguments, code=DONE, **how):
        """The one JSON document that --json prints."""
        return json.loads(self.exits(code, "--json", *arguments, **how).stdout)

    def says(self, done, *texts):
        """Standard error has all of the texts, and every message line has the prefix."""
        shown = done.stderr.decode(errors="replace")
        for text in texts:
            self.assertIn(text, shown)

    def tenant(self, name="acme", below=None):
        """Makes a tenant, and a scope below it; the path of the lower one."""
        self.must("tenant", "create", name)
        if not below:
            return name
        self.must("scope", "create", f"{name}/{below}")
        return f"{name}/{below}"

    def waiting_put(self, *arguments):
        """A put that has the vault open and waits for the rest of its content."""
        process = subprocess.Popen(command("--json", "put", *arguments), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env=self.environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.kill)
        # More than the pipe holds: what is written was begun to be read, and so the vault is open.
        process.stdin.write(bytes(100_000))
        process.stdin.flush()
        return process

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def files_below(self, folder):
        return sorted(str(p.relative_to(folder)) for p in pathlib.Path(folder).rglob("*") if p.is_file())

    def on_terminal(self, *arguments, answers=(), without=()):
        """Runs the tool on a terminal of its own and types an answer whenever it asks. An answer is
        (what the question holds, what is typed). Exit code and all that the terminal showed."""
        master, slave = pty.openpty()
        full = {k: v for k, v in self.environment.items() if k not in without}

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(
            command(*arguments), stdin=slave, stdout=slave, stderr=slave, env=full,
            cwd=self.folder, preexec_fn=take_terminal, close_fds=True,
        )
        os.close(slave)
        shown, answers = b"", list(answers)
        since, deadline = 0, time.monotonic() + 60
        while time.monotonic() < deadline:
            ready, _, _ = select.select([master], [], [], 0.1)
            if ready:
                try:
                    shown += os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
            if answers and answers[0][0] in shown[since:]:
                since = len(shown)
                # Echo goes off before the question is shown, so typing now is safe.
                os.write(master, answers.pop(0)[1])
        code = process.wait(timeout=60)
        os.close(master)
        self.assertEqual([], answers, shown)
        return code, shown


def main():
    if not TOOL:
        sys.exit("usage: …_test.py TOOL")
    unittest.main(verbosity=2)
