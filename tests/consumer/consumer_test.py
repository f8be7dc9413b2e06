#!/usr/bin/env python3
"""Installs the build where a space is in the path, moves it, and builds programs with it as others would.

usage: consumer_test.py BUILD_FOLDER
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None
HERE = pathlib.Path(__file__).resolve().parent
# What the library may need at run time; all of it is in every Debian or comes with its package.
NEEDED = {"libcrypto.so.3", "libsodium.so.23", "liblmdb.so.0", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6",
          "libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
CACHE = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []


def run(*arguments, **how):
    done = subprocess.run([os.fspath(one) for one in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **how)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, arguments))}: {done.returncode}\n{done.stdout}")
    return done.stdout


class Installed(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="quietus consumer "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run("cmake", "--install", BUILD, "--prefix", cls.folder / "installed first")
        # What was installed is found wherever it is carried to.
        cls.prefix = (cls.folder / "installed first").rename(cls.folder / "and moved")
        cls.library = next(cls.prefix.rglob("libquietus.so"))
        cls.environment = {name: value for name, value in os.environ.items()
                           if name not in ("LD_LIBRARY_PATH", "CFLAGS", "CXXFLAGS", "LDFLAGS") and not name.startswith("QUIETUS_")}
        cls.environment["PKG_CONFIG_PATH"] = str(cls.library.parent / "pkgconfig")

    def lives(self, program, shared):
        """It runs a vault through its life, and needs no libraries but those that are known."""
        needs = set(re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-d", program)))
        self.assertEqual(shared, "libquietus.so.0" in needs)
        self.assertLessEqual(needs - {"libquietus.so.0"}, NEEDED)
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            said = run(program, place, env=self.environment | {"LD_LIBRARY_PATH": str(self.library.parent)} if shared
                       else self.environment)
        self.assertIn("done", said)

    def test_what_is_installed(self):
        names = {path.relative_to(self.prefix).as_posix() for path in self.prefix.rglob("*") if not path.is_dir()}
        libraries = self.library.parent.relative_to(self.prefix).as_posix()
        headers = {f"include/quietus/{path.name}" for room in ("kms", "vault")
                   for path in (HERE.parents[1] / room / "include" / "quietus").iterdir()}
        self.assertEqual(headers, {name for name in names if name.startswith("include/")})
        self.assertLessEqual({
            "bin/quietus", "share/doc/quietus/examples/policy.toml", "share/doc/quietus/retention.md",
            "lib/systemd/system/quietus-sweep@.service", "lib/systemd/system/quietus-sweep@.timer",
            f"{libraries}/libquietus.a", f"{libraries}/libquietus.so", f"{libraries}/libquietus.so.0",
            f"{libraries}/libquietus.so.0.1.0", f"{libraries}/pkgconfig/quietus.pc",
            f"{libraries}/cmake/quietus/quietus-config.cmake", f"{libraries}/cmake/quietus/quietus-targets.cmake",
            f"{libraries}/cmake/quietus/quietus-config-version.cmake"}, names)
        self.assertEqual("libquietus.so.0.1.0", os.readlink(self.library.parent / "libquietus.so.0"))
        if shutil.which("scdoc"):
            self.assertLessEqual({"share/man/man1/quietus.1", "share/man/man1/quietus-backup-create.1",
                                  "share/bash-completion/completions/quietus", "share/zsh/site-functions/_quietus",
                                  "share/fish/vendor_completions.d/quietus.fish"}, names)

    def test_nothing_knows_where_it_was_built(self):
        for path in self.prefix.rglob("*"):
            if path.suffix in (".cmake", ".pc", ".fish", ".1") or path.name.endswith("quietus"):
                if path.is_file() and path.parent.name != "bin":
                    self.assertNotIn(str(BUILD), path.read_text(encoding="utf-8"), path)
                    self.assertNotIn("installed first", path.read_text(encoding="utf-8"), path)

    def test_the_command_and_its_units(self):
        self.assertRegex(run(self.prefix / "bin" / "quietus", "--version"), r"^quietus \d")
        unit = (self.prefix / "lib/systemd/system/quietus-sweep@.service").read_text(encoding="utf-8")
        self.assertIn(f'ExecStart="{self.folder}/installed first/bin/quietus" --json sweep\n', unit)
        for program in (self.prefix / "bin" / "quietus", self.library):
            self.assertNotRegex(run("readelf", "-d", program), r"\((RPATH|RUNPATH)\)", program)

    def test_the_library_shows_its_interface_only(self):
        listed = run("nm", "-D", "--defined-only", "--with-symbol-versions", self.library)
        seen, strangers = 0, []
        for line in listed.splitlines():
            symbol, _, version = line.split()[-1].partition("@@")
            if line.split()[-2] == "A" and symbol == "QUIETUS_0.1":
                continue
            seen += symbol.startswith("quietus_")
            name = run("c++filt", symbol).strip()
            # A name of the namespace itself: no helper of it that templates of others were made with.
            ours = symbol.startswith("quietus_") or re.match(r"_ZNK?7quietus", symbol)
            if not ours or version != "QUIETUS_0.1":
                strangers.append(f"{name} {version}")
        self.assertEqual([], strangers)
        # As many as the header declares, none forgotten and none more.
        headers = [(self.prefix / "include/quietus" / name).read_text(encoding="utf-8")
                   for name in ("quietus.h", "operations.h")]
        self.assertEqual(len(re.findall(r"(?m)^QUIETUS_EXPORT ", "".join(headers))), seen)
        needs = set(re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-d", self.library)))
        self.assertLessEqual(needs, NEEDED)
        self.assertIn("[libquietus.so.0]", run("readelf", "-d", self.library))

    def test_find_package(self):
        for language, programs in (("c", ["c99"]), ("cxx", ["cxx17", "cxx20", "cxx20_bare"])):
            built = self.folder / f"built {language}"
            run("cmake", "-S", HERE / language, "-B", built, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}",
                *CACHE, env=self.environment)
            run("cmake", "--build", built, env=self.environment)
            for program in programs:
                for kind in ("shared", "static"):
                    with self.subTest(program=program, kind=kind):
                        self.lives(built / f"{program}_{kind}", kind == "shared")

    def test_the_shared_library_asks_for_nothing_else(self):
        text = "cmake_minimum_required(VERSION 3.25)\nproject(consumer C)\nfind_package(quietus %s REQUIRED %s)\n" \
               "if(NOT TARGET quietus::quietus OR TARGET quietus::quietus_static)\nmessage(FATAL_ERROR targets)\nendif()\n"
        source = self.folder / "plain"
        source.mkdir()

        def configures(version, components, *options):
            (source / "CMakeLists.txt").write_text(text % (version, components), encoding="utf-8")
            return run("cmake", "-S", source, "-B", source / "built", "--fresh", f"-DCMAKE_PREFIX_PATH={self.prefix}",
                       *options, env=self.environment)

        without = "-DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON"
        configures("0.1", "COMPONENTS shared")
        configures("0.1.0", "", without)
        for version, components, said in (("0.1", "COMPONENTS static", r"needs:.*OpenSSL"), ("0.2", "", "version"),
                                          ("0.1", "COMPONENTS sharde", "sharde")):
            with self.assertRaisesRegex(AssertionError, rf"(?s){said}"):
                configures(version, components, without)

    def test_pkg_config(self):
        self.assertEqual("0.1.0\n", run("pkg-config", "--modversion", "quietus", env=self.environment))

        def flags(*options):
            return shlex.split(run("pkg-config", *options, "quietus", env=self.environment))

        self.assertEqual(["-lquietus"], [flag for flag in flags("--libs") if flag.startswith("-l")])
        bare = ["-fno-exceptions", "-fno-rtti"]
        for name, compiler, source, options in (
                ("c99", "gcc", "c/consumer.c", ["-std=c99"]), ("cxx17", "g++", "cxx/cxx17.cpp", ["-std=c++17"]),
                ("cxx20", "g++", "cxx/cxx20.cpp", ["-std=c++20"]),
                ("cxx20 bare", "g++", "cxx/cxx20.cpp", ["-std=c++20", *bare])):
            compiled = self.folder / f"{name}.o"
            run(*(["ccache"] if CACHE else []), compiler, *options, "-Wall", "-Wextra", "-Wpedantic", "-Werror", *flags("--cflags"),
                "-c", HERE / source, "-o", compiled, env=self.environment)
            for kind in ("shared", "static"):
                with self.subTest(program=name, kind=kind):
                    program = self.folder / f"{name} {kind}"
                    # Both are installed: the static one is named by its file.
                    libraries = flags("--libs") if kind == "shared" else [
                        "-l:libquietus.a" if flag == "-lquietus" else flag for flag in flags("--static", "--libs")]
                    run(compiler, compiled, "-o", program, *libraries, env=self.environment)
                    self.lives(program, kind == "shared")


if __name__ == "__main__":
    if BUILD is None:
        sys.exit(__doc__)
    unittest.main(verbosity=2)
