"""put, get, ls, rm."""

import hashlib
import os
import stat

from scenario import (DONE, ERASED, FAILURE, INTEGRITY, NOT_FOUND, USAGE, Scenario, main)


class Records(Scenario):
    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")

    def test_from_and_to_the_standard_streams(self):
        self.must("put", self.scope, "a", stdin=b"one")
        self.assertEqual(b"one", self.must("get", self.scope, "a"))
        self.must("put", self.scope, "a", "-", stdin=b"two")
        self.assertEqual(b"two", self.must("get", self.scope, "a", "-o", "-"))
        self.must("put", self.scope, "empty", stdin=b"")
        self.assertEqual(b"", self.must("get", self.scope, "empty"))

    def test_from_and_to_files(self):
        content = os.urandom(5000)
        source = self.write("in", content)
        self.assertEqual(b"", self.must("put", self.scope, "a", source))
        self.assertEqual(b"", self.must("get", self.scope, "a", "-o", self.folder / "out"))
        self.assertEqual(content, (self.folder / "out").read_bytes())
        self.assertEqual(0o600, stat.S_IMODE((self.folder / "out").stat().st_mode))

    def test_every_size_around_the_limits(self):
        for size in (1, 255 * 1024, 256 * 1024, 256 * 1024 + 1, 256 * 1024 + 2, 1 << 20, (5 << 20) + 3):
            content = os.urandom(size)
            self.must("put", self.scope, f"size {size}", stdin=content)
            got = self.must("get", self.scope, f"size {size}")
            self.assertEqual(hashlib.sha256(content).hexdigest(), hashlib.sha256(got).hexdigest(), size)

    def test_json(self):
        put = self.document("put", self.scope, "a", "--content-type", "text/plain", stdin=b"123")
        self.assertEqual(("a", self.scope, 3), (put["name"], put["scope"], put["size_bytes"]))
        [listed] = self.document("ls", self.scope)["records"]
        self.assertEqual(put["version"], listed["version"])
        self.assertEqual("text/plain", listed["content_type"])
        got = self.document("get", self.scope, "a", "-o", self.folder / "out")
        self.assertEqual((3, str(self.folder / "out")), (got["size_bytes"], got["file"]))
        self.says(self.exits(USAGE, "get", self.scope, "a", "--json"), "-o FILE")
        self.assertTrue(self.document("rm", self.scope, "a")["removed"])
        self.assertEqual([], self.document("ls", self.scope)["records"])

    def test_ls(self):
        for name in ("b", "a/2", "a/1"):
            self.must("put", self.scope, name, stdin=b"x" * 7)
        lines = self.must("ls", self.scope).decode().splitlines()
        self.assertEqual(["a/1", "a/2", "b"], [line.split()[-1] for line in lines])
        self.assertEqual("7", lines[0].split()[0])
        names = [r["name"] for r in self.document("ls", self.scope, "--prefix", "a/")["records"]]
        self.assertEqual(["a/1", "a/2"], names)

    def test_rm(self):
        self.must("put", self.scope, "a", stdin=b"x")
        self.assertEqual(b"", self.must("rm", self.scope, "a"))
        self.exits(NOT_FOUND, "get", self.scope, "a")
        self.exits(NOT_FOUND, "rm", self.scope, "a")

    def test_absent(self):
        done = self.exits(NOT_FOUND, "get", self.scope, "none")
        self.assertEqual(b"", done.stdout)
        self.says(done, 'quietus: acme/data: no record named "none"')
        self.exits(NOT_FOUND, "get", "acme/none", "x")
        self.exits(NOT_FOUND, "put", "globex", "x")
        self.exits(FAILURE, "put", self.scope, "x", self.folder / "no such file")
        self.exits(FAILURE, "put", self.scope, "x", self.folder)

    def test_odd_names(self):
        names = ["Größe", "日本/レコード", "a b", "ls", "status", "-x", "--json", "{}", "[a,b]", "%%",
                 "a=b", "'q'", '"q"', "\\", "a" * 1024, "😀"]
        for name in names:
            self.must("put", self.scope, "--", name, stdin=name.encode())
        for name in names:
            self.assertEqual(name.encode(), self.must("get", self.scope, "--", name))
        listed = [r["name"] for r in self.document("ls", self.scope)["records"]]
        self.assertEqual(sorted(names, key=str.encode), listed)

    def test_refused_names(self):
        for name in ("", "a\nb", "a\x07", "\x7f", "a//b", "/a", "a/", ".", "..", "a/../b", "x" * 1025,
                     b"\xff\xfe", "a\u0085b"):
            done = self.exits(USAGE, "put", self.scope, "--", name, stdin=b"x")
            self.assertNotIn(b"\x07", done.stderr)
            self.assertEqual(1, done.stderr.count(b"\n"), "the name broke the message in two")
        self.assertEqual(b"", self.must("ls", self.scope))

    def test_the_terminal_is_not_commanded(self):
        self.must("put", self.scope, "a", stdin="ok \x1b]0;evil\x07 \u202e é\n".encode() + b"\xff")
        code, shown = self.on_terminal("get", self.scope, "a")
        self.assertEqual(DONE, code, shown)
        self.assertIn(rb"ok \x1b]0;evil\x07 \u{202e} " + "é".encode(), shown)
        self.assertIn(rb"\xff", shown)
        self.assertNotIn(b"\x1b]0", shown)


class GetToFile(Scenario):
    """-o: the whole file or none."""

    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")
        self.content = os.urandom(3 << 20)
        self.must("put", self.scope, "large", stdin=self.content)
        self.out = self.folder / "out"
        self.out.mkdir()

    def nothing_left(self):
        self.assertEqual([], self.files_below(self.out))

    def test_replaces(self):
        target = self.write("out/file", b"old")
        self.must("get", self.scope, "large", "-o", target)
        self.assertEqual(self.content, target.read_bytes())
        self.assertEqual(["file"], self.files_below(self.out))

    def test_absent_record_leaves_nothing(self):
        self.exits(NOT_FOUND, "get", self.scope, "none", "-o", self.out / "file")
        self.nothing_left()
        old = self.write("out/file", b"old")
        self.exits(NOT_FOUND, "get", self.scope, "none", "-o", old)
        self.assertEqual(b"old", old.read_bytes())

    def test_damage_leaves_nothing(self):
        store = self.vault / "records.mdb"
        damaged = bytearray(store.read_bytes())
        at = len(damaged) // 2
        damaged[at:at + 256 * 1024] = bytes(b ^ 1 for b in damaged[at:at + 256 * 1024])
        store.write_bytes(damaged)
        self.exits(INTEGRITY, "get", self.scope, "large", "-o", self.out / "file")
        self.nothing_left()

    def test_erased_leaves_nothing(self):
        self.must("erase", "acme", "--reason", "request", "--yes", "--now")
        self.exits(ERASED, "get", self.scope, "large", "-o", self.out / "file")
        self.nothing_left()

    def test_bad_targets(self):
        self.exits(FAILURE, "get", self.scope, "large", "-o", self.out / "none/file")
        self.exits(USAGE, "get", self.scope, "large", "-o", self.out)
        self.exits(USAGE, "get", self.scope, "large", "-o", "/dev/null")
        self.nothing_left()

    def test_a_link_is_replaced_and_not_followed(self):
        victim = self.write("victim", b"precious")
        (self.out / "link").symlink_to(victim)
        self.must("get", self.scope, "large", "-o", self.out / "link")
        self.assertEqual(b"precious", victim.read_bytes())
        self.assertFalse((self.out / "link").is_symlink())


if __name__ == "__main__":
    main()
