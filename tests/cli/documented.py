"""Runs a document line by line, as a reader would, and compares what comes with what it says.

In what the document shows, … stands for anything, also for nothing and for several lines.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

DOCS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs"
LONG = 120  # seconds


def fail(text):
    print(f"FAILED: {text}")
    sys.exit(1)


def blocks(document):
    """(command, what is shown below it), in order."""
    found = []
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("    $ "):
            found.append((line[6:], []))
        elif line.startswith("    ") and found and found[-1][1] is not None:
            found[-1][1].append(line[4:])
        elif found and found[-1][1] is not None:
            found.append((None, None))  # a paragraph ends what is shown
    return [(command, shown) for command, shown in found if command]


def matches(shown, printed):
    pattern = r"\s*".join(
        ".*".join(re.escape(part) for part in re.split(r"\s*…\s*", line)) for line in shown)
    return re.fullmatch(pattern.replace(r"\ ", " ").replace("  ", r"\s+"), printed.strip(), re.S)


def tool_in(folder, tool):
    """A folder for PATH with the tool. A file system of a test machine need not be one that overwrites in place,
    and nothing is made outside of the folder."""
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "quietus"
    wrapper.write_text('#!/bin/sh\nfor word; do case $word in --root) '
                       f'exec "{tool}" "$@" --accept-unknown-medium;; esac; done\n'
                       f'case "$1 $2" in init*|"escrow init") exec "{tool}" "$@" --root "file:{folder}/default-roots" '
                       '--accept-unknown-medium;; esac\n'
                       f'exec "{tool}" "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    return folder / "bin"


def play(tool, before, pieces, **more):
    """Runs pieces of shell, one after the other in one shell, after the lines of `before`: (printed, exit code) each."""
    with tempfile.TemporaryDirectory(prefix="quietus-docs-") as place:
        folder = pathlib.Path(place)
        path = tool_in(folder, tool)
        script = ["set -u", *(f"{line} || exit 99" for line in before.strip().splitlines() if not line.startswith("#"))]
        for i, piece in enumerate(pieces):
            script += [f"echo '@@@ {i}'", piece, 'rc=$?; echo; echo "@@@ exit $rc"']
        environment = {k: v for k, v in os.environ.items() if not k.startswith("QUIETUS_")}
        environment |= {"LC_ALL": "C", "HOME": place, "PATH": f"{path}:{os.environ['PATH']}", **more}
        done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=folder, env=environment,
                              timeout=LONG * 3, check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        fail(f"exit {done.returncode}\n{output}")
    parts = re.split(r"^@@@ (?:exit )?\d+\n", output, flags=re.M)[1:]
    codes = re.findall(r"^@@@ exit (\d+)$", output, flags=re.M)
    return [(parts[2 * i], int(codes[i])) for i in range(len(pieces))]


def refused(shown):
    """Whether what is shown is a refusal."""
    return any(re.match(r"quietus: (?!hint|the vault opens|whose key)", line) for line in shown)


def run(name, before, at_least):
    """The document's commands with the tool that the command line names, after those of `before`."""
    document, tool = DOCS / name, os.path.abspath(sys.argv[1])
    commands = blocks(document)
    if len(commands) < at_least:
        fail(f"{name} has {len(commands)} commands only")
    for (command, shown), (printed, code) in zip(commands, play(tool, before, [command for command, _ in commands])):
        if refused(shown) != (code != 0):
            fail(f"$ {command}\nexit {code}\n{printed}")
        if not matches(shown, printed):
            fail(f"$ {command}\nprinted\n{printed}\nnot\n" + "\n".join(shown))
    print(f"{len(commands)} commands did what {document.name} says")
