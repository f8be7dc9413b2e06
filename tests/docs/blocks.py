"""The blocks of a document: what they are, and what has to be done with each.

Above a block, on a line of its own, may stand

    <!-- not run: WHY -->           it cannot be run by a test
    <!-- exit 0 or N: WHY -->       it may end with N as well
    <!-- run: SHELL -->             what a reader has done in between, and the page does not show
"""

import dataclasses
import re

SHELL = {"sh", "bash", "console"}
CHECKED = {"cpp", "c", "python", "cmake", "toml", "json", "ini", "yaml"}
PLAIN = {"", "text"}
FENCE = re.compile(r"^( *)```([\w+-]*)\s*$")
MARK = re.compile(r"^<!-- (not run|exit 0 or \d+|run): (.+) -->$")
COMMAND = re.compile(r"^\s*(?:\$ \S|(?:quietus|\./dev|ssh-keygen|openssl|pip|cmake|npm|curl|export|sudo) \S)")
NAMED = re.compile(r"^(?:#|//) docs:([a-z0-9-]+)$")


@dataclasses.dataclass
class Block:
    line: int
    language: str
    text: str
    fenced: bool
    marks: list  # (what, words)

    def marked(self, what):
        return [words for mark, words in self.marks if mark.startswith(what)]

    @property
    def is_command(self):
        return any(COMMAND.match(line) for line in self.text.splitlines())

    @property
    def name(self):
        """What another test calls it by: "# docs:NAME" in its first line."""
        found = NAMED.match(self.text.partition("\n")[0])
        return found[1] if found else None

    @property
    def other_exit(self):
        return {int(mark.split()[-1]) for mark, _ in self.marks if mark.startswith("exit")}


def blocks(text):
    """Every fenced block, and every indented one that is no part of a list."""
    found, marks, lines, at = [], [], text.splitlines(), 0
    while at < len(lines):
        line = lines[at]
        if fence := FENCE.match(line):
            end = at + 1
            while end < len(lines) and lines[end].strip() != "```":
                end += 1
            body = [one[len(fence[1]):] for one in lines[at + 1:end]]
            found.append(Block(at + 1, fence[2], "\n".join(body) + "\n", True, marks))
            marks, at = [], end + 1
            continue
        if line.startswith("    ") and (at == 0 or not lines[at - 1].strip()) and (line[4] != " " or COMMAND.match(line)):
            end = at
            while end < len(lines) and lines[end].startswith("    "):
                end += 1
            found.append(Block(at + 1, "", "\n".join(one[4:] for one in lines[at:end]) + "\n", False, marks))
            marks, at = [], end
            continue
        if mark := MARK.match(line):
            marks.append((mark[1], mark[2]))
        elif line.strip():
            marks = []
        at += 1
    return found


def commands(block):
    """Of a console block (command, what is shown), of another shell block itself, of which nothing is shown."""
    if block.language != "console":
        return [(block.text.rstrip("\n"), None)]
    found = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return found
