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


def run(name, before, at_least):
    """The document's commands with the tool that the command line names, after those of `before`."""
    document, tool = DOCS / name, os.path.abspath(sys.argv[1])
    commands = blocks(document)
    if len(commands) < at_least:
        fail(f"{name} has {len(commands)} commands only")
    with tempfile.TemporaryDirectory(prefix="quietus-docs-") as place:
        folder = pathlib.Path(place)
        (folder / "bin").mkdir()
        # A file system of a test machine need not be one that overwrites in place.
        wrapper = folder / "bin" / "quietus"
        wrapper.write_text('#!/bin/sh\nfor word; do case $word in --root) '
                           f'exec "{tool}" "$@" --accept-unknown-medium;; esac; done\n'
                           f'exec "{tool}" "$@"\n', encoding="utf-8")
        wrapper.chmod(0o755)
        script = ["set -u", *(f"{line} || exit 99" for line in before.strip().splitlines())]
        for i, (command, _) in enumerate(commands):
            script += [f"echo '@@@ {i}'", command, 'rc=$?; echo; echo "@@@ exit $rc"']
        environment = {k: v for k, v in os.environ.items() if not k.startswith("QUIETUS_")}
        environment |= {"LC_ALL": "C", "HOME": place, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=folder, env=environment,
                              timeout=LONG * 3, check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        fail(f"exit {done.returncode}\n{output}")
    parts = re.split(r"^@@@ (?:exit )?\d+\n", output, flags=re.M)[1:]
    codes = re.findall(r"^@@@ exit (\d+)$", output, flags=re.M)
    for i, (command, shown) in enumerate(commands):
        printed = parts[2 * i]
        refused = any(re.match(r"quietus: (?!hint)", line) for line in shown)
        if refused != (codes[i] != "0"):
            fail(f"$ {command}\nexit {codes[i]}\n{printed}")
        if not matches(shown, printed):
            fail(f"$ {command}\nprinted\n{printed}\nnot\n" + "\n".join(shown))
    print(f"{len(commands)} commands did what {document.name} says")

