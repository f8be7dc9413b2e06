#!/usr/bin/env python3
"""Runs the commands of docs/certificate.md, as a reader would, on the certificate of a real erasure.

usage: certificate_docs_test.py TOOL

Each must accept the certificate, and refuse it once a letter of any of its parts is changed, or when it
is checked with another key. Tools that are not on this machine are skipped, and named.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent / "docs" / "certificate.md"
SNIPPET = re.compile(r"^```(?:sh|js|python)\n((?:#|//) docs:([a-z0-9-]+)\n.*?)^```$", re.S | re.M)
WANTED = {"verify-quietus", "verify-openssl", "kid-openssl", "verify-jose", "verify-pyjwt"}
OTHERS = ("timestamp-", "reveal-")  # those that timestamp_test.py and reveal_test.py run
LONG = 120  # seconds


def fail(text):
    print(f"FAILED: {text}")
    sys.exit(1)


def run(command, folder, environment):
    return subprocess.run(command, cwd=folder, env=environment, timeout=LONG, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def must(command, folder, environment):
    done = run(command, folder, environment)
    if done.returncode != 0:
        fail(f"{command}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def snippets():
    found = {name: body for body, name in SNIPPET.findall(DOCUMENT.read_text(encoding="utf-8"))
             if not name.startswith(OTHERS)}
    if set(found) != WANTED:
        fail(f"{DOCUMENT.name} has the snippets {sorted(found)}, not {sorted(WANTED)}")
    return found


class Bench:
    """A folder with a vault, the certificate of an erasure, and the means to check it."""

    def __init__(self, tool, folder):
        self.folder = folder
        tools = folder / "bin"
        tools.mkdir()
        (tools / "quietus").symlink_to(tool)
        self.environment = {**os.environ, "LC_ALL": "C", "HOME": str(folder),
                            "PATH": f"{tools}:{os.environ['PATH']}",
                            "QUIETUS_VAULT": str(folder / "vault"),
                            "QUIETUS_KEY_FILE": str(folder / "key")}
        self.environment.pop("QUIETUS_PASSPHRASE_FILE", None)

    def quietus(self, *arguments):
        return must(["quietus", *arguments], self.folder, self.environment)

    def make_certificate(self):
        self.quietus("init", "vault", "--root", f"file:{self.folder}/roots",
                     "--accept-unknown-medium")
        self.quietus("tenant", "create", "acme")
        (self.folder / "record").write_bytes(b"something to erase")
        self.quietus("put", "acme", "a record", "record")
        self.quietus("erase", "acme", "--reason", "test", "--yes", "--now", "--certificate",
                     "certificate.json")
        (self.folder / "issuer.pem").write_bytes(self.quietus("cert", "key"))
        return (self.folder / "certificate.json").read_bytes()

    def fresh(self, name, certificate, key):
        """A folder that holds what a reader has, and nothing else."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "certificate.json").write_bytes(certificate)
        (folder / "issuer.pem").write_bytes(key)
        return folder


def shell(body):
    return lambda bench, folder: run(["sh", "-c", body], folder, bench.environment)


def module(body, node_modules):
    def verify(bench, folder):
        (folder / "verify.mjs").write_text(body, encoding="utf-8")
        (folder / "node_modules").symlink_to(node_modules)
        command = ["node", "verify.mjs", "certificate.json", "issuer.pem"]
        return run(command, folder, bench.environment)
    return verify


def python(body):
    return lambda bench, folder: run(["/usr/bin/python3", "-c", body], folder, bench.environment)


def find_jose(bench):
    """The folder with npm's jose, or why there is none."""
    if not shutil.which("node"):
        return None, "no node"
    installed = HERE / "node_modules"
    if (installed / "jose").is_dir():
        return installed, None
    if not shutil.which("npm"):
        return None, "no npm"
    place = bench.folder / "npm"
    place.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, place)
    # With the caller's own home: npm's settings and cache are there.
    environment = {**os.environ, "npm_config_fetch_retries": "0",
                   "npm_config_fetch_timeout": "20000"}
    try:
        done = run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], place, environment)
    except subprocess.TimeoutExpired:
        return None, "npm did not answer"
    if done.returncode != 0:
        return None, "npm could not install jose"
    return place / "node_modules", None


