#!/usr/bin/env python3
"""Holds the house to its plan: docs/architecture.md as a test.

usage: architecture_test.py ROOT

Each check takes a Tree and returns complaints, one line each. selftest.py plants a violation of every
rule and expects it to be reported.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

MAX_PUBLIC_HEADERS = 12
MAX_PUBLIC_HEADER_LINES = 200
MAX_C_HEADER_LINES = 400  # one for all of the C interface
MAX_SOURCE_LINES = 400

# Rooms, and for each the rooms whose headers it may include. A room may always include itself.
KMS_PUBLIC, VAULT_PUBLIC = "kms/include", "vault/include"
BASE = {KMS_PUBLIC, "kms/base"}
EVIDENCE = BASE | {"kms/crypto", "kms/storage"}
KEYS = EVIDENCE | {"kms/evidence"}
GOVERNANCE = KEYS | {"kms/keys"}
ALLOWED = {
    KMS_PUBLIC: set(),
    VAULT_PUBLIC: {KMS_PUBLIC},
    "kms/base": BASE,
    "kms/crypto": BASE,
    "kms/storage": BASE,
    "kms/evidence": EVIDENCE,
    "kms/keys": KEYS,
    "kms/governance": GOVERNANCE,
    "vault/src": GOVERNANCE | {"kms/governance", VAULT_PUBLIC},
    "cli": {KMS_PUBLIC, VAULT_PUBLIC},
    "bindings/node/src": {VAULT_PUBLIC},
}
C_INTERFACE = "quietus/quietus.h"

# Headers of other projects, and the rooms that may know them.
THIRD_PARTY = {
    "openssl/": {"kms/crypto"},
    "sodium": {"kms/base", "kms/crypto"},
    "lmdb": {"kms/storage"},
    "nlohmann/": {"kms/evidence", "vault/src", "cli"},
    "toml++/": {"kms/governance"},
    "CLI/": {"cli"},
    "node_api.h": {"bindings/node/src"},
    "catch2/": set(),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
# Spelled so that this file does not hold them.
FORBIDDEN = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
LABEL = re.compile(r'"(quietus/v1/[^"]*)"')
LABELS = "kms/crypto/labels.hpp"
# Folders that are not ours to read: built, installed, or data.
SKIPPED = {"build", "node_modules", ".git", "vectors", "golden", "corpus", "__pycache__"}
TEXT_SUFFIXES = {".cpp", ".hpp", ".h", ".py", ".sh", ".cmake", ".txt", ".mjs", ".js", ".md"}
SOURCE_SUFFIXES = {".cpp", ".hpp", ".h"}


class Tree:
    """The source files under a root, by path relative to it."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.texts = {}
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in SKIPPED]
            for name in names:
                path = pathlib.Path(folder) / name
                if path.suffix in TEXT_SUFFIXES or path.parent.name == ".ci" or name == "dev":
                    text = path.read_text(encoding="utf-8", errors="replace")
                    self.texts[path.relative_to(self.root).as_posix()] = text

    def sources(self):
        """C and C++ files that are part of the product."""
        for path, text in sorted(self.texts.items()):
            if room_of(path) and pathlib.PurePath(path).suffix in SOURCE_SUFFIXES:
                yield path, text

    def public_headers(self):
        return [path for path, _ in self.sources() if room_of(path) in (KMS_PUBLIC, VAULT_PUBLIC)]


def room_of(path):
    for room in ALLOWED:
        if path.startswith(room + "/"):
            return room
    return None


def includes(text):
    """Yields line number, quote and name of each include."""
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def resolve(tree, path, name):
    """The file of this project that an include in `path` means, or None."""
    folders = [os.path.dirname(path), KMS_PUBLIC, VAULT_PUBLIC, "kms", "vault/src", "cli"]
    for folder in folders:
        candidate = os.path.normpath(f"{folder}/{name}")
        if candidate in tree.texts:
            return candidate
    return None


def check_direction(tree):
    """Includes run downward: cli, vault, kms; and inside kms by room."""
    for path, text in tree.sources():
        room = room_of(path)
        for number, quote, name in includes(text):
            target = resolve(tree, path, name)
            if target is None:
                if quote == '"' or name.startswith("quietus/"):
                    yield f"{path}:{number}: no such header: {name}"
            elif room_of(target) != room and room_of(target) not in ALLOWED[room]:
                yield f"{path}:{number}: {room} must not include {target}"


