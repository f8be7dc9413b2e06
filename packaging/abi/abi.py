#!/usr/bin/env python3
"""Holds the C interface to what it was: quietus-0.1.abi, beside this, is what libquietus.so had when that
was last accepted.

usage: abi.py compare|accept LIBRARY

compare: fails when a function is gone or has changed, or a struct that one takes. What is added is
fine. accept: keeps what the library has now as the new baseline. For reading the library needs debug
information; compare exits with 77 where it has none, or where the abigail-tools are not installed.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "quietus-0.1.abi"
HEADERS = HERE.parents[1] / "vault" / "include" / "quietus"
# Names of C++ are for programs that are compiled with the same version.
SUPPRESSIONS = """[suppress_function]
  symbol_name_not_regexp = ^quietus_
  drop = yes
[suppress_variable]
  symbol_name_not_regexp = ^quietus_
  drop = yes
"""


def skip(why):
    print(f"abi: {why}")
    sys.exit(77)


def describe(library, folder):
    """The C interface of the library, as abidw writes it."""
    rules, described = folder / "rules", folder / "quietus.abi"
    rules.write_text(SUPPRESSIONS, encoding="utf-8")
    # Only the types of the C headers are of the interface.
    headers = folder / "headers"
    headers.mkdir()
    for name in ("quietus.h", "operations.h"):
        shutil.copy(HEADERS / name, headers)
    subprocess.run(["abidw", "--suppressions", rules, "--headers-dir", headers, "--exported-interfaces-only",
                    "--drop-private-types", "--drop-undefined-syms", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs",
                    "--no-elf-needed", "--no-architecture", "--type-id-style", "hash",
                    "--out-file", described, library], check=True)
    return described


def main(action, library):
    if shutil.which("abidw") is None or shutil.which("abidiff") is None:
        skip("the abigail-tools are not installed")
    with tempfile.TemporaryDirectory(prefix="quietus-abi-") as folder:
        described = describe(library, pathlib.Path(folder))
        text = described.read_text(encoding="utf-8")
        if "quietus_put_options" not in text:
            skip("the library has no debug information with types")
        if action == "accept":
            BASELINE.write_text(text, encoding="utf-8")
            return 0
        done = subprocess.run(["abidiff", "--no-added-syms", BASELINE, described], check=False,
                              stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="")
        if done.returncode != 0:
            print("abi: programs that were built before would break, or may. Take it back; or, should it be right"
                  f" (a member added at the end of a struct that tells its size), keep it: {sys.argv[0]} accept {library}")
        return 1 if done.returncode != 0 else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("compare", "accept"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