def verifiers(bench, texts):
    """Those that can run here, by name; says which cannot."""
    found = {"quietus": shell(texts["verify-quietus"])}
    if shutil.which("openssl"):
        found["openssl"] = shell(texts["verify-openssl"])
    else:
        print("skipped: openssl: not installed")
    node_modules, missing = find_jose(bench)
    if node_modules:
        found["jose"] = module(texts["verify-jose"], node_modules)
    else:
        print(f"skipped: jose: {missing}")
    probe = run(["/usr/bin/python3", "-c", "import jwt, cryptography"], bench.folder,
                bench.environment) if os.access("/usr/bin/python3", os.X_OK) else None
    if probe is not None and probe.returncode == 0:
        found["pyjwt"] = python(texts["verify-pyjwt"])
    else:
        print("skipped: pyjwt: python3-jwt is not installed")
    return found


def changed(certificate, member):
    """The certificate with one letter in the middle of that member changed."""
    value = json.loads(certificate)[member].encode()
    at = certificate.index(value) + len(value) // 2
    letter = b"A" if certificate[at:at + 1] != b"A" else b"B"
    return certificate[:at] + letter + certificate[at + 1:]


def other_key(bench):
    """Another issuer's public key: that of a second vault."""
    elsewhere = {**bench.environment, "QUIETUS_VAULT": str(bench.folder / "other")}
    must(["quietus", "init", "other", "--root", f"file:{bench.folder}/roots",
          "--accept-unknown-medium"], bench.folder, elsewhere)
    return must(["quietus", "cert", "key"], bench.folder, elsewhere)


def check_verifier(bench, name, verify, certificate, key, wrong_key):
    def verdict(text, pem):
        return verify(bench, bench.fresh(name, text, pem))

    accepted = verdict(certificate, key)
    if accepted.returncode != 0:
        fail(f"{name} refuses the certificate:\n{accepted.stderr.decode(errors='replace')}")
    for member in ("payload", "protected", "signature"):
        if verdict(changed(certificate, member), key).returncode == 0:
            fail(f"{name} accepts a changed {member}")
    if verdict(certificate, wrong_key).returncode == 0:
        fail(f"{name} accepts another issuer's key")
    print(f"ok: {name}")


def check_kid(bench, texts, certificate, key):
    if not shutil.which("openssl"):
        return
    folder = bench.fresh("kid", certificate, key)
    printed = must(["sh", "-c", texts["kid-openssl"]], folder, bench.environment).decode().strip()
    verdict = json.loads(must(["quietus", "--json", "cert", "verify", "certificate.json", "--key",
                               "issuer.pem"], folder, bench.environment))
    if printed != verdict["issuer_kid"]:
        fail(f"openssl's fingerprint {printed} is not the kid {verdict['issuer_kid']}")
    print("ok: fingerprint")


def check_every_place(bench, texts, certificate, key):
    """quietus itself refuses a change anywhere, also where other tools read over it."""
    verify = shell(texts["verify-quietus"])
    places = {*range(0, len(certificate), 101), *range(len(certificate) - 4, len(certificate))}
    for at in sorted(places):
        text = bytearray(certificate)
        text[at] ^= 1
        done = verify(bench, bench.fresh("place", bytes(text), key))
        if done.returncode != 7:
            fail(f"quietus answers {done.returncode} to a change of byte {at}")
    print(f"ok: {len(places)} changed bytes refused")


def main():
    tool = pathlib.Path(sys.argv[1]).resolve()
    texts = snippets()
    with tempfile.TemporaryDirectory(prefix="quietus-certificate-docs.") as name:
        bench = Bench(tool, pathlib.Path(name))
        certificate = bench.make_certificate()
        key = (bench.folder / "issuer.pem").read_bytes()
        wrong_key = other_key(bench)
        for verifier, verify in verifiers(bench, texts).items():
            check_verifier(bench, verifier, verify, certificate, key, wrong_key)
        check_kid(bench, texts, certificate, key)
        check_every_place(bench, texts, certificate, key)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