def check_third_party(tree):
    """Headers of other projects stay in their rooms."""
    for path, text in tree.sources():
        for number, quote, name in includes(text):
            for prefix, rooms in THIRD_PARTY.items():
                if quote == "<" and name.startswith(prefix) and room_of(path) not in rooms:
                    yield f"{path}:{number}: <{name}> is not for {room_of(path)}"


def check_bindings(tree):
    """Bindings stand on the C interface alone: it is what stays compatible."""
    for path, text in tree.sources():
        for number, quote, name in includes(text):
            if path.startswith("bindings/") and name.startswith("quietus/") and name != C_INTERFACE:
                yield f"{path}:{number}: a binding must not include {name}"


def check_public_headers(tree):
    """Public headers are few and short, and need nothing but each other and the standard library."""
    headers = tree.public_headers()
    to_read = [path for path in headers if path.endswith(".hpp")]
    if len(to_read) > MAX_PUBLIC_HEADERS:
        yield f"{len(to_read)} public headers, more than {MAX_PUBLIC_HEADERS}"
    for path in headers:
        for number, quote, name in includes(tree.texts[path]):
            public = quote == "<" and name.startswith("quietus/")
            standard = quote == "<" and re.fullmatch(r"[a-z_0-9]+|std(int|def)\.h", name)
            if not public and not standard:
                yield f"{path}:{number}: a public header must not include {name}"


def check_length(tree):
    for path, text in tree.sources():
        lines = len(text.splitlines())
        public = room_of(path) in (KMS_PUBLIC, VAULT_PUBLIC)
        limit = MAX_PUBLIC_HEADER_LINES if public else MAX_SOURCE_LINES
        if public and path.endswith(".h"):
            limit = MAX_C_HEADER_LINES
        if lines > limit:
            yield f"{path}: {lines} lines, more than {limit}"


def check_words(tree):
    """Nothing is left for later in a comment."""
    for path, text in sorted(tree.texts.items()):
        for number, line in enumerate(text.splitlines(), 1):
            word = FORBIDDEN.search(line)
            if word:
                yield f"{path}:{number}: {word.group(1)}"


def check_labels(tree):
    """Each domain-separation label stands once, and in the table only."""
    seen = set()
    for path, text in tree.sources():
        for label in LABEL.findall(re.sub(r"//.*", "", text)):
            if path != LABELS:
                yield f"{path}: label {label} belongs in {LABELS}"
            elif label in seen:
                yield f"{path}: label {label} stands twice"
            else:
                seen.add(label)


def compile_alone(tree, path, flags):
    """What the compiler says about a file by itself; empty when it is content."""
    command = [*flags, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
               "-I", KMS_PUBLIC, "-I", VAULT_PUBLIC, str(path)]
    run = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    return "" if run.returncode == 0 else run.stderr.strip() or "compiler failed"


def check_compile_alone(tree):
    """Every public header compiles by itself, with and without exceptions; .h files as C, too."""
    cxx = ["g++", "-std=c++20", "-x", "c++"]
    for path in tree.public_headers():
        variants = [cxx, [*cxx, "-fno-exceptions", "-fno-rtti"]]
        if path.endswith(".h"):
            variants.append(["gcc", "-std=c99", "-x", "c"])
        # Through a file that includes it: a header itself may not be "the main file".
        for flags in variants:
            with tempfile.NamedTemporaryFile("w", suffix=".cc") as file:
                file.write(f'#include <{path.split("/include/")[1]}>\ntypedef int not_empty;\n')
                file.flush()
                said = compile_alone(tree, file.name, flags)
            if said:
                yield f"{path} does not compile alone ({' '.join(flags)}):\n{said}"


def check_readme(tree):
    """The C++ examples in the README compile."""
    for number, code in enumerate(re.findall(r"```cpp\n(.*?)```", tree.texts.get("README.md", ""),
                                             re.DOTALL), 1):
        with tempfile.NamedTemporaryFile("w", suffix=".cc") as file:
            file.write(code)
            file.flush()
            said = compile_alone(tree, file.name, ["g++", "-std=c++20"])
        if said:
            yield f"README.md: example {number} does not compile:\n{said}"


CHECKS = [check_direction, check_third_party, check_bindings, check_public_headers, check_length, check_words,
          check_labels, check_compile_alone, check_readme]


def complaints(root, checks=CHECKS):
    tree = Tree(root)
    if not any(True for _ in tree.sources()):
        return [f"no sources under {root}"]
    return [f"{check.__name__[6:]}: {said}" for check in checks for said in check(tree)]


def main(root):
    found = complaints(root)
    for line in found:
        print(line)
    print(f"architecture: {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
