#!/usr/bin/env python3
"""Shows Doxygen the comments of a public header: what stands above a declaration, and behind it.

usage: filter.py HEADER

The headers are written to be read as they are. The same lines come out, with the same numbers, in which

  - the comment at the head of the file is that of the file,
  - a comment above a declaration, and one behind it or behind its opening brace, is that declaration's,
  - a comment covers what stands directly below, without an empty line between: overloads of the function,
    and further plain members of a struct,
  - other plain members of a struct are called by their names, which say it all,
  - what every class has (copies, moves, its destructor, what the library itself makes it from) is left out.

Whatever has no comment then is undocumented, and Doxygen fails: types, functions, macros, callbacks.
"""

import pathlib
import re
import sys

SPECIAL = re.compile(
    r"^\s*(?:~\w+\(\)|(?:explicit )?(\w+)\((?:const )?\1&&?\)|\w+& operator=\(|explicit \w+\(std::\w+_ptr<|"
    r"const \w+& (?:impl|source)\(\))")
ABOVE = re.compile(r"^(\s*)//(.*)$")
BEHIND = re.compile(r"^(\s*\S.*?)\s*(?://|/\*)\s*(.*?)(?:\s*\*/)?$")
NOT_SAID = re.compile(r"NOLINT|clang-format|----|\} +// namespace|namespace quietus$")
MEMBER = re.compile(r"^\s+(?=\S)(?!using|enum|struct|typedef|friend|return)[^()]*\b(\w+)(?:\[\w+\])?(?:\{[^()]*\}| =.*)?;?$")
MULTI_LINE_MEMBER = re.compile(r"^\s+[^()]*\b(\w+) =$")
NAME = re.compile(r"(operator\W{1,3}|\w+)\(")
UNITS = {"unix_ms": "in Unix milliseconds", "ms": "in Unix milliseconds", "bytes": "in bytes"}


def shown(text):
    """The comment's words, none of which means anything to Doxygen."""
    parts = re.split(r"(`[^`]*`)", text.strip())
    return "".join(part if part.startswith("`") else re.sub(r"([<>@#&%\\$])", r"\\\1", part) for part in parts)


def as_cpp(lines):
    """A C header with the comments of C++, line by line."""
    inside = False
    for line in lines:
        if inside:
            inside = "*/" not in line
            yield f"// {re.sub(r'^ *[*] ?|^ *(?=[*]/)', '', line).replace('*/', '').rstrip()}".rstrip()
        elif (begins := re.match(r"^(\s*)/\*(.*)$", line)) and not NOT_SAID.search(line):
            inside = "*/" not in line
            yield f"{begins[1]}//{begins[2].replace('*/', '').rstrip()}"
        else:
            yield line


def called(name):
    """What a plain member without a comment is: its name."""
    for ending, unit in UNITS.items():
        if name.endswith(f"_{ending}") and name != ending:
            return f"{name.removesuffix(f'_{ending}').replace('_', ' ').capitalize()}, {unit}."
    return f"{name.rstrip('_').replace('_', ' ').capitalize()}."


class Filter:
    def __init__(self, name, text):
        self.lines = text.splitlines()
        if name.endswith(".h"):
            self.lines = list(as_cpp(self.lines))
        self.out = []
        self.covering = None  # words, name of the function or "" for a member, and the indentation

    def behind(self, line):
        """The code and the comment behind it, if it is one for readers."""
        found = None if ABOVE.match(line) else BEHIND.match(line)
        if not found or NOT_SAID.search(found[2]) or line.lstrip().startswith("#include"):
            return line, None
        return found[1], found[2]

    def comment(self, at, first):
        """A block of comment lines; where it ends."""
        end = at
        while end < len(self.lines) and ABOVE.match(self.lines[end]) and not NOT_SAID.search(self.lines[end]):
            end += 1
        if end == at:
            self.out.append(self.lines[at])
            return at + 1
        below = self.lines[end] if end < len(self.lines) else ""
        if not first and not re.match(r"\s*(?!//|\}|public:|private:)\S", below):
            self.out += self.lines[at:end]  # it is about all that follows, and nobody's own
            return end
        words = [shown(ABOVE.match(line)[2]) for line in self.lines[at:end]]
        indent = ABOVE.match(self.lines[at])[1]
        if first:
            words[-1] += " @file\n///"
        self.out += [f"{indent}/// {text}" for text in words]
        if not first:
            self.begin(" ".join(words), below)
        return end

    def begin(self, words, code):
        name = NAME.search(self.behind(code)[0])
        self.covering = words, name[1] if name else "", len(code) - len(code.lstrip())

    def declaration(self, at, documented):
        """A line that is no comment."""
        line = self.lines[at]
        code, words = self.behind(line)
        indent = len(code) - len(code.lstrip())
        if re.match(r"#define \w+_\(|#define QUIETUS_CAT\(|#define QUIETUS_\w*_H$", code):
            while line.endswith("\\"):
                self.out.append("")
                at, line = at + 1, self.lines[at + 1]
            self.out.append("")
            return at + 1
        if SPECIAL.match(code):
            self.out.append("")
            return at + 1
        following = at + 1
        if words is not None:
            while (more := ABOVE.match(self.lines[following])) and len(more[1]) > indent + 6:
                words += " " + more[2].strip()  # a comment that goes on below itself
                following += 1
            if code.endswith(("{", " };")):  # a type
                self.out.append(f"/** {shown(words)} */ {code}")
            else:
                self.out.append(f"{code}  ///< {shown(words)}")
                if not documented and NAME.search(code):
                    self.begin(words, code)
            self.out += [""] * (following - at - 1)
            return following
        if not documented:
            code = self.covered(code, indent) or code
        self.out.append(code)
        return following

    def covered(self, code, indent):
        """The line with what covers it, or none."""
        name, member = NAME.search(code), MEMBER.match(code) or MULTI_LINE_MEMBER.match(code)
        if self.covering and self.covering[2] == indent and name and name[1] == self.covering[1]:
            return f"/** {self.covering[0]} */ {code}"
        shown_to = re.match(r"^typedef int \(\*(\w+)_visit\)\(void\* context, const \w+\* \w+\);$", code)
        if shown_to and self.out and re.match(r"\} \w+;", self.out[-1]):
            return f"{code}  ///< Is shown what stands above."
        if alias := re.match(r"^\} (\w+);$", code):
            return f"{code}  ///< The struct `{alias[1]}`."
        if self.covering and self.covering[1:] == ("", 0) and code.startswith("inline constexpr"):
            return f"/** {self.covering[0]} */ {code}"
        if member and code.endswith(";") and not code.lstrip().startswith(("public", "private")):
            same = self.covering and self.covering[1] == "" and self.covering[2] == indent
            return f"{code}  ///< {self.covering[0] if same else called(member[1])}"
        return None

    def run(self):
        at, first, documented = 0, True, False
        while at < len(self.lines):
            line = self.lines[at]
            if not line.strip() or re.match(r"\s*\};?$", line) and self.covering and self.covering[2] > line.index("}"):
                self.covering = None
            if ABOVE.match(line):
                at, documented, first = self.comment(at, first), not first, False
            else:
                at = self.declaration(at, documented)
                documented = False
        return "\n".join(self.out) + "\n"


def main(header):
    path = pathlib.Path(header)
    sys.stdout.write(Filter(path.name, path.read_text(encoding="utf-8")).run())


if __name__ == "__main__":
    main(sys.argv[1])
