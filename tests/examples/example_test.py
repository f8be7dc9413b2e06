#!/usr/bin/env python3
"""Runs an example program of docs/examples in a fresh folder and compares what it prints and leaves.

usage: example_test.py PROGRAM [TOOL]      TOOL: the quietus command, which reads what was handed over

In what is expected, … stands for anything within a line. With QUIETUS_EXAMPLE_DATA_MIB set the
document store has so much memory and no more: its large object, of 40 MiB, goes in and out in pieces.
"""

import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
TOOL = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
NAME = pathlib.Path(PROGRAM).name


def fail(text):
    print(f"FAILED: {text}")
    sys.exit(1)


def limit_memory():
    if mib := int(os.environ.get("QUIETUS_EXAMPLE_DATA_MIB", "0")):
        resource.setrlimit(resource.RLIMIT_DATA, (mib * 2**20, mib * 2**20))


def run(folder, *, exit_code=0, expected=None, command=None, prepare=None):
    """Runs the example, or the command; its output as expected, and nothing on standard error."""
    command = command or [PROGRAM, folder, "--accept-unknown-medium"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder,
                          preexec_fn=prepare)
    print(done.stdout, done.stderr, sep="", end="")
    if done.returncode != exit_code:
        fail(f"exit {done.returncode}, not {exit_code}")
    if exit_code == 0 and done.stderr:
        fail("it complained")
    if expected is not None:
        pattern = re.escape(expected.strip()).replace("…", ".*")
        if not re.fullmatch(pattern, done.stdout.strip()):
            fail(f"expected\n{expected}")
    return done.stdout + done.stderr


def session_store(folder):
    run(folder, expected="""
four threads put 40 books into the cart
expired: 1; s-0 is gone
logged out of s-2: yes
account deleted, certificate …; s-1 is gone
""")
    # The vault is opened this time, and the name of an erased user is gone for good.
    if "erased: " not in run(folder, exit_code=1):
        fail("an erased name was given out again")


def document_store(folder):
    out = run(folder, prepare=limit_memory)
    for line in ["checked in version 2", "contract/000001: 41943040 bytes",
                 "contract/000002: 1048576 bytes", "version 1: written, version 3: not there",
                 "purged: 1 key destroyed, 1 document kept"]:
        if line + "\n" not in out:
            fail(f"it did not print: {line}")
    whole = b"".join(bytes([ord("a") + i % 26]) * 2**20 for i in range(40))
    if (folder / "contract-1").read_bytes() != whole:
        fail("version 1 is not what was checked in")
    left = {path.name for path in folder.iterdir()}
    if left != {"key", "roots", "vault", "draft", "contract-1"}:
        fail(f"it left {left}")


def multi_tenant_import(folder):
    acme, globex = folder / "incoming/acme", folder / "incoming/globex"
    (acme / "documents/letters").mkdir(parents=True)
    globex.mkdir()
    good = '{"name": "c-1", "value": "e30="}\n{"name": "c-2", "value": "e30="}\n'
    (acme / "customers.ndjson").write_text(good)
    (acme / "documents/letters/first.txt").write_text("hello")
    (acme / "invoices.csv").write_text("c-1,2026-1,12.50\nc-2,2026-2,3.00\nc-1,2026-3,4.50\n")
    (globex / "customers.ndjson").write_text(good.replace('c-2", "value": "e30="', 'c-2", "value": "!"'))
    out = run(folder, exit_code=1)
    for text in ["acme: 6 records, 22 bytes\n",
                 "globex: 1 records, 2 bytes\n  stopped: invalid argument: line 2"]:
        if text not in out:
            fail(f"it did not print: {text}")
    (globex / "customers.ndjson").write_text(good)
    out = run(folder)
    if sorted(out.splitlines()) != ["acme: 6 records, 22 bytes", "globex: 2 records, 4 bytes"]:
        fail("the second run is not complete")


def background_sweeper(folder):
    run(folder, expected="""
before the end of the agreement: 0 scopes ended
a person is asked about 14 scopes
after that: 14 scopes ended
certificate …
acme: erased
""")


def erasure_request(folder):
    run(folder, expected="""
DELETE /users/anna: 200 certificate …
verified: status …, reason deletion-request, 2 records
it is about shop/customer-data/anna
it is about shop/marketing/anna
DELETE /users/anna: 410 erased before
DELETE /users/bert: 409 a legal hold keeps the data; we will tell you why
DELETE /users/carl: 404 no such user
DELETE /users/a/b: 400 that is no user's name
""")
    if TOOL:
        handed = folder / "for-anna"
        out = run(handed, command=[TOOL, "cert", "verify", "certificate.json", "--key", "issuer.pem",
                                   "--reveal", "reveal.json"])
        for path in ("shop/customer-data/anna", "shop/marketing/anna"):
            if not re.search(f"^subject +{path} ", out, re.M):
                fail(f"the command does not find {path}")


def main():
    test = globals().get(NAME)
    if NAME.startswith("_") or test is None or test.__module__ != "__main__":
        fail(f"no test of an example {NAME}: what is it to print?")
    with tempfile.TemporaryDirectory(prefix="quietus-example-") as place:
        test(pathlib.Path(place))
    with tempfile.TemporaryDirectory(prefix="quietus-example-") as place:
        said = run(pathlib.Path(place), exit_code=1, command=[PROGRAM])
        if not re.fullmatch(f"invalid argument: usage: {NAME} FOLDER .*\n", said):
            fail("without a folder it does not say how it is used")


if __name__ == "__main__":
    main()
