"""What one person with a key and the command cannot do in a governed vault."""

import json
import os
import shutil
import unittest

from governed import FAKETIME, Governed
from scenario import DONE, INTEGRITY, LOCKED, REFUSED, UNAVAILABLE, command, main


class Attack(Governed):
    """Somebody with one approver's key and the command, who can write to files, gets nothing."""

    def test_nothing_is_erased_released_or_exported(self):
        hold = self.document("hold", "place", self.scope, "--reason", "test", **self.as_("dan"))["hold"]
        for arguments in (("erase", self.scope, "--reason", "test", "--yes", "--now"), ("hold", "release", hold),
                          ("export", self.scope, "-o", self.folder / "out"),
                          ("request", "open", "deletion", self.scope, "--reason", "test"),
                          ("operator", "add", "mallory", "--role", "admin", "--key", self.public("ben")),
                          ("operator", "add", "ben", "--role", "admin", "--key", self.public("ben")),
                          ("operator", "remove", "ada"), ("operator", "review", "--sign"),
                          ("policy", "apply", self.write("p", b"effective = 2000-01-01\n")),
                          ("vault", "destroy", "--reason", "test", "--certificate", self.folder / "c", "--yes"),
                          ("get", self.scope, "a record"), ("put", self.scope, "a record"),
                          ("rm", self.scope, "a record"),
                          ("sweep",), ("purge", self.scope, "--yes")):
            with self.subTest(arguments[:2]):
                self.may_not("ben", *arguments)
        for name in ("out", "c"):
            self.assertFalse((self.folder / name).exists())
        self.assertEqual([hold], [one["hold"] for one in self.document("hold", "list", **self.as_("eve"))["holds"]])
        self.assertEqual(5, self.governance()["operators"])
        self.assertEqual(0, self.governance()["open_requests"])
        self.lives()

    def test_nothing_is_taken_away_or_vouched_for(self):
        frozen = self.tenant_as_dan("globex", "frozen")
        self.must("key", "suspend", frozen, "--reason", "objection", **self.as_("dan"))
        backup = self.folder / "a-backup"
        self.must("backup", "create", backup, **self.as_("dan"))
        approved, unverified = self.opened(), self.document(
            "request", "open", "access", self.scope, "--reason", "test", **self.as_("dan"))["request"]
        self.assertEqual("approved", self.approved_by("ben", approved)["state"])
        gone = {name: self.folder / name for name in ("backup", "copy", "copy-roots", "snapshot", "new-key", "out")}
        for arguments in (
                ("request", "execute", approved), ("request", "cancel", approved),
                ("request", "verify", unverified, "--method", "m", "--evidence", self.write("scan", b"x")),
                ("request", "extend", approved, "--until", "2099-01-01", "--reason", "x"),
                ("export", "--request", unverified, "-o", gone["out"]),
                ("backup", "create", gone["backup"]), ("backup", "forget", "0" * 32, "--yes"),
                ("backup", "restore", backup, gone["copy"], *self.anywhere("copy-roots")),
                ("backup", "drill", backup), ("escrow", "snapshot", gone["snapshot"]), ("clock", "accept", "--yes"),
                ("unlock", "change", "--new-key-file", gone["new-key"]),
                ("key", "resume", frozen, "--reason", "resolved"), ("tenant", "terminate", "acme"), ("doctor", "--rewrite-anchor", "--yes")):
            with self.subTest(arguments[:2]):
                self.may_not("ben", *arguments)
        for path in gone.values():
            self.assertFalse(path.exists(), path)
        self.assertEqual("approved", self.state(approved))
        self.assertEqual("open", self.state(unverified))
        self.assertEqual("suspended", self.document("key", "show", frozen, **self.as_("eve"))["state"])
        self.lives()

    def test_without_the_unlock_secret(self):
        others = {"QUIETUS_VAULT": str(self.folder / "other"), "QUIETUS_KEY_FILE": str(self.folder / "other-key")}
        self.must("init", self.folder / "other", *self.anywhere("other-roots"), **others)
        random = self.write("random", os.urandom(self.key.stat().st_size))
        for key in (self.folder / "other-key", random, self.folder / "ben", self.folder / "missing"):
            for arguments in (("status",), ("get", self.scope, "a record"), ("request", "list"), ("operator", "list"),
                              ("audit", "log"), ("doctor", "--rewrite-anchor", "--yes"),
                              ("operator", "break-glass", "mallory", "--key", self.public("ben"))):
                with self.subTest(key=key.name, command=arguments):
                    done = self.exits(LOCKED, *arguments, **self.as_("ben") | {"QUIETUS_KEY_FILE": str(key)})
                    self.assertEqual(b"", done.stdout)
                    for word in (b"acme", b"record", b"ada", b"dan", b"cleo", b"eve"):
                        self.assertNotIn(word, done.stderr.replace(os.fsencode(self.folder), b""))
        self.assertIsNone(self.governance()["break_glass"])
        self.must("status", **self.as_("ben"))

    def test_nobody_acts_as_somebody_else(self):
        for name in ("ada", "dan"):
            done = self.exits(INTEGRITY, "status", QUIETUS_OPERATOR=name, QUIETUS_IDENTITY=str(self.folder / "ben"))
            self.says(done, "another operator")
            self.assertEqual(b"", done.stdout)
        self.says(self.exits(REFUSED, "status"), "--as NAME")
        self.exits(UNAVAILABLE, "status", QUIETUS_OPERATOR="dan", QUIETUS_IDENTITY=str(self.folder / "none"))
        self.new_key("stranger")
        self.says(self.exits(INTEGRITY, "status", QUIETUS_OPERATOR="dan",
                             QUIETUS_IDENTITY=str(self.folder / "stranger")), "no operator's")

    def test_an_action_is_signed_for_once(self):
        keep = self.write("keep/ssh-keygen", f"""#!/bin/sh
{shutil.which("ssh-keygen")} "$@" | tee {self.folder}/kept.sig
""".encode())
        keep.chmod(0o755)
        self.must("status", **self.as_("dan"), PATH=f"{keep.parent}:{os.environ['PATH']}")
        replayed = self.instead_of_signing("act@quietus", (self.folder / "kept.sig").read_bytes())
        self.exits(INTEGRITY, "status", **self.as_("dan"), **replayed)
        self.exits(INTEGRITY, "get", self.scope, "a record", **self.as_("dan"), **replayed)

    def test_broken_glass_is_a_week_in_the_open(self):
        self.new_key("mallory")
        for name, key in (("mallory", "ben"), ("ben", "mallory")):
            self.exits(REFUSED, "operator", "break-glass", name, "--key", self.public(key), **self.as_("ben"))
        self.assertIsNone(self.governance()["break_glass"])
        glass = ("operator", "break-glass", "mallory", "--key", self.public("mallory"))
        self.assertIsNotNone(self.document(*glass)["from"])
        self.says(self.exits(REFUSED, *glass), "unless an admin acts before")
        self.exits(INTEGRITY, "status", **self.as_("mallory"))
        # Others see it, and do not stop it.
        for name in ("ben", "dan", "eve"):
            self.assertIn(b"BREAK-GLASS", self.must("status", **self.as_(name)))
        self.must("status", **self.as_("ada"))
        self.assertIsNone(self.governance()["break_glass"])
        kinds = [entry.get("what") for entry in self.document("audit", "log", **self.as_("eve"))["entries"]]
        self.assertEqual(["break-glass-begun", "break-glass-stopped"], [k for k in kinds if k and "glass" in k])
        # It begins anew then.
        self.assertIsNotNone(self.document(*glass)["from"])
        self.assertEqual(1, self.governance()["admins"])
        self.exits(INTEGRITY, "status", **self.as_("mallory"))

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_broken_glass_a_week_later(self):
        self.new_key("mallory")
        glass = ("operator", "break-glass", "mallory", "--key", self.public("mallory"))
        self.must(*glass)
        self.in_days(6, REFUSED, *glass)
        self.in_days(8, DONE, *glass)
        status = json.loads(self.in_days(8, DONE, "--json", "status", **self.as_("mallory")).stdout)["governance"]
        self.assertEqual((1, None), (status["admins"], status["break_glass"]))
        self.in_days(8, INTEGRITY, "status", **self.as_("ada"))

    def test_rows_of_operators_that_others_wrote(self):
        ben = next(one for one in self.document("operator", "list", **self.as_("eve"))["operators"]
                   if one["name"] == "ben")
        key = b"g" + bytes.fromhex(ben["id"])
        store = self.vault / "control.mdb"
        content = bytearray(store.read_bytes())
        at = content.find(key)
        self.assertGreater(at, 0)
        while at >= 0:
            content[at + len(key) + 30] ^= 1  # inside the sealed row
            at = content.find(key, at + 1)
        store.write_bytes(content)
        for name, arguments in (("ada", ("operator", "remove", "dan")), ("dan", ("get", self.scope, "a record")),
                                ("dan", ("put", self.scope, "a record")), ("ben", ("status",)),
                                ("cleo", ("hold", "place", self.scope, "--reason", "test")),
                                ("eve", ("operator", "review", "--sign"))):
            with self.subTest(name, command=arguments):
                self.assertEqual(b"", self.exits(INTEGRITY, *arguments, **self.as_(name)).stdout)
        for arguments in (("status",), ("request", "list"), ("audit", "log")):
            self.must(*arguments, **self.as_("eve"))
        damages = self.document("check", code=INTEGRITY, **self.as_("eve"))["damages"]
        self.assertTrue(any("operators" in one["where"] + one["what"] for one in damages), damages)

    def test_an_older_copy_of_the_vault(self):
        older = self.folder / "older"
        shutil.copytree(self.vault, older)
        hold = self.document("hold", "place", self.scope, "--reason", "litigation", **self.as_("dan"))["hold"]
        self.put_back(older)
        self.exits(INTEGRITY, "hold", "list", **self.as_("dan"))
        (anchor,) = (self.folder / "roots").rglob("anchor")
        anchor.unlink()
        self.exits(INTEGRITY, "put", self.scope, "a record", stdin=b"other", **self.as_("dan"))
        for name in ("ben", "cleo", "dan", "eve"):
            self.says(self.exits(REFUSED, "doctor", "--rewrite-anchor", "--yes", **self.as_(name)),
                      "needs a role with the duty `change`")
        self.exits(REFUSED, "doctor", "--rewrite-anchor", "--yes")
        self.assertFalse(anchor.exists())
        # An admin vouches for it, that is what the duty is for.
        self.must("doctor", "--rewrite-anchor", "--yes", **self.as_("ada"))
        self.assertNotIn(hold, self.must("hold", "list", **self.as_("dan")).decode())

    def test_an_older_copy_in_which_it_was_approved(self):
        request = self.opened("access")
        self.approved_by("ben", request)
        older = self.folder / "older"
        shutil.copytree(self.vault, older)
        self.must("export", "--request", request, "-o", self.folder / "out", **self.as_("dan"))
        (anchor,) = (self.folder / "roots").rglob("anchor")
        self.put_back(older)
        # Without an anchor it can be read, and nothing is approved in it any more.
        for kept, code in ((True, INTEGRITY), (False, REFUSED)):
            with self.subTest(anchor=kept):
                if not kept:
                    anchor.unlink()
                self.exits(code, "export", "--request", request, "-o", self.folder / "again", **self.as_("dan"))
                self.assertFalse((self.folder / "again").exists())

    def put_back(self, older):
        shutil.rmtree(self.vault)
        shutil.copytree(older, self.vault)

    def test_an_older_copy_in_which_one_was_admin(self):
        self.new_key("max")
        self.add("max", "admin")
        older = self.folder / "older"
        shutil.copytree(self.vault, older)
        self.change("operator", "remove", "max", by=("ada", "max"))
        self.exits(INTEGRITY, "status", **self.as_("max"))
        newest = self.folder / "newest"
        shutil.copytree(self.vault, newest)
        (anchor,) = (self.folder / "roots").rglob("anchor")
        with_anchor = anchor.read_bytes()
        for kept in (True, False):
            with self.subTest(anchor=kept):
                self.put_back(older)
                if not kept:
                    anchor.unlink()
                for name in ("max", "ada"):
                    for arguments in (("doctor", "--rewrite-anchor", "--yes"), ("operator", "list"),
                                      ("get", self.scope, "a record")):
                        done = self.exits(INTEGRITY, *arguments, **self.as_(name))
                        self.says(done, "an older copy of the vault was put back")
                        self.assertEqual(b"", done.stdout)
                self.assertEqual(kept, anchor.exists())
        self.put_back(newest)
        anchor.write_bytes(with_anchor)
        self.exits(INTEGRITY, "status", **self.as_("max"))
        self.lives()


if __name__ == "__main__":
    main()
