"""erase and vault destroy: plan, confirmation, certificate, what is gone and what is not."""

import json
import os
import signal

from scenario import DONE, ERASED, FAILURE, INCOMPLETE, NOT_FOUND, REFUSED, USAGE, Scenario, main


class Erase(Scenario):
    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")
        self.other = self.tenant("globex", "data")
        for scope in self.scope, self.other:
            self.must("put", scope, "a", stdin=b"content")

    def erase(self, *scopes, code=DONE, **how):
        return self.exits(code, "erase", *scopes, "--reason", "contract-ended", "--yes", "--now", **how)

    def test_tenant(self):
        done = self.erase("acme")
        self.assertIn(b"certificate", done.stdout)
        for what in (["get", self.scope, "a"], ["ls", self.scope], ["put", self.scope, "b"],
                     ["rm", self.scope, "a"], ["scope", "create", "acme/new"],
                     ["scope", "list", "acme"], ["tenant", "show", "acme"],
                     ["erase", "acme", "--reason", "x", "--yes", "--now"]):
            gone = self.exits(ERASED, *what)
            self.assertEqual(b"", gone.stdout, what)
            self.says(gone, "quietus: acme", "erased", "nothing can bring it back",
                      "quietus cert list")
        self.assertEqual(b"content", self.must("get", self.other, "a"))
        self.must("check")

    def test_subject_only(self):
        self.must("scope", "create", f"{self.scope}/user")
        self.must("put", f"{self.scope}/user", "a", stdin=b"x")
        self.erase(f"{self.scope}/user")
        self.exits(ERASED, "get", f"{self.scope}/user", "a")
        self.assertEqual(b"content", self.must("get", self.scope, "a"))

    def test_several_in_one_go(self):
        report = self.document("erase", "acme", "globex", "--reason", "x", "--yes", "--now")
        self.assertEqual({"acme", "globex"}, {s["path"] for s in report["erased"]})
        self.assertEqual({self.scope, self.other}, {s["path"] for s in report["also"]})
        self.assertEqual(report["root_generation_before"] + 1, report["root_generation_after"])
        self.assertEqual(1, len(self.document("cert", "list")["certificates"]))
        self.exits(ERASED, "ls", self.scope)
        self.exits(ERASED, "ls", self.other)

    def test_plan_is_shown(self):
        done = self.erase("acme")
        self.says(done, "This destroys, for ever, the keys of\n  acme", "acme/data", "keys in all",
                  "Not covered: exports")

    def test_a_missing_one_erases_none(self):
        self.erase("acme", "none", code=NOT_FOUND)
        self.must("ls", self.scope)

    def test_usage(self):
        self.says(self.exits(USAGE, "erase", "acme", "--yes", "--now"), "--reason")
        self.exits(USAGE, "erase", "--reason", "x", "--yes", "--now")
        self.exits(USAGE, "erase", "--resume", "acme")
        self.must("ls", self.scope)

    def test_without_terminal_needs_yes(self):
        done = self.exits(REFUSED, "erase", "acme", "--reason", "x", stdin=b"acme\n")
        self.says(done, "This destroys", "--yes")
        error = self.document("erase", "acme", "--reason", "x", code=REFUSED)["error"]
        self.assertEqual(("refused", REFUSED), (error["code"], error["exit"]))
        self.must("ls", self.scope)

    def test_terminal_asks_for_the_path(self):
        for answer in b"\n", b"y\n", b"yes\n", b"acme/data\n", b"ACME\n", b"\x04":
            code, shown = self.on_terminal("erase", "acme", "--reason", "x",
                                           answers=[(b'Type "acme"', answer)])
            self.assertEqual(REFUSED, code, shown)
            self.assertIn(b"nothing was changed", shown)
        self.must("ls", self.scope)
        code, shown = self.on_terminal("erase", "acme", "globex", "--reason", "x",
                                       answers=[(b'Type "erase 2 scopes"', b"acme\n")])
        self.assertEqual(REFUSED, code, shown)
        code, shown = self.on_terminal("erase", "acme", "--reason", "x", "--now",
                                       answers=[(b'Type "acme"', b"acme\n")])
        self.assertEqual(DONE, code, shown)
        self.exits(ERASED, "ls", self.scope)

    def test_certificate_file(self):
        target = self.folder / "acme.erasure.jws.json"
        report = self.document("erase", "acme", "--reason", "x", "--yes", "--now", "--certificate", target)
        self.assertEqual(str(target), report["certificate_file"])
        self.assertEqual({"protected", "payload", "signature"}, set(json.loads(target.read_bytes())))
        shown = self.must("cert", "show", report["certificate_id"])
        # The erased scope names it too, by its path and by its id.
        for scope in (report["subjects"][0]["path"], report["subjects"][0]["scope_id"]):
            self.assertEqual(shown, self.must("cert", "show", scope))
        self.exits(NOT_FOUND, "cert", "show", "no/such/scope")
        self.assertEqual(target.read_bytes().strip(), shown.strip())

    def test_unwritable_certificate_erases_nothing(self):
        for target, code in ((self.folder / "none/c", FAILURE), (self.folder, USAGE)):
            self.erase("acme", "--certificate", target, code=code)
            self.must("ls", self.scope)
        self.assertEqual([], [p for p in os.listdir(self.folder) if p.startswith(".quietus")])

    def test_refusal_leaves_no_certificate_file(self):
        self.erase("none", "--certificate", self.folder / "c", code=NOT_FOUND)
        self.exits(REFUSED, "erase", "acme", "--reason", "x", "--now", "--certificate", self.folder / "c")
        self.assertFalse((self.folder / "c").exists())

    def test_nothing_to_resume(self):
        self.assertEqual([], self.document("erase", "--resume")["finished"])
        self.assertIn(b"no erasure is pending", self.must("erase", "--resume"))

    def test_free_text_reason_is_nowhere_in_the_clear(self):
        self.exits(DONE, "erase", "acme", "--reason", "Zebra marker of a person", "--yes", "--now",
                   "--certificate", self.folder / "c")
        for path in [p for p in self.folder.rglob("*") if p.is_file()]:
            self.assertNotIn(b"Zebra", path.read_bytes(), path)
        self.assertNotIn(b"Zebra", self.must("audit", "log"))


