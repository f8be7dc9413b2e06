"""The units of systemd that are shipped: they parse, and what they run exists."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.abspath(sys.argv.pop(1))
UNITS = pathlib.Path(__file__).parents[2] / "packaging" / "systemd"


class Units(unittest.TestCase):
    def test_what_they_run_is_a_command(self):
        text = (UNITS / "quietus-sweep@.service").read_text()
        line = re.search(r"^ExecStart=/usr/bin/quietus (.*)$", text, re.MULTILINE).group(1)
        done = subprocess.run([TOOL, *line.split(), "--help"], capture_output=True, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(b"--dry-run", done.stdout)

    def test_a_file_that_is_missing_fails_the_service(self):
        """A condition would pass over the sweep, day after day, and call that success."""
        text = (UNITS / "quietus-sweep@.service").read_text()
        self.assertIn("\nEnvironmentFile=/etc/quietus/%i.env\n", text)
        self.assertNotRegex(text, r"(?m)^(Condition|SuccessExitStatus|SuccessAction)")

    @unittest.skipUnless(shutil.which("setpriv"), "util-linux is not installed")
    def test_a_sweep_needs_no_capability(self):
        text = (UNITS / "quietus-sweep@.service").read_text()
        self.assertIn("\nCapabilityBoundingSet=\n", text)
        without = ["setpriv", "--no-new-privs"]
        if os.geteuid() == 0:
            without += ["--bounding-set=-all", "--inh-caps=-all"]
        with tempfile.TemporaryDirectory() as folder:
            unlock = {"QUIETUS_VAULT": f"{folder}/vault", "QUIETUS_KEY_FILE": f"{folder}/key"}
            pathlib.Path(folder, "policy.toml").write_text(
                'effective = 2020-01-01\n[class.day]\ntrigger = "creation"\nafter = "0d"\n')
            line = re.search(r"^ExecStart=/usr/bin/quietus (.*)$", text, re.MULTILINE).group(1).split()

            def quietus(*arguments, before=()):
                done = subprocess.run([*before, TOOL, *arguments], capture_output=True, check=False, timeout=60,
                                      env=os.environ | unlock)
                self.assertEqual(0, done.returncode, done.stderr)
                return done.stdout
            quietus("init", unlock["QUIETUS_VAULT"], "--root", f"file:{folder}/roots", "--accept-unknown-medium")
            quietus("policy", "apply", f"{folder}/policy.toml")
            quietus("tenant", "create", "acme")
            quietus("scope", "create", "acme/one", "--class", "day")
            self.assertEqual(1, json.loads(quietus(*line, before=without))["ended"])

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_understands_them(self):
        with tempfile.TemporaryDirectory() as folder:
            for unit in UNITS.iterdir():
                text = unit.read_text().replace("/usr/bin/quietus", TOOL)
                (pathlib.Path(folder) / unit.name).write_text(text)
            names = [str(pathlib.Path(folder) / f"quietus-sweep@{kind}") for kind in ("x.service", "x.timer")]
            for name in names:
                shutil.copy(re.sub("@x", "@", name), name)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], capture_output=True,
                                  text=True, check=False, timeout=120)
            ours = [line for line in done.stderr.splitlines() if "quietus" in line]
            self.assertEqual([], ours)


if __name__ == "__main__":
    unittest.main(verbosity=2)
