#!/usr/bin/env python3
"""The rules for blocks can fail: each is broken once in a small tree."""

import pathlib
import tempfile
import unittest

import blocks_test
from blocks import blocks, commands

FENCE = "```"


class Rules(unittest.TestCase):
    def complaints(self, page, name="page.md", **files):
        with tempfile.TemporaryDirectory() as place:
            root = pathlib.Path(place)
            (root / "docs").mkdir()
            (root / "tests" / "cli").mkdir(parents=True)
            (root / "README.md").write_text("# A\n", encoding="utf-8")
            (root / "docs" / name).write_text(page, encoding="utf-8")
            for path, text in files.items():
                (root / "tests" / "cli" / f"{path}_test.py").write_text(text, encoding="utf-8")
            return blocks_test.complaints(root)[0]

    def fenced(self, language, text, above=""):
        return f"A paragraph.\n\n{above}{FENCE}{language}\n{text}\n{FENCE}\n"

    def test_what_is_run_or_read_is_fine(self):
        for language in ("sh", "console", "cpp", "c", "python", "toml", "json", "ini", "yaml", "cmake", "", "text"):
            self.assertEqual([], self.complaints(self.fenced(language, "x = 1")), language)

    def test_a_language_that_no_test_runs(self):
        self.assertIn("page.md:3: no test runs ```rust", self.complaints(self.fenced("rust", "fn main() {}"))[0])

    def test_commands_that_do_not_say_so(self):
        for page in (self.fenced("", "quietus status"), self.fenced("text", "$ ls"), "Do:\n\n    quietus status\n",
                     "Do:\n\n    $ ls\n    file\n"):
            self.assertIn("a command; say", self.complaints(page)[0], page)

    def test_named_for_a_test_that_is_not_there(self):
        page = self.fenced("js", "// docs:verify-other\nx()")
        self.assertIn("no test names verify-other", self.complaints(page)[0])
        self.assertEqual([], self.complaints(page, certificate_docs='WANTED = {"verify-other"}'))

    def test_a_page_that_its_test_no_longer_names(self):
        page = "Do:\n\n    $ quietus status\n"
        self.assertIn("does not name docs/rights.md", self.complaints(page, "rights.md")[0])
        self.assertEqual([], self.complaints(page, "rights.md", rights_docs='run("rights.md")'))

    def test_too_many_that_are_not_run(self):
        one = self.fenced("sh", "reboot", "<!-- not run: it would end the test -->\n")
        self.assertEqual([], self.complaints(one * blocks_test.MAX_NOT_RUN))
        self.assertIn("not run, more than", self.complaints(one * (blocks_test.MAX_NOT_RUN + 1))[0])

    def test_a_mark_is_for_the_block_below_it(self):
        page = "<!-- not run: far away -->\n\nA paragraph.\n\n" + self.fenced("rust", "x")
        self.assertEqual(1, len(self.complaints(page)))


class Reading(unittest.TestCase):
    def test_commands_and_what_they_show(self):
        block = blocks("```console\n$ ls\na\nb\n$ true\n```\n")[0]
        self.assertEqual([("ls", ["a", "b"]), ("true", [])], commands(block))

    def test_marks(self):
        block = blocks("<!-- run: touch a -->\n<!-- exit 0 or 7: it depends -->\n```sh\nls\n```\n")[0]
        self.assertEqual((["touch a"], {7}), (block.marked("run"), block.other_exit))

    def test_lines(self):
        for shown, printed, same in ((["a …", "…", "z"], "a b\nc\nd\nz\n", True), (["a"], "a\nb\n", False),
                                     (["…"], "", True), (["a"], "", False), (["a  b"], "a     b", True),
                                     (["quietus: no", "x"], "x\nquietus: no\n", True), (["quietus: no"], "", False)):
            self.assertEqual(same, blocks_test.matches("page.md", shown, printed), shown)


if __name__ == "__main__":
    unittest.main(verbosity=1)
