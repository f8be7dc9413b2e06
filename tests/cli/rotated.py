"""A vault whose keys are replaced, for the tests of key rotate, purge and reclaim."""

import json

from scenario import Scenario

SCOPE = "acme/data/user-7"
LARGE = bytes(range(256)) * 4000  # a large object


class Rotated(Scenario):
    """acme/data/user-7 with two records and a large one, globex/model, which was derived from it."""

    def setUp(self):
        super().setUp()
        self.tenant("acme", "data")
        self.must("scope", "create", SCOPE)
        self.tenant("globex")
        self.must("scope", "create", "globex/model", "--derived-from", SCOPE)
        self.contents = {"a": b"content of a", "b": b"", "large": LARGE}
        for name, content in self.contents.items():
            self.must("put", SCOPE, name, stdin=content)
        self.must("put", "globex/model", "weights", stdin=b"derived")

    def rotate(self, *arguments, scope=SCOPE):
        return self.document("key", "rotate", scope, "--reason", "test", *arguments)

    def purge(self, *arguments, scope=SCOPE):
        return self.document("purge", scope, "--reason", "test", "--yes", *arguments)

    def states(self, scope=SCOPE, line="data"):
        """By generation."""
        return {key["generation"]: key["state"]
                for key in self.document("key", "show", scope)["keys"] if key["line"] == line}

    def records(self, *extra):
        return {record["name"]: record for record in self.document("ls", SCOPE, *extra)["records"]}

    def logged(self, kind):
        """Entries of that kind, without what differs from run to run."""
        entries = self.document("audit", "log")["entries"]
        return [{k: v for k, v in e.items() if k not in ("entry", "time", "kind")}
                for e in entries if e["kind"] == kind]

    def rotations(self):
        return self.document("status")["rotations"]

    def check_whole(self, *extra):
        for name, content in self.contents.items():
            self.assertEqual(content, self.must("get", SCOPE, name, *extra), name)
        self.assertEqual(b"derived", self.must("get", "globex/model", "weights", *extra))
        checked = self.document("check")
        self.assertEqual(([], 0), (checked["damages"], checked["orphaned_rows"]))
        self.must("audit", "verify")

    def answers(self, code, word, *arguments, **how):
        """The command ends so, and says why in JSON too."""
        error = self.document(*arguments, code=code, **how)["error"]
        self.assertEqual((word, code), (error["code"], error["exit"]), arguments)
        return error["message"]
