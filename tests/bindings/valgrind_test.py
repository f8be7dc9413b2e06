"""A test of a binding under valgrind: nothing that valgrind complains about has the library in its stack.
Interpreters are not clean themselves, so what is theirs alone is passed over.

usage: valgrind_test.py COMMAND...
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Of the library and of the addon of Node.js; the functions too, should a frame name no object.
OURS = re.compile(r"libquietus|quietus\.node|quietus::|quietus_")


def complaints(folder):
    """What valgrind wrote, an error each, of all processes."""
    for log in pathlib.Path(folder).iterdir():
        text = re.sub(r"(?m)^==\d+== ?", "", log.read_text(encoding="utf-8", errors="replace"))
        yield from (block for block in text.split("\n\n") if re.search(r"(?m)^ +(at|by) 0x", block))


def main(command):
    with tempfile.TemporaryDirectory(prefix="quietus-valgrind-") as folder:
        done = subprocess.run(["valgrind", f"--log-file={folder}/%p", "--num-callers=40", *command], check=False,
                              env=os.environ | {"PYTHONMALLOC": "malloc"})
        found = list(complaints(folder))
    ours = [block for block in found if OURS.search(block)]
    print(f"valgrind: {len(ours)} errors with the library in their stack, {len(found) - len(ours)} of others")
    print("\n\n".join(ours))
    return 1 if ours or done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