class Incomplete(Scenario):
    """A process that holds the keys and does not answer: begun, recorded, finished later."""

    def test_stopped_holder(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "a", stdin=b"x")
        holder = self.waiting_put(scope, "b")
        try:
            holder.send_signal(signal.SIGSTOP)
            done = self.exits(INCOMPLETE, "erase", "acme", "--reason", "x", "--yes", "--now",
                              "--certificate", self.folder / "c")
            self.says(done, "erase --resume")
            self.assertFalse((self.folder / "c").exists(), "a certificate before the end")
            self.exits(ERASED, "get", scope, "a")
        finally:
            holder.kill()
            holder.wait(timeout=60)
            holder.stdin.close()
        self.must("erase", "--resume")
        self.assertEqual(1, len(self.document("cert", "list")["certificates"]))
        self.assertEqual([], self.document("status")["pending_erasures"])


class Destroy(Scenario):
    def test_everything(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "a", stdin=b"x")
        pem = self.write("issuer.pem", self.must("cert", "key"))
        destroy = "vault", "destroy", "--reason", "x", "--certificate", self.folder / "last"
        done = self.exits(REFUSED, *destroy)
        self.says(done, "All data of all tenants")
        self.must("ls", scope)
        report = self.document(*destroy, "--yes")
        self.assertTrue(report["destroyed"])
        self.assertEqual(str(self.folder / "last"), report["certificate_file"])
        self.must("cert", "verify", self.folder / "last", "--key", pem)
        for what in (["status"], ["ls", scope], ["tenant", "create", "new"]):
            self.exits(ERASED, *what)

    def test_asks_for_the_id(self):
        self.tenant("acme")
        destroy = "vault", "destroy", "--reason", "x", "--certificate", self.folder / "last"
        code, shown = self.on_terminal(*destroy, answers=[(b'Type "destroy ', b"destroy\n")])
        self.assertEqual(REFUSED, code, shown)
        vault_id = self.document("status")["vault_id"]
        code, shown = self.on_terminal(
            *destroy, answers=[(b'Type "destroy ', b"destroy %s\n" % vault_id[:8].encode())])
        self.assertEqual(DONE, code, shown)
        self.exits(ERASED, "status")

    def test_needs_reason_and_certificate(self):
        self.exits(USAGE, "vault", "destroy", "--reason", "x", "--yes")
        self.exits(USAGE, "vault", "destroy", "--certificate", self.folder / "c", "--yes")
        self.must("status")


if __name__ == "__main__":
    main()
