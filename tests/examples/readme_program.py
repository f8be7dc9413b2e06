#!/usr/bin/env python3
"""Writes the README's C++ block into a file as it stands there, and into another with one option more.

usage: readme_program.py README FOLDER
"""

import pathlib
import re
import sys

MAX_LINES = 25  # that a newcomer's first program takes
ROOT = '.root_folder = "roots"'


def main(readme, folder):
    blocks = re.findall(r"```cpp\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    if len(blocks) != 1:
        sys.exit(f"the README has {len(blocks)} C++ blocks; one is expected, the first program")
    program = blocks[0]
    if (lines := len(program.splitlines())) > MAX_LINES:
        sys.exit(f"the README's first program has {lines} lines, more than {MAX_LINES}")
    if program.count(ROOT) != 1:
        sys.exit(f"the README's first program does not say {ROOT}")
    anywhere = program.replace(ROOT, f"{ROOT}, .accept_unknown_medium = true")
    for name, text in ("readme_program", program), ("readme_program_anywhere", anywhere):
        path = folder / f"{name}.cpp"
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # else nothing is built anew
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
