#!/usr/bin/env python3
"""Compiles every case beside this file twice: as it is (the positive control: it must compile) and with
QUIETUS_MISUSE defined (it must not, and for the reason that its first line expects).

usage: must_not_compile_test.py ROOT COMPILER
"""

import pathlib
import re
import subprocess
import sys


def compile_case(root, compiler, case, *flags):
    command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
               "-I", root / "kms", "-I", root / "kms/include", *flags, case]
    return subprocess.run(command, capture_output=True, text=True)


def complaint(root, compiler, case):
    """Why this case does not show what it should; empty when it does."""
    expected = re.match(r"// expect: (.*)\n", case.read_text())
    if not expected:
        return "the first line names no expected error"
    control = compile_case(root, compiler, case)
    if control.returncode != 0:
        return f"the proper use does not compile:\n{control.stderr}"
    misuse = compile_case(root, compiler, case, "-DQUIETUS_MISUSE")
    if misuse.returncode == 0:
        return "the misuse compiles"
    if not re.search(expected.group(1), misuse.stderr):
        return f"the misuse fails for another reason:\n{misuse.stderr}"
    return ""


def main(root, compiler):
    cases = sorted(pathlib.Path(__file__).parent.glob("*.cpp"))
    failed = 0
    for case in cases:
        said = complaint(pathlib.Path(root), compiler, case)
        failed += bool(said)
        print(f"{case.stem}: {said or 'refused by the compiler, as it should be'}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
