#!/usr/bin/env python3
"""Runs the README's first program in an empty folder: stored, read, erased, certified.

usage: readme_test.py PROGRAM ANYWHERE

Where the file system is not known to overwrite in place, PROGRAM must be refused and say what to do;
ANYWHERE, which accepts it, then does the rest.
"""

import json
import os
import subprocess
import sys
import tempfile


def fail(text):
    print(f"FAILED: {text}")
    sys.exit(1)


def run(program):
    with tempfile.TemporaryDirectory(prefix="quietus-readme-") as place:
        done = subprocess.run([os.path.abspath(program)], capture_output=True, text=True, timeout=120,
                              cwd=place)
        print(done.stdout, done.stderr, sep="", end="")
        if set(os.listdir(place)) - {"key", "vault", "roots"}:
            fail(f"it left {os.listdir(place)}")
    return done


def main(program, anywhere):
    done = run(program)
    if done.returncode == 1 and "or accept that certificates" in done.stderr:
        done = run(anywhere)
    if done.returncode != 0 or done.stderr:
        fail(f"exit {done.returncode}")
    first, certificate = done.stdout.split("\n", 1)
    if first != "2 bytes":
        fail("it did not read back what it stored")
    if not json.loads(certificate).get("signature"):
        fail("what it printed is no signed certificate")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
