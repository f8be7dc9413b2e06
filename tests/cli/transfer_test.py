"""import and export."""

import base64
import json
import os
import stat

from scenario import (DONE, ERASED, FAILURE, NOT_FOUND, REFUSED, USAGE, Scenario, main)


def line(name, value=b"v", **more):
    return json.dumps({"name": name, "value": base64.b64encode(value).decode(), **more}).encode()


class Folder(Scenario):
    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")

    def test_tree_there_and_back(self):
        files = {"a": b"", "b c/d": b"1", ".hidden": b"2", "deep/er/still/x": os.urandom(100),
                 "größe/日本": b"3", "large": os.urandom((1 << 20) + 17)}
        files |= {f"many/{n}": str(n).encode() for n in range(2500)}
        for name, content in files.items():
            self.write(f"in/{name}", content)
        moved = self.document("import", self.scope, self.folder / "in")
        self.assertEqual(len(files), moved["records"])
        self.assertEqual(sum(map(len, files.values())), moved["bytes"])
        self.assertEqual(([], [], None), (moved["skipped"], moved["failed"], moved["stopped"]))
        self.assertIn(b"exported 2,506 records",
                      self.must("export", self.scope, "-o", f"{self.folder}/out/"))
        self.assertEqual(sorted(files), self.files_below(self.folder / "out"))
        for name, content in files.items():
            self.assertEqual(content, (self.folder / "out" / name).read_bytes(), name)
        self.assertEqual(0o600, stat.S_IMODE((self.folder / "out/a").stat().st_mode))

    def test_links_and_specials_are_skipped(self):
        secret = self.write("outside/secret", b"not yours")
        self.write("in/file", b"x")
        (self.folder / "in/link").symlink_to(secret)
        (self.folder / "in/dangling").symlink_to("nowhere")
        (self.folder / "in/folder").symlink_to(self.folder / "outside")
        os.mkfifo(self.folder / "in/pipe")
        moved = self.document("import", self.scope, self.folder / "in")
        self.assertEqual(1, moved["records"])
        self.assertEqual(["dangling", "folder", "link", "pipe"],
                         sorted(s["name"] for s in moved["skipped"]))
        self.assertEqual(["file"], [r["name"] for r in self.document("ls", self.scope)["records"]])
        self.says(self.exits(DONE, "import", self.scope, self.folder / "in"),
                  "skipped link: symbolic link", "skipped pipe: not a regular file")

    def test_one_bad_file_does_not_stop_the_rest(self):
        self.write("in/good", b"x")
        self.write("in/zz", b"y")
        os.makedirs(os.fsencode(self.folder / "in"), exist_ok=True)
        with open(os.fsencode(self.folder / "in") + b"/bad\nname", "wb") as bad:
            bad.write(b"x")
        moved = self.document("import", self.scope, self.folder / "in", code=USAGE)
        self.assertEqual(2, moved["records"])
        self.assertEqual(["bad\nname"], [f["name"] for f in moved["failed"]])
        self.assertEqual("invalid_argument", moved["failed"][0]["code"])
        done = self.exits(USAGE, "import", self.scope, self.folder / "in")
        self.says(done, r"failed bad\x0aname: ")

    def test_unreadable_file(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        self.write("in/closed", b"x").chmod(0)
        self.write("in/open", b"x")
        moved = self.document("import", self.scope, self.folder / "in", code=FAILURE)
        self.assertEqual(1, moved["records"])

    def test_replaces_records(self):
        self.must("put", self.scope, "a", stdin=b"old")
        self.write("in/a", b"new")
        self.must("import", self.scope, self.folder / "in")
        self.assertEqual(b"new", self.must("get", self.scope, "a"))

    def test_export_replaces_nothing(self):
        for name in "abc":
            self.must("put", self.scope, name, stdin=b"new")
        self.write("out/a", b"old")
        victim = self.write("victim", b"precious")
        (self.folder / "out/b").symlink_to(victim)
        moved = self.document("export", self.scope, "-o", self.folder / "out", code=REFUSED)
        self.assertEqual(1, moved["records"])
        self.assertEqual({"a", "b"}, {f["name"] for f in moved["failed"]})
        self.assertEqual({"already_exists"}, {f["code"] for f in moved["failed"]})
        self.assertEqual(b"old", (self.folder / "out/a").read_bytes())
        self.assertEqual(b"precious", victim.read_bytes())
        self.assertEqual(b"new", (self.folder / "out/c").read_bytes())

    def test_export_follows_no_link_on_the_way(self):
        self.must("put", self.scope, "sub/file", stdin=b"x")
        (self.folder / "out").mkdir()
        (self.folder / "elsewhere").mkdir()
        (self.folder / "out/sub").symlink_to(self.folder / "elsewhere")
        self.exits(REFUSED, "export", self.scope, "-o", self.folder / "out")
        self.assertEqual([], self.files_below(self.folder / "elsewhere"))

    def test_name_that_is_file_and_folder(self):
        self.must("put", self.scope, "a", stdin=b"1")
        self.must("put", self.scope, "a/b", stdin=b"2")
        moved = self.document("export", self.scope, "-o", self.folder / "out", code=REFUSED)
        self.assertEqual(["a/b"], [f["name"] for f in moved["failed"]])
        self.must("export", self.scope, "-o", self.folder / "all.ndjson")

    def test_name_too_long_for_a_file(self):
        self.must("put", self.scope, "x" * 300, stdin=b"1")
        self.must("put", self.scope, "y", stdin=b"2")
        moved = self.document("export", self.scope, "-o", self.folder / "out", code=USAGE)
        self.assertEqual(1, moved["records"])

    def test_absent_and_erased(self):
        self.exits(FAILURE, "import", self.scope, self.folder / "none")
        self.exits(NOT_FOUND, "import", "globex", self.folder)
        self.exits(NOT_FOUND, "export", "globex", "-o", self.folder / "out")
        self.must("erase", "acme", "--reason", "request", "--yes", "--now")
        self.exits(ERASED, "export", self.scope, "-o", self.folder / "out")
        self.exits(ERASED, "export", self.scope, "-o", self.folder / "out.ndjson")
        self.exits(ERASED, "import", self.scope, self.folder)
        self.assertEqual([], [p for p in os.listdir(self.folder) if "out" in p or p.startswith(".q")])

    def test_scopes_below_are_mentioned(self):
        self.must("scope", "create", f"{self.scope}/user")
        self.says(self.exits(DONE, "export", self.scope, "-o", self.folder / "out"),
                  "the records of 1 scope below are not part")


class Ndjson(Scenario):
    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")

    def load(self, *lines, code=DONE, end=b"\n"):
        return self.document("import", self.scope, self.write("in.ndjson", b"\n".join(lines) + end),
                             code=code)

    def names(self):
        return [r["name"] for r in self.document("ls", self.scope)["records"]]

    def test_there_and_back(self):
        lines = [line("a", b"", content_type="text/plain"), line("b c", os.urandom(99), tags={}),
                 line("größe/日本"), line("large", os.urandom(400 * 1024))]
        lines += [line(f"many/{n}", str(n).encode()) for n in range(2500)]
        self.assertEqual(2504, self.load(*lines)["records"])
        self.must("export", self.scope, "-o", self.folder / "out.ndjson")
        out = [json.loads(text) for text in (self.folder / "out.ndjson").read_bytes().splitlines()]
        given = {r["name"]: r["value"] for r in map(json.loads, lines)}
        self.assertEqual(given, {r["name"]: r["value"] for r in out})
        self.assertEqual("text/plain", next(r for r in out if r["name"] == "a")["content_type"])
        self.assertEqual([r["name"] for r in out], sorted(given, key=str.encode))
        self.must("tenant", "create", "copy")
        self.must("import", "copy", self.folder / "out.ndjson")
        self.must("export", "copy", "-o", self.folder / "again.ndjson")
        self.assertEqual((self.folder / "out.ndjson").read_bytes(),
                         (self.folder / "again.ndjson").read_bytes())

    def test_streams(self):
        self.must("import", self.scope, "-", stdin=line("a", b"1"))
        self.assertEqual(json.loads(line("a", b"1")),
                         json.loads(self.must("export", self.scope, "-o", "-")))
        self.exits(USAGE, "export", self.scope, "-o", "-", "--json")

    def test_no_line_end_at_the_end(self):
        self.assertEqual(2, self.load(line("a"), line("b"), end=b"")["records"])
        self.assertEqual(0, self.load(end=b"")["records"])

    def test_a_bad_line_stops_and_is_named(self):
        bad = {
            "not JSON": b"{",
            "no object": b"[1]",
            "text after it": line("x") + b" {}",
            "empty line": b"",
            "no name": b'{"value":""}',
            "no value": b'{"name":"x"}',
            "name twice": b'{"name":"x","name":"y","value":""}',
            "value twice": b'{"name":"x","value":"","value":""}',
            "tags twice": b'{"name":"x","value":"","tags":{},"tags":{}}',
            "unknown member": line("x", extra=1),
            "name no text": b'{"name":1,"value":""}',
            "value null": b'{"name":"x","value":null}',
            "value object": b'{"name":"x","value":{}}',
            "tags list": line("x", tags=[]),
            "no base64": b'{"name":"x","value":"?"}',
            "base64 without padding": b'{"name":"x","value":"YQ"}',
            "base64 with loose bits": b'{"name":"x","value":"YR=="}',
            "base64url": b'{"name":"x","value":"_-__"}',
            "not UTF-8": b'{"name":"\xff","value":""}',
            "lone surrogate": b'{"name":"\\ud800","value":""}',
            "line end in name": line("a\nb"),
            "empty name": line(""),
            "climbing name": line("../x"),
            "bad content type": line("x", content_type="a\nb"),
            "byte order mark": b"\xef\xbb\xbf" + line("x"),
            "deep": b'{"name":' + b"[" * 100000,
        }
        for what, text in bad.items():
            moved = self.load(line("good"), text, line("never"), code=USAGE)
            self.assertEqual(1, moved["records"], what)
            self.assertEqual("invalid_argument", moved["stopped"]["code"], what)
            self.assertTrue(moved["stopped"]["message"].startswith("line 2: "), moved["stopped"])
            self.assertEqual(["good"], self.names(), what)

    def test_tags_are_refused_for_now(self):
        moved = self.load(line("x", tags={"a": "b"}), code=USAGE)
        self.assertIn("tags are not supported", moved["stopped"]["message"])
        done = self.exits(USAGE, "import", self.scope, self.folder / "in.ndjson")
        self.says(done, "stopped before the end: line 1: tags are not supported")

    def test_line_limit(self):
        fits = 64 * 1024 * 1024
        text = line("x", b"")
        value = b"A" * ((fits - len(text)) // 4 * 4)
        filled = text.replace(b'"value": ""', b'"value": "' + value + b'"')
        filled += b" " * (fits - len(filled))
        self.assertEqual(1, self.load(filled)["records"])
        moved = self.load(line("a"), filled + b" ", code=USAGE)
        self.assertEqual((1, "line 2: longer than 64 MiB"),
                         (moved["records"], moved["stopped"]["message"]))

    def test_export_of_what_fits_no_line(self):
        self.must("put", self.scope, "huge", stdin=bytes(49 << 20))
        self.must("put", self.scope, "small", stdin=b"x")
        moved = self.document("export", self.scope, "-o", self.folder / "out.ndjson", code=USAGE)
        self.assertEqual(["huge"], [f["name"] for f in moved["failed"]])
        self.assertEqual(1, moved["records"])
        self.assertTrue((self.folder / "out.ndjson").is_file())

    def test_export_is_logged(self):
        self.must("put", self.scope, "a", stdin=b"123")
        before = len(self.must("audit", "log").splitlines())
        self.assertTrue(self.document("export", self.scope, "-o", self.folder / "o.ndjson")["recorded"])
        self.must("export", self.scope, "-o", self.folder / "o/")
        entries = self.must("audit", "log", "--from", before).splitlines()
        self.assertEqual(2, len(entries))
        for entry in map(json.loads, entries):
            self.assertEqual(("export-made", 1, 3), (entry["kind"], entry["records"], entry["bytes"]))

    def test_export_file_appears_whole_or_not(self):
        self.must("put", self.scope, "a", stdin=b"x")
        self.exits(FAILURE, "export", self.scope, "-o", self.folder / "none/out.ndjson")
        old = self.write("old.ndjson", b"old")
        self.must("export", self.scope, "-o", old)
        self.assertEqual("a", json.loads(old.read_bytes())["name"])
        self.assertEqual([], [p for p in os.listdir(self.folder) if p.startswith(".quietus")])


if __name__ == "__main__":
    main()
