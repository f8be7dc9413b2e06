"""seal, open, pseudonym."""

import os

from scenario import (DONE, ERASED, FAILURE, INTEGRITY, REFUSED, USAGE, Scenario, main)


class Tokens(Scenario):
    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")

    def test_through_the_standard_streams(self):
        for size in (0, 1, 5000, (3 << 20) + 7):
            content = os.urandom(size)
            token = self.must("seal", self.scope, stdin=content)
            self.assertEqual(content, self.must("open", stdin=token))

    def test_through_files(self):
        content = os.urandom(70_000)
        source = self.write("in", content)
        sealed = self.document("seal", self.scope, source, "-o", self.folder / "token")
        self.assertEqual(len((self.folder / "token").read_bytes()), sealed["size_bytes"])
        self.assertEqual(self.document("scope", "show", self.scope)["id"], sealed["scope_id"])
        opened = self.document("open", self.folder / "token", "-o", self.folder / "out")
        self.assertEqual((70_000, sealed["scope_id"]), (opened["size_bytes"], opened["scope_id"]))
        self.assertEqual(content, (self.folder / "out").read_bytes())
        self.says(self.exits(USAGE, "open", self.folder / "token", "--json"), "-o FILE")
        self.exits(FAILURE, "open", self.folder / "none")

    def test_an_erased_scope_ends_it(self):
        token = self.must("seal", self.scope, stdin=b"secret")
        self.must("erase", self.scope, "--yes", "--reason", "test")
        self.exits(ERASED, "open", stdin=token)
        self.exits(ERASED, "seal", self.scope, stdin=b"x")

    def test_rotation_and_purge_do_not(self):
        token = self.must("seal", self.scope, stdin=b"secret")
        [before] = self.document("pseudonym", self.scope, stdin=b"a@example.com")["pseudonyms"]
        self.must("key", "rotate", self.scope)
        self.must("purge", self.scope, "--yes")
        self.assertEqual(b"secret", self.must("open", stdin=token))
        self.assertEqual(before.encode() + b"\n", self.must("pseudonym", self.scope, stdin=b"a@example.com"))

    def test_damage(self):
        token = bytearray(self.must("seal", self.scope, stdin=b"secret"))
        token[-1] ^= 1
        done = self.exits(INTEGRITY, "open", "-o", self.folder / "out", stdin=bytes(token))
        self.assertFalse((self.folder / "out").exists())
        self.assertEqual(b"", done.stdout)
        self.says(self.exits(USAGE, "open", stdin=b"what is this"), "no token")
        self.exits(USAGE, "open", stdin=b"")

    def test_another_vault(self):
        token = self.must("seal", self.scope, stdin=b"secret")
        other = self.folder / "other"
        self.must("init", other, *self.anywhere("other-roots"))
        self.says(self.exits(REFUSED, "--vault", other, "open", stdin=token), "another vault")

    def test_restricted(self):
        token = self.must("seal", self.scope, stdin=b"secret")
        self.must("key", "suspend", self.scope, "--reason", "objection")
        self.says(self.exits(REFUSED, "open", stdin=token), "restricted")
        self.assertEqual(b"secret", self.must("open", "--restricted-use", "consent", stdin=token))

    def test_pseudonyms(self):
        values = [b"a", b"b", b"", b"a", b"x" * 65_536]
        lines = self.must("pseudonym", self.scope, stdin=b"\n".join(values)).decode().split()
        self.assertEqual(len(values), len(lines))
        self.assertEqual(4, len(set(lines)))
        self.assertEqual(lines[0], lines[3])
        for line in lines:
            self.assertRegex(line, "^[0-9a-f]{32}$")
        many = b"".join(b"%d\n" % n for n in range(30_000))
        made = self.document("pseudonym", self.scope, stdin=many)["pseudonyms"]
        self.assertEqual(30_000, len(set(made)))
        self.assertEqual([], self.document("pseudonym", self.scope, stdin=b"")["pseudonyms"])
        self.says(self.exits(USAGE, "pseudonym", self.scope, stdin=b"x" * 65_537), "65,536")


main()
