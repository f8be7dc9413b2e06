"""The units of systemd that are shipped: they parse, and what they run exists."""

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
