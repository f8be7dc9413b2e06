"""What debian/ repeats of the sources is as it is there: versions, and the functions of the C interface."""

import pathlib
import re
import sys
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
