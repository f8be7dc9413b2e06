"""What debian/ repeats of the sources is as it is there: versions, and the functions of the C interface. What its
script for purging does with names and files that nobody expects."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


class Sources(unittest.TestCase):
    def test_version(self):
        version = re.search(r"(?m)^project\(quietus VERSION (\S+)", text("CMakeLists.txt"))[1]
        self.assertEqual(version, re.match(r"quietus \(([^)]+)-\d+\)", text("debian/changelog"))[1])

    def test_the_package_is_named_by_the_soname(self):
        soname = re.search(r"quietus_shared PROPERTIES .*SOVERSION (\d+)", text("CMakeLists.txt"))[1]
        self.assertIn(f"\nPackage: libquietus{soname}\n", text("debian/control"))
        self.assertTrue(text(f"debian/libquietus{soname}.symbols").startswith(f"libquietus.so.{soname} libquietus{soname} "))

    def test_what_is_built_with_is_named(self):
        needed = set(re.findall(r"[\w-]+-dev\b", re.search(r"readonly BUILD=\(([^)]*)\)", text("dev"))[1]))
        needed -= {"zlib1g-dev"}  # for the tests only
        self.assertEqual(set(), needed - set(re.findall(r"[\w-]+-dev\b", text("debian/control").split("\n\n")[0])))

    def test_every_function_has_its_line(self):
        """With the version of the package that a program with it needs; a lost one would break programs."""
        headers = "".join(text(f"vault/include/quietus/{name}.h") for name in ("quietus", "operations"))
        declared = re.findall(r"(?m)^QUIETUS_EXPORT [^;(]*?\b(quietus_\w+)\(", headers)
        listed = re.findall(r"(?m)^ (quietus_\w+)@QUIETUS_[\d.]+ \d", text("debian/libquietus0.symbols"))
        self.assertEqual(sorted(declared), listed)


class Purge(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="quietus-purge-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def purge(self):
        done = subprocess.run(["sh", ROOT / "debian/quietus.postrm", "purge"], capture_output=True, check=False,
                              timeout=60, env={"PATH": "/usr/bin:/bin", "DPKG_ROOT": str(self.root)})
        self.assertEqual((0, b""), (done.returncode, done.stderr))
        return done.stdout

    def test_names_reach_the_terminal_as_text(self):
        for name in ("var/lib/quietus/\\033[31mred", "var/lib/quietus/\x1b]0;title\x07", "srv/\x1b[2Jvault",
                     "etc/quietus"):
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/quietus/main.env").write_text("QUIETUS_VAULT='/srv/\x1b[2Jvault'\n", encoding="utf-8")
        said = self.purge()
        self.assertEqual(b"", re.sub(rb"[\n -~]", b"", said))
        for shown in (rb"/var/lib/quietus/\033[31mred", b"/var/lib/quietus/^[]0;title^G", b"/srv/^[[2Jvault"):
            self.assertIn(b"quietus:   " + shown + b"\n", said)

    def test_a_folder_in_place_of_a_stamp(self):
        stamps = self.root / "var/lib/systemd/timers"
        (stamps / "stamp-quietus-sweep@one.timer").mkdir(parents=True)
        (stamps / "stamp-quietus-sweep@two.timer").touch()
        self.assertIn(b"no vault was touched", self.purge())
        self.assertEqual(["stamp-quietus-sweep@one.timer"], [path.name for path in stamps.iterdir()])


if __name__ == "__main__":
    unittest.main(verbosity=2)
