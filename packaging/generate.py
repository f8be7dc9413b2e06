#!/usr/bin/env python3
"""Man pages (scdoc) and shell completion for every command, from what the tool's --help says.

usage: generate.py TOOL FOLDER [--scdoc PROGRAM]

Writes FOLDER/man1/quietus.1 and quietus-<command>.1, with the .scd beside them in FOLDER/scd, and
FOLDER/completion/quietus.{bash,zsh,fish}. Without a program scdoc no pages are made from the .scd.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys

COLUMN = 30  # where descriptions begin in --help
# Values that are names of files or folders. Others, such as scopes, are never looked up: that would
# take the key.
FILE_OPTIONS = re.compile(r"-file$|^--(vault|root|trust|output|certificate|evidence|html|identity|takeover|base|inbox"
                          r"|escrow|snapshot|log|policy|proof|request|response|ca|tsa-ca|timestamp|scratch|report"
                          r"|signatures?|key|admin-key|text|against)$|^-o$")
FILE_POSITIONALS = {"FILE", "DIR", "FOLDER", "CERT", "DEST", "PATH", "BEFORE", "AFTER"}


@dataclasses.dataclass
class Entry:
    """An option or a positional argument."""
    names: list
    value: str  # what it takes, "" for a switch
    notes: list  # "required", "needs --x"
    text: str

    @property
    def takes_file(self):
        return bool(self.value) and any(FILE_OPTIONS.search(name) for name in self.names)


@dataclasses.dataclass
class Command:
    path: tuple
    text: str = ""
    usage: str = ""
    footer: list = dataclasses.field(default_factory=list)
    positionals: list = dataclasses.field(default_factory=list)
    options: list = dataclasses.field(default_factory=list)
    below: list = dataclasses.field(default_factory=list)  # (name, text)

    @property
    def page(self):
        return "-".join(("quietus", *self.path))

    @property
    def wants_file(self):
        return any(one.names[0] in FILE_POSITIONALS for one in self.positionals)


def pairs(lines):
    """Yields what stands in the left column, and its description."""
    entries = []
    for number, line in enumerate(lines):
        if line.startswith(" " * COLUMN):
            entries[-1][1].append(line.strip())
            continue
        # One that reaches into the right column has its description on the next line.
        continued = number + 1 < len(lines) and lines[number + 1].startswith(" " * COLUMN)
        short = len(line) < COLUMN or line[COLUMN - 1] == " " and (line[COLUMN - 2] == " " or not continued)
        entries.append((line[:COLUMN].strip(), [line[COLUMN:].strip()]) if short else (line.strip(), []))
    return [(head, " ".join(filter(None, text))) for head, text in entries]


def entry(head, text):
    names, _, rest = head.partition(" ")
    notes, value, relation = [], [], None
    for word in rest.split():
        if word == "REQUIRED":
            notes.append("required")
        elif word in ("Needs:", "Excludes:"):
            relation = "needs" if word == "Needs:" else "not with"
        elif relation:
            notes.append(f"{relation} {word}")
        else:
            value.append(word)
    taken = " ".join(value)
    repeated = taken.endswith("...")
    if repeated:
        taken = taken.removesuffix("...").strip()
        notes.append("several" if names.isupper() else "may be given several times")
    kind, equals, default = taken.partition("=")
    if equals:
        notes.append(f"default {default}")
    limits = re.search(r" in \[(\d+) - (\d+)\]", kind)
    if limits:
        notes.append(f"{limits[1]} to {limits[2]}")
    shown = {"TEXT": "TEXT", "UINT": "NUMBER"}.get(re.match(r"[A-Z]*", kind)[0], kind)
    return Entry(names.split(","), shown if taken else "", notes, text)


def parse(path, help_text):
    command, section = Command(path), None
    blocks = {"Positionals": [], "Options": [], "Subcommands": []}
    for line in help_text.splitlines():
        if line[:-1] in blocks and line.endswith(":"):
            section = line[:-1]
        elif section and line.startswith("  "):
            blocks[section].append(line)
        elif line.startswith("Usage: "):
            command.usage, section = line.removeprefix("Usage: "), ""
        elif section is None:
            command.text = f"{command.text} {line}".strip()
        elif line:
            command.footer.append(line)
    command.positionals = [entry(*pair) for pair in pairs(blocks["Positionals"])]
    command.options = [entry(*pair) for pair in pairs(blocks["Options"])]
    command.below = pairs(blocks["Subcommands"])
    if not command.usage or not command.options:
        raise ValueError(f"the help of `quietus {' '.join(path)}` has another form than expected")
    return command


def run(tool, *arguments):
    # Nothing of who builds this may be in it.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QUIETUS_")} | {"LC_ALL": "C"}
    return subprocess.run([tool, *arguments], env=clean, capture_output=True, check=True,
                          stdin=subprocess.DEVNULL).stdout.decode()


def commands_of(tool):
    """Every command with its groups, the program itself first, in the order of --help."""
    found, waiting = [], [()]
    while waiting:
        path = waiting.pop(0)
        found.append(parse(path, run(tool, *path, "--help")))
        waiting[:0] = [(*path, name) for name, _ in found[-1].below]
    return found


# ---- man pages ----------------------------------------------------------------------------------

def plain(text):
    """Text in which nothing means anything to scdoc."""
    return re.sub(r"([\\*_#\[\]|.!<>+~`-])", r"\\\1", text)


def sentence(text):
    return text if not text or text[-1] in ".…" else text + "."


def described(one):
    """An option or argument, and its indented description."""
    names = ", ".join(f"*{plain(name)}*" if name.startswith("-") else f"_{plain(name)}_" for name in one.names)
    value = f" _{one.value}_" if one.value and one.names[0].startswith("-") else ""
    notes = f"({', '.join(one.notes)})" if one.notes else ""
    said = plain(f"{sentence(one.text)} {notes}".strip())
    return f"{names}{value}\n" + (f"\t{said}\n" if said else "")


def man_page(command, program, version):
    name = " ".join(("quietus", *command.path))
    lines = [f'{command.page}(1) "Quietus {version}" "Quietus manual"', "", "# NAME", "",
             f"{command.page} - {plain(command.text.rstrip('.'))}", "", "# SYNOPSIS", "", f"*{plain(name)}*{plain(command.usage.removeprefix(name))}"]
    if not command.path:
        lines += ["", "# DESCRIPTION", "", "A vault is one folder with encrypted records. Each scope in it (a tenant, a class of data, a",
                  "person) owns a key; destroying that key makes everything under the scope unrecoverable, in",
                  "every copy of the folder, and makes a signed certificate of it."]
    if command.positionals:
        lines += ["", "# ARGUMENTS", ""] + ["\n".join(map(described, command.positionals)).rstrip()]
    lines += ["", "# OPTIONS", ""] + ["\n".join(map(described, command.options)).rstrip()]
    if command.path:
        shared = ", ".join(f"*{plain(one.names[-1])}*" for one in program.options
                           if not {"--help", "--version"} & set(one.names))
        lines += ["", f"The options of the program may be given, too, before or after the command: {shared}. See *quietus*(1)."]
    if command.below:
        lines += ["", "# COMMANDS", ""]
        for below, text in command.below:
            lines += [f"*{plain(f'{command.page}-{below}')}*(1)", f"\t{plain(sentence(text))}", ""]
        lines.pop()
    if not command.path:
        variables = {m[1]: one for one in program.options if (m := re.search(r"\[\$(\w+)\]", one.text))}
        lines += ["", "# ENVIRONMENT", ""]
        for variable, one in variables.items():
            lines += [f"*{plain(variable)}*", f"\tStands for *{plain(one.names[-1])}* when that is not given.", ""]
        lines.pop()
    codes = re.search(r"Exit codes: (.*)", " ".join(program.footer))
    if codes:
        lines += ["", "# EXIT STATUS", ""]
        for code, meaning in re.findall(r"(\d+) ([^,.]+)", codes[1]):
            lines += [f"*{code}*", f"\t{plain(sentence(meaning))}", ""]
        lines.pop()
    others = ["quietus"] if command.path else []
    if len(command.path) > 1:
        others.append("quietus-" + "-".join(command.path[:-1]))
    if others:
        lines += ["", "# SEE ALSO", "", ", ".join(f"*{plain(one)}*(1)" for one in others)]
    return "\n".join(lines) + "\n"


# ---- completion ---------------------------------------------------------------------------------

def words(values):
    return " ".join(values)


def options_of(command, program):
    """Its options, and those of the program, which may stand anywhere."""
    own = {name for one in command.options for name in one.names}
    return command.options + [one for one in program.options if command.path and not own & set(one.names)
                              and "--version" not in one.names]


BASH = r'''# bash completion for quietus; made from its --help.
# shellcheck shell=bash
declare -gA _quietus_below=() _quietus_options=() _quietus_valued=() _quietus_files=() _quietus_paths=()
%(tables)s

_quietus_file_names() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_quietus() {
  local current=${COMP_WORDS[COMP_CWORD]} at='' option='' word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = ]]; then continue; fi
    if [[ -n $option ]]; then
      option=
    elif [[ $word == -* ]]; then
      if [[ " ${_quietus_valued[/$at]} " == *" $word "* ]]; then option=$word; fi
    elif [[ " ${_quietus_below[/$at]} " == *" $word "* ]]; then
      at+="${at:+ }$word"
    fi
  done
  if [[ $current == = ]]; then current=; fi
  if [[ -n $option ]]; then
    if [[ " ${_quietus_files[/$at]} " == *" $option "* ]]; then _quietus_file_names "$current"; fi
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${_quietus_options[/$at]}" -- "$current")
  elif [[ -n ${_quietus_below[/$at]} ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${_quietus_below[/$at]}" -- "$current")
  elif [[ -n ${_quietus_paths[/$at]} ]]; then
    _quietus_file_names "$current"
  fi
}
complete -F _quietus quietus
'''


def bash(commands):
    program, lines = commands[0], []
    for command in commands:
        options = options_of(command, program)
        valued = [name for one in options if one.value for name in one.names]
        tables = {
            "below": [name for name, _ in command.below],
            "options": [name for one in options for name in one.names],
            "valued": valued,
            "files": [name for one in options if one.takes_file for name in one.names],
            "paths": ["yes"] if command.wants_file else [],
        }
        for table, values in tables.items():
            lines.append(f"_quietus_{table}['/{words(command.path)}']='{words(values)}'")
    return BASH % {"tables": "\n".join(lines)}


def zsh_quoted(text):
    return text.replace("'", "'\\''")


def zsh_text(text):
    """A description inside of an argument of _arguments."""
    return zsh_quoted(re.sub(r"([\\\[\]:])", r"\\\1", text))


def zsh_function(command):
    return "_".join(("_quietus", *(word.replace("-", "_") for word in command.path)))


def zsh_option(one):
    value = (f":{one.value.lower()}:" + ("_files" if one.takes_file else " ")) if one.value else ""
    several = "*" if "may be given several times" in one.notes else f"({' '.join(one.names)})"
    return [f"    '{several}{name}[{zsh_text(one.text)}]{value}'" for name in one.names]


def zsh(commands):
    program, lines = commands[0], ["#compdef quietus", "# zsh completion for quietus; made from its --help."]
    for command in commands:
        arguments = [line for one in options_of(command, program) for line in zsh_option(one)]
        if command.below:
            arguments += ["    '1: :->command'", "    '*:: :->arguments'"]
        else:
            for number, one in enumerate(command.positionals, 1):
                where = "*" if "several" in one.notes else number
                action = "_files" if one.names[0] in FILE_POSITIONALS else " "
                arguments.append(f"    '{where}:{zsh_text(one.names[0].lower())}:{action}'")
        lines += ["", f"{zsh_function(command)}() {{"]
        if command.below:
            lines += ["  local curcontext=$curcontext state line", "  local -a commands=("]
            lines += [f"    '{zsh_quoted(name)}:{zsh_text(text)}'" for name, text in command.below]
            lines += ["  )"]
        lines += ["  _arguments -C \\" if command.below else "  _arguments \\", " \\\n".join(arguments)]
        if command.below:
            lines += ["  case $state in", "    command) _describe command commands ;;", "    arguments)", "      case $words[1] in"]
            lines += [f"        {name}) {zsh_function(Command((*command.path, name)))} ;;" for name, _ in command.below]
            lines += ["      esac", "      ;;", "  esac"]
        lines.append("}")
    # Loaded by name it is this function's body; sourced, it is to be announced.
    lines += ["", 'if [[ $funcstack[1] == _quietus ]]; then', '  _quietus "$@"', "else", "  compdef _quietus quietus", "fi"]
    return "\n".join(lines) + "\n"


FISH = r'''# fish completion for quietus; made from its --help.
function __quietus_at --description 'The command that is being typed is the given one'
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- $word $__quietus_valued; and set skip 1
        else if contains -- (string join ' ' -- $at $word) $__quietus_commands
            set at $at $word
        end
    end
    test "$at" = "$argv[1]"
end
'''


def fish_quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish(commands):
    program = commands[0]
    valued = sorted({name for one in (o for c in commands for o in c.options) if one.value for name in one.names})
    # One name may be a switch elsewhere; then what follows is not skipped.
    switches = {name for c in commands for one in c.options if not one.value for name in one.names}
    lines = [FISH, "set -g __quietus_commands " + words(fish_quoted(words(c.path)) for c in commands if c.path),
             "set -g __quietus_valued " + words(name for name in valued if name not in switches), "complete -c quietus -f"]
    for command in commands:
        at = f"-n {fish_quoted(f'__quietus_at ' + fish_quoted(words(command.path)))}"
        for name, text in command.below:
            lines.append(f"complete -c quietus {at} -a {name} -d {fish_quoted(text)}")
        if command.wants_file:
            lines.append(f"complete -c quietus {at} -F")
        for one in options_of(command, program):
            shown = words(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in one.names)
            value = (" -r -F" if one.takes_file else " -x") if one.value else ""
            lines.append(f"complete -c quietus {at} {shown}{value} -d {fish_quoted(one.text)}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--scdoc", default=shutil.which("scdoc"))
    given = parser.parse_args()
    tool = os.path.abspath(given.tool)
    commands = commands_of(tool)
    version = run(tool, "--version").split()[1]
    for part in ("scd", "man1", "completion"):
        shutil.rmtree(given.folder / part, ignore_errors=True)  # pages of commands that are no more
        (given.folder / part).mkdir(parents=True)
    for command in commands:
        source = man_page(command, commands[0], version)
        (given.folder / "scd" / f"{command.page}.1.scd").write_text(source, encoding="utf-8")
        if given.scdoc:
            done = subprocess.run([given.scdoc], input=source.encode(), capture_output=True, check=False)
            if done.returncode != 0:
                sys.exit(f"{command.page}: scdoc: {done.stderr.decode()}")
            (given.folder / "man1" / f"{command.page}.1").write_bytes(done.stdout)
    for shell in (bash, zsh, fish):
        path = given.folder / "completion" / f"quietus.{shell.__name__}"
        path.write_text(shell(commands), encoding="utf-8")


if __name__ == "__main__":
    main()
