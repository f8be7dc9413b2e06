#!/usr/bin/env python3
"""Runs clang-tidy over every source of a build folder's compile commands.

usage: tidy.py BUILD_FOLDER [analyze]

A unity build is what makes this quick: most of the time goes into headers of others, which eight
sources then share. The static analyzer follows paths only in what is compiled by itself; "analyze"
runs it alone, over the sources of the product one by one.

A source that was clean is not looked at again until something that could change the verdict does: its
text, a header of this project that it includes (however far away), its compile command, a .clang-tidy
or the version of clang-tidy. Verdicts are kept by that digest in the user's cache folder, as a compiler
cache keeps objects, so that a fresh checkout profits too.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

TIDY = "clang-tidy-14"
INCLUDE = re.compile(rb'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)
ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = [ROOT / name for name in ("kms", "kms/include", "vault/include", "vault/src", "tests", "cli")]


def headers_of(source, seen):
    """Adds every header of this project that `source` includes, directly or not, to `seen`."""
    for name in INCLUDE.findall(source.read_bytes()):
        for folder in [source.parent, *FOLDERS]:
            header = (folder / name.decode()).resolve()
            if header.is_file():
                if header not in seen:
                    seen.add(header)
                    headers_of(header, seen)
                break


def options_for(source, analyze):
    if analyze:
        return ["--checks=-*,clang-analyzer-*"]
    checks = "--checks=-clang-analyzer-*,-bugprone-suspicious-include"
    of_tests = "CMakeFiles" in source.parts and "tests" in source.parts
    return [checks, f"--config-file={ROOT / 'tests/.clang-tidy'}"] if of_tests else [checks]


def digest(entry, version, options):
    source = pathlib.Path(entry["file"])
    headers = set()
    headers_of(source, headers)
    total = hashlib.sha256(version)
    total.update("\0".join([entry["command"], *options]).replace(str(ROOT), ".").encode())
    configs = [ROOT / ".clang-tidy", ROOT / "tests/.clang-tidy"]
    for path in [*configs, source, *sorted(headers)]:
        content = path.read_bytes().replace(str(ROOT).encode(), b".")
        total.update(f"\0{path.relative_to(ROOT)}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def check(build, source, options, stamp):
    """The complaints about one source, empty when it is clean."""
    command = [TIDY, "-p", build, "--quiet", *options, source]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode == 0:
        stamp.touch()
        return ""
    return run.stdout.strip() or run.stderr  # stderr counts the warnings in system headers


def main(build, analyze=False):
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    stamps = pathlib.Path(cache) / "quietus-tidy"
    stamps.mkdir(parents=True, exist_ok=True)

    entries = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    pending = []
    for entry in entries:
        source = pathlib.Path(entry["file"])
        if analyze and ROOT / "tests" in source.parents:
            continue
        options = options_for(source, analyze)
        stamp = stamps / digest(entry, version, options)
        if not stamp.exists():
            pending.append((entry["file"], options, stamp))
    print(f"clang-tidy: {len(entries)} sources, {len(pending)} to check", flush=True)

    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        runs = [workers.submit(check, build, *one) for one in pending]
        for run in concurrent.futures.as_completed(runs):
            if run.result():
                bad += 1
                print(run.result(), flush=True)
    if bad:
        print(f"clang-tidy: {bad} sources with complaints")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:] == ["analyze"]))
