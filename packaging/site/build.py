#!/usr/bin/env python3
"""Builds the site: the reference first, from the tool and the headers, and then all pages. A broken link is an error.

usage: build.py TOOL FOLDER      the site is FOLDER, what it is made of beside it in FOLDER-reference
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "packaging"))

import reference  # noqa: E402  (only now it can be found)


def build(tool, site):
    """What went wrong, or nothing."""
    made = site.with_name(site.name + "-reference")
    made.mkdir(parents=True, exist_ok=True)
    (made / "commands.md").write_text(reference.commands(os.path.abspath(tool)), encoding="utf-8")
    if said := reference.interfaces(made):
        return said
    # The pages say nothing of when and where they were made.
    environment = os.environ | {"QUIETUS_REFERENCE": str(made), "SOURCE_DATE_EPOCH": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(["mkdocs", "build", "--strict", "--clean", "--site-dir", str(site)], cwd=ROOT,
                          env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, text=True)
    return done.stdout or f"mkdocs: exit {done.returncode}" if done.returncode else ""


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(build(sys.argv[1], pathlib.Path(sys.argv[2]).resolve()) or 0)
