"""packaging/generate.py: every command has a man page, and completes in every shell."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from scenario import TOOL, main

GENERATE = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "generate.py"

# Types every line after it was split into words, and prints what is offered.
BASH = r"""
source "$1"
while IFS= read -r line; do
  read -ra COMP_WORDS <<<"$line"
  if [[ $line == *' ' ]]; then COMP_WORDS+=(''); fi
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _quietus
  echo "${COMPREPLY[*]}"
done
"""


def commands():
    """{command: (what is below it, its options)}, read here independently of the generator."""
    found, groups = {}, [()]
    while groups:
        group = groups.pop()
        text = subprocess.run([TOOL, *group, "--help"], capture_output=True, check=True).stdout.decode()
        listed = text.partition("Subcommands:\n")[2].partition("\n\n")[0]
        below = re.findall(r"(?m)^  (\S+)", listed)
        options = re.findall(r"(?m)^  (?:-\w,)?(--?[a-z][a-z-]*)", text)
        found[" ".join(group)] = (below, options)
        groups += [(*group, name) for name in below]
    return found


class Manual(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="quietus-manual-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        # Fails when scdoc does not take a page; without scdoc only the sources are made.
        subprocess.run([sys.executable, GENERATE, TOOL, cls.folder], check=True)
        cls.commands = commands()

    def completion(self, shell):
        return self.folder / "completion" / f"quietus.{shell}"

    def bash(self, lines):
        done = subprocess.run(["bash", "--norc", "-c", BASH, "bash", self.completion("bash")], check=True,
                              input="\n".join(lines) + "\n", capture_output=True, text=True, cwd=self.folder)
        self.assertEqual("", done.stderr)
        return [line.split() for line in done.stdout.splitlines()]

    def test_every_command_has_a_page(self):
        self.assertGreater(len(self.commands), 90)
        pages = {"-".join(["quietus", *name.split()]): name for name in self.commands}
        self.assertCountEqual(pages, [path.name.removesuffix(".1.scd") for path in (self.folder / "scd").iterdir()])
        for page, name in pages.items():
            text = (self.folder / "scd" / f"{page}.1.scd").read_text(encoding="utf-8").replace("\\", "")
            below, options = self.commands[name]
            for option in options:
                self.assertRegex(text, rf"(?m)^.*\*{re.escape(option)}\*", page)
            for one in below:
                self.assertIn(f"*{page}-{one}*(1)", text)

    @unittest.skipUnless(shutil.which("scdoc"), "scdoc is not installed")
    def test_scdoc_makes_pages_that_man_takes(self):
        pages = sorted((self.folder / "man1").iterdir())
        self.assertEqual(len(self.commands), len(pages))
        if shutil.which("man") is None:
            self.skipTest("man is not installed")
        for page in pages[::12]:
            done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True, check=True,
                                  text=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
            self.assertEqual("", done.stderr)
            self.assertIn("SYNOPSIS", done.stdout)

    def test_bash_completes_every_command(self):
        lines, expected = [], []
        for name, (below, options) in self.commands.items():
            typed = " ".join(filter(None, ["quietus", name]))
            if below:
                lines.append(f"{typed} ")
                expected.append((set(below), True))
            lines.append(f"{typed} -")
            expected.append((set(options), False))
            # Options of the program, and what they take, may stand before and between.
            lines.append(f"quietus --vault put --json {name} -")
            expected.append((set(options), False))
        for line, offered, (wanted, exactly) in zip(lines, self.bash(lines), expected, strict=True):
            with self.subTest(line=line):
                self.assertLessEqual(wanted, set(offered))
                if exactly:
                    self.assertEqual(wanted, set(offered))

    def test_bash_completes_files_where_files_go(self):
        (self.folder / "some file.txt").touch()
        offered = self.bash(["quietus put acme name some", "quietus --key-file some", "quietus --key-file = some",
                             "quietus erase --reason some", "quietus erase some"])
        self.assertEqual([["some", "file.txt"]] * 3 + [[]] * 2, offered)

    def test_every_option_is_in_the_text_for_zsh_and_fish(self):
        zsh, fish = (self.completion(shell).read_text(encoding="utf-8") for shell in ("zsh", "fish"))
        for name, (below, options) in self.commands.items():
            function = "_".join(["_quietus", *re.split("[ -]", name)]) if name else "_quietus"
            body = re.search(rf"(?ms)^{function}\(\) \{{\n(.*?)^\}}", zsh)[1]
            at = re.escape(f"-n '__quietus_at \\'{name}\\''")
            for option in options:
                self.assertRegex(body, rf"[)*]{option}\[", function)
                self.assertRegex(fish, rf"(?m){at}.* -{'l' if option[1] == '-' else 's'} {option.lstrip('-')} ", name)
            for one in below:
                self.assertRegex(body, rf"(?m)^    '{one}:")
                self.assertRegex(fish, rf"(?m){at} -a {one} ")

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_loads_it(self):
        script = f'autoload -U compinit; compinit -D; source "{self.completion("zsh")}"; print $_comps[quietus]'
        done = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(("_quietus\n", ""), (done.stdout, done.stderr))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_completes_every_command(self):
        lines = [f"quietus {name} " if name else "quietus " for name, (below, _) in self.commands.items() if below]
        script = f'source "{self.completion("fish")}"\n' + "".join(
            f"echo '= {line}'\ncomplete -C '{line}'\ncomplete -C '{line}-'\n" for line in lines)
        done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True,
                              env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        self.assertEqual("", done.stderr)
        answers = re.split(r"(?m)^= ", done.stdout)[1:]
        self.assertEqual(len(lines), len(answers))
        for answer in answers:
            name = answer.partition("\n")[0].removeprefix("quietus").strip()
            offered = {line.split("\t")[0] for line in answer.splitlines()[1:]}
            self.assertLessEqual(set(self.commands[name][0]) | set(self.commands[name][1]), offered, name)


if __name__ == "__main__":
    main()
