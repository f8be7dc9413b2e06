#!/usr/bin/env python3
"""Every public symbol says something of itself, and every command stands in the reference.

usage: reference_test.py [TOOL]      77: doxygen is not installed

That this can fail is shown on copies of the headers, each with one symbol that says nothing.
"""

import pathlib
import re
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "packaging"))

import generate  # noqa: E402  (only now they can be found)
import reference  # noqa: E402

# What is planted: header, the line that it goes in front of, what is added, how Doxygen calls it.
PLANTED = [
    ("vault.hpp", "  Result<VaultStatus> status();", "  Result<void> unsaid();\n\n", "unsaid"),
    ("vault.hpp", "struct VaultCore;", "struct Unsaid {\n  int number = 0;\n};\n\n", "Unsaid"),
    ("scope.hpp", "struct RecordInfo {", "enum class Unsaid { kOne };\n\n", "Unsaid"),
    ("quietus.h", "/* \"0.1.0\". */", "QUIETUS_EXPORT int quietus_unsaid(void);\n\n", "quietus_unsaid"),
    ("quietus.h", "/* Shows one scope, or", "QUIETUS_EXPORT int quietus_unsaid(void);\n", "quietus_unsaid"),
    ("quietus.h", "/* Gets bytes. */", "typedef int (*quietus_unsaid)(void* context);\n", "quietus_unsaid"),
]


def fail(text):
    print(f"FAILED: {text}")
    sys.exit(1)


def check_planted(folder):
    """All of them in one copy, at which Doxygen must name each."""
    copy = folder / "include"
    for include in reference.INCLUDES:
        shutil.copytree(ROOT / include, copy, dirs_exist_ok=True)
    expected = set()
    for number, (header, before, added, name) in enumerate(PLANTED):
        path = copy / "quietus" / header
        text = path.read_text(encoding="utf-8")
        at = text.find(before)
        at = text.rfind("\n", 0, at) + 1 if at >= 0 else at
        # A comment that stands above is not to be taken for its own.
        while text[:at].rstrip("\n").rpartition("\n")[2].lstrip().startswith("//"):
            at = text.rfind("\n", 0, at - 1) + 1
        if at < 0:
            fail(f"{header} has no {before!r} to plant something at")
        expected.add(f"{name}{number}")
        text = text[:at] + added.replace(name, f"{name}{number}") + text[at:]
        path.write_text(text, encoding="utf-8")
    said = reference.interfaces(folder, [str(copy)])
    named = set(re.findall(r"\b(?:quietus_)?[Uu]nsaid\d", "\n".join(
        line for line in said.splitlines() if "not documented" in line)))
    if named != expected:
        fail(f"of {sorted(expected)}, which say nothing, {sorted(expected - named)} were let pass:\n{said}")
    if any("nsaid" not in line for line in said.splitlines() if "error:" in line):
        fail(f"more was complained about than was planted:\n{said}")


def check_commands(tool):
    text = reference.commands(tool)
    for command in generate.commands_of(tool):
        name = " ".join(("quietus", *command.path))
        if not re.search(rf"^###? {re.escape(name)}$", text, re.M):
            fail(f"{name} is not in the reference")
        for one in command.options + command.positionals:
            if not all(f"`{each}" in text for each in one.names):
                fail(f"{name}: {one.names} is not in the reference")
            if one.names[0].startswith("-") and not one.text:
                fail(f"{name}: {one.names[0]} says nothing of itself")
    return text.count("\n##")


def main(tool=None):
    if not shutil.which("doxygen"):
        print("doxygen is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="quietus-reference-") as place:
        folder = pathlib.Path(place)
        if said := reference.interfaces(folder):
            fail(f"symbols say nothing of themselves, or what Doxygen does not understand:\n{said}")
        pages = len(list((folder / "api").glob("*.html")))
        check_planted(folder)
    print(f"{pages} pages of the interfaces; {len(PLANTED)} symbols that say nothing were found")
    if tool:
        print(f"{check_commands(tool)} commands")


if __name__ == "__main__":
    main(*sys.argv[1:])
