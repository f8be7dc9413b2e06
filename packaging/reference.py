#!/usr/bin/env python3
"""The reference of the site: commands from what the tool's --help says, the interfaces from the headers.

usage: reference.py TOOL FOLDER        FOLDER/commands.md and FOLDER/api/index.html
       reference.py --headers FOLDER [INCLUDE...]
                                       only the interfaces, of these include folders

Doxygen ends with an error when a public symbol says nothing of itself (doxygen/filter.py tells when it does).
"""

import os
import pathlib
import shutil
import subprocess
import sys

import generate

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDES = ("kms/include", "vault/include")
HEAD = """# Commands

Every command of `quietus`, as its `--help` tells it. What they do, and what they print with `--json`, is told in
[the guide to the command](cli.md), and so is what they exit with.

"""


def cell(text):
    """Text that means nothing to Markdown, in a table."""
    for mark in "\\`*_<>|[]":
        text = text.replace(mark, {"<": "&lt;", ">": "&gt;"}.get(mark, "\\" + mark))
    return text


def row(one):
    value = f" {one.value}" if one.value and one.names[0].startswith("-") else ""
    names = ", ".join(f"`{name}{value}`" for name in one.names)
    notes = f" *({cell(', '.join(one.notes))})*" if one.notes else ""
    return f"| {names} | {cell(generate.sentence(one.text))}{notes} |"


def table(head, entries):
    return [f"| {head} | means |", "|---|---|", *map(row, entries), ""] if entries else []


def section(command):
    name = " ".join(("quietus", *command.path))
    lines = [f"{'#' * min(len(command.path) + 1, 3) if command.path else '##'} {name}", "", generate.sentence(cell(command.text)), "",
             "```text", command.usage, "```", ""]
    if command.below:
        lines += ["| command | does |", "|---|---|"]
        lines += [f"| [`{name} {below}`](#{'-'.join((command.page, below))}) | {cell(generate.sentence(text))} |"
                  for below, text in command.below] + [""]
    own = [one for one in command.options if not command.path or "--help" not in one.names]
    return lines + table("argument", command.positionals) + table("option", own)


def commands(tool):
    found = generate.commands_of(tool)
    return HEAD + "\n".join(line for command in found for line in section(command)).rstrip() + "\n"


def interfaces(folder, includes=None):
    """Doxygen's pages into folder/api; what it complains about, or nothing."""
    places = includes or [str(ROOT / include) for include in INCLUDES]
    shutil.rmtree(folder / "api", ignore_errors=True)
    environment = os.environ | {"REFERENCE_FOLDER": str(folder), "REFERENCE_HEADERS": " ".join(places)}
    done = subprocess.run(["doxygen", "packaging/doxygen/Doxyfile"], cwd=ROOT, env=environment, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode(errors="replace").replace(f"{ROOT}/", "")
    return said or f"doxygen: exit {done.returncode}" if done.returncode else ""


def main(arguments):
    if len(arguments) >= 2 and arguments[0] == "--headers":
        folder, includes = pathlib.Path(arguments[1]).resolve(), [os.path.abspath(one) for one in arguments[2:]]
    elif len(arguments) == 2:
        folder, includes = pathlib.Path(arguments[1]).resolve(), []
    else:
        sys.exit(__doc__)
    folder.mkdir(parents=True, exist_ok=True)
    if arguments[0] != "--headers":
        (folder / "commands.md").write_text(commands(os.path.abspath(arguments[0])), encoding="utf-8")
    if said := interfaces(folder, includes):
        sys.exit(said)


if __name__ == "__main__":
    main(sys.argv[1:])
