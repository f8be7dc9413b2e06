"""key: show, suspend, resume, deactivate, compromise; --restricted-use of what is restricted."""

import json
import signal

from scenario import DONE, ERASED, INTEGRITY, NOT_FOUND, REFUSED, USAGE, Scenario, main

SCOPE = "acme/data/user-7"
REASONS = ["accuracy-contested", "unlawful-processing", "legal-claims", "objection", "contract-ended",
           "incident", "resolved", "test", "other"]
USES = ["consent", "legal-claims", "rights-of-others", "public-interest"]
CHANGES = ["suspend", "resume", "deactivate", "compromise"]


class Keys(Scenario):
    """acme/data/user-7 with a record, data of another tenant that was derived from it, and a third
    tenant that has nothing to do with either."""

    def setUp(self):
        super().setUp()
        self.tenant("acme", "data")
        self.must("scope", "create", SCOPE)
        self.tenant("globex")
        self.must("scope", "create", "globex/model", "--derived-from", SCOPE)
        self.tenant("initech")
        for scope in SCOPE, "globex/model", "initech":
            self.must("put", scope, "a", stdin=b"content")

    def change(self, to, scope="acme", reason="test", code=DONE):
        return self.exits(code, "key", to, scope, "--reason", reason)

    def keys(self, scope):
        return self.document("key", "show", scope)

    def id_of(self, scope):
        return self.document("scope", "show", scope)["id"]

    def logged(self, kind):
        """Entries of that kind, without what differs from run to run."""
        entries = self.document("audit", "log")["entries"]
        return [{k: v for k, v in e.items() if k not in ("entry", "time", "kind")}
                for e in entries if e["kind"] == kind]

    def answers(self, code, word, *arguments, **how):
        """The command ends so, and says why in JSON too."""
        error = self.document(*arguments, code=code, **how)["error"]
        self.assertEqual((word, code), (error["code"], error["exit"]), arguments)
        return error["message"]

    def check_reads(self, word, scope=SCOPE, extra=()):
        for what in (["get", scope, "a", "-o", self.folder / "o"], ["ls", scope],
                     ["export", scope, "-o", self.folder / "o.ndjson"],
                     ["export", scope, "-o", self.folder / "tree"]):
            self.answers(REFUSED, word, *what, *extra)
        self.assertFalse((self.folder / "o").exists() or (self.folder / "o.ndjson").exists())
        self.assertEqual([], self.files_below(self.folder / "tree"))

    def check_writes(self, word, scope=SCOPE, extra=()):
        self.answers(REFUSED, word, "put", scope, "b", *extra, stdin=b"x")
        self.answers(REFUSED, word, "put", scope, "large", *extra, stdin=bytes(400_000))
        self.answers(REFUSED, word, "rm", scope, "a", *extra)
        self.write("in/c", b"x")
        moved = self.document("import", scope, self.folder / "in", *extra, code=REFUSED)
        self.assertEqual((0, word), (moved["records"], moved["stopped"]["code"]))


class Show(Keys):
    def test_a_new_scope(self):
        shown = self.keys(SCOPE)
        self.assertEqual(["scope", "id", "state", "changed", "reason", "effective", "held", "keys"],
                         list(shown))
        self.assertEqual((SCOPE, self.id_of(SCOPE), "active", None, "active", False),
                         tuple(shown[k] for k in ("scope", "id", "state", "reason", "effective", "held")))
        self.assertEqual(["data", "lasting"], [key["line"] for key in shown["keys"]])
        for key in shown["keys"]:
            self.assertEqual((1, "active", key["created"]),
                             (key["generation"], key["state"], key["changed"]))
            self.assertRegex(key["id"], "^[0-9a-f]{16}$")
            self.assertRegex(key["commitment"], "^[0-9a-f]{64}$")
        logged = {e["key"]: e["commitment"] for e in self.logged("key-created")}
        for key in shown["keys"]:
            self.assertEqual(logged[key["id"]], key["commitment"])

    def test_for_people(self):
        self.change("suspend", SCOPE, "objection")
        text = self.must("key", "show", SCOPE).decode()
        for line in (r"state +suspended", r"reason +objection", r"effective +suspended", r"held +no",
                     r"KEY +LINE +GENERATION +STATE", r"[0-9a-f]{16} +data +1 +suspended"):
            self.assertRegex(text, line)

    def test_errors(self):
        self.says(self.exits(NOT_FOUND, "key", "show", "acme/none"), "acme/none: no such scope")
        self.exits(USAGE, "key", "show")
        self.exits(USAGE, "key", "show", "")
        self.must("erase", SCOPE, "--reason", "test", "--yes", "--now")
        self.says(self.exits(ERASED, "key", "show", SCOPE), SCOPE, "erased")


class Transitions(Keys):
    def test_each_is_shown_and_logged(self):
        path = [("suspend", "suspended"), ("resume", "active"), ("suspend", "suspended"),
                ("deactivate", "deactivated"), ("compromise", "compromised")]
        before = "active"
        for to, state in path:
            document = self.document("key", to, "acme", "--reason", "contract-ended")
            self.assertEqual((1, 0), (document.pop("acknowledged"), document.pop("unconfirmed")))
            self.assertEqual(self.keys("acme"), document)
            self.assertEqual((state, state, "contract-ended"),
                             tuple(document[k] for k in ("state", "effective", "reason")))
            self.assertEqual({state}, {key["state"] for key in document["keys"]})
            self.assertGreater(document["changed"], document["keys"][0]["created"])
            self.assertEqual({"scope": self.id_of("acme"), "from": before, "to": state,
                              "reason": "contract-ended"}, self.logged("state-changed")[-1])
            before = state
        self.assertEqual(len(path), len(self.logged("state-changed")))
        self.must("audit", "verify")
        self.must("check")

    def test_what_the_table_does_not_have_is_refused(self):
        path = [(None, ["resume"]), ("suspend", ["suspend"]), ("deactivate", ["suspend", "resume", "deactivate"]),
                ("compromise", CHANGES)]
        for to, refused in path:
            if to:
                self.change(to)
            before = self.keys("acme")
            for change in refused:
                done = self.change(change, code=REFUSED)
                self.says(done, "quietus: acme: a key that is ", " cannot become ")
            self.assertEqual(before, self.keys("acme"))
        self.assertEqual(3, len(self.logged("state-changed")))

    def test_reasons_are_codes(self):
        for reason in REASONS:
            self.change("suspend", reason=reason)
            self.assertEqual(reason, self.keys("acme")["reason"])
            self.change("resume")
        for change in CHANGES:
            for reason in "Jane Doe asked", "", "litigation", "OBJECTION":
                self.says(self.change(change, reason=reason, code=USAGE), "one of: " + ", ".join(REASONS))
            self.says(self.exits(USAGE, "key", change, "acme"), "--reason")
        self.assertEqual("active", self.keys("acme")["state"])

    def test_scopes_must_exist(self):
        self.must("erase", SCOPE, "--reason", "test", "--yes", "--now")
        for change in CHANGES:
            self.change(change, "acme/none", code=NOT_FOUND)
            self.change(change, SCOPE, code=ERASED)
            self.change(change, "", code=USAGE)

    def test_what_is_in_any_state_can_be_erased(self):
        for change, tenant in (("suspend", "a"), ("deactivate", "b"), ("compromise", "c")):
            scope = self.tenant(tenant, "data")
            self.change(change, tenant)
            self.must("erase", scope, "--reason", "test", "--yes", "--now")
            self.exits(ERASED, "ls", scope)
            self.must("erase", tenant, "--reason", "test", "--yes", "--now", "--certificate", self.folder / tenant)
            pem = self.write("pem", self.must("cert", "key"))
            self.must("cert", "verify", self.folder / tenant, "--key", pem)


class Restriction(Keys):
    def test_nothing_is_read_or_written_and_nothing_is_lost(self):
        for restricted in "acme", "acme/data", SCOPE:
            self.change("suspend", restricted, "accuracy-contested")
            for scope in SCOPE, "globex/model":
                self.check_reads("restricted", scope)
                self.check_writes("restricted", scope)
                self.assertEqual(("active" if scope != restricted else "suspended", "suspended"),
                                 (self.keys(scope)["state"], self.keys(scope)["effective"]))
                self.assertEqual("suspended", self.document("scope", "show", scope)["state"])
            self.assertEqual(b"content", self.must("get", "initech", "a"))
            self.assertEqual("active", self.keys("globex")["effective"])
            self.must("check")
            self.change("resume", restricted, "resolved")
            for scope in SCOPE, "globex/model":
                self.assertEqual(b"content", self.must("get", scope, "a"))
                self.assertEqual(["a"], [r["name"] for r in self.document("ls", scope)["records"]])
        self.must("put", SCOPE, "b", stdin=b"x")

    def test_what_it_says(self):
        self.change("suspend")
        self.says(self.exits(REFUSED, "get", SCOPE, "a"),
                  f"quietus: {SCOPE}: a: processing is restricted; state a lawful use")

    def test_no_scope_is_made_below_or_from_it(self):
        self.change("suspend")
        self.answers(REFUSED, "restricted", "scope", "create", "acme/new")
        self.answers(REFUSED, "restricted", "scope", "create", "initech/new", "--derived-from", SCOPE)
        self.change("resume")
        self.must("scope", "create", "acme/new")

    def test_it_is_listed(self):
        self.change("suspend", "acme/data")
        self.assertEqual(["suspended"], [s["state"] for s in self.document("scope", "list", "acme")["scopes"]])
        self.assertRegex(self.must("scope", "list", "acme/data").decode(), "suspended")
        states = {s["name"]: s["state"] for s in self.document("tenant", "list")["scopes"]}
        self.assertEqual({"acme": "active", "globex": "active", "initech": "active"}, states)

    def test_lawful_uses(self):
        self.change("suspend")
        for use in USES:
            lawful = "--restricted-use", use
            self.assertEqual(b"content", self.must("get", SCOPE, "a", *lawful))
            self.must("put", SCOPE, "b", *lawful, stdin=b"x")
            self.assertEqual(2, len(self.document("ls", SCOPE, *lawful)["records"]))
            self.must("rm", SCOPE, "b", *lawful)
            self.write("in/c", b"x")
            self.must("import", SCOPE, self.folder / "in", *lawful)
            self.must("export", SCOPE, "-o", self.folder / use, *lawful)
            self.must("export", SCOPE, "-o", self.folder / f"{use}.ndjson", *lawful)
            self.assertEqual(["a", "c"], self.files_below(self.folder / use))
            self.must("rm", SCOPE, "c", *lawful)
        entry = {"scope": self.id_of(SCOPE)}
        self.assertEqual([entry | {"use": use} for use in USES for _ in range(8)],
                         self.logged("restricted-use"))
        self.assertEqual(2 * len(USES), len(self.logged("export-made")))
        # It is of that command alone.
        self.check_reads("restricted")
        # And reaches what was derived, where that is what is wanted.
        self.assertEqual(b"content", self.must("get", "globex/model", "a", "--restricted-use", "consent"))

    def test_other_uses_are_refused_and_not_logged(self):
        self.change("suspend")
        for what in (["get", SCOPE, "a"], ["put", SCOPE, "b"], ["ls", SCOPE], ["rm", SCOPE, "a"],
                     ["import", SCOPE, self.write("in/c", b"x").parent],
                     ["export", SCOPE, "-o", self.folder / "o.ndjson"]):
            for use in "curiosity", "CONSENT", "objection":
                self.says(self.exits(USAGE, *what, "--restricted-use", use), *USES)
        self.assertFalse((self.folder / "o.ndjson").exists())
        self.assertEqual([], self.logged("restricted-use"))

    def test_a_use_may_be_stated_of_what_is_not_restricted(self):
        self.assertEqual(b"content", self.must("get", SCOPE, "a", "--restricted-use", "consent"))
        self.assertEqual(1, len(self.logged("restricted-use")))

    def test_a_read_only_vault_shows_states_and_lets_nothing_through(self):
        self.change("suspend")
        for anchor in (self.folder / "roots").rglob("anchor"):
            anchor.unlink()
        done = self.exits(DONE, "key", "show", SCOPE)
        self.says(done, "read-only")
        self.assertIn(b"suspended", done.stdout)
        self.check_reads("restricted")
        # A use that cannot be logged is none.
        for what in (["get", SCOPE, "a", "-o", self.folder / "o"], ["ls", SCOPE]):
            message = self.answers(REFUSED, "refused", *what, "--restricted-use", "consent")
            self.assertIn("reading only", message)
        self.assertEqual([], self.logged("restricted-use"))
        self.change("resume", code=INTEGRITY)
        self.assertEqual("suspended", self.keys("acme")["state"])


class OtherStates(Keys):
    def test_deactivated_is_read_and_not_written(self):
        self.change("deactivate", "acme", "contract-ended")
        for scope in SCOPE, "globex/model":
            self.check_writes("refused", scope)
            self.check_writes("refused", scope, ("--restricted-use", "consent"))
            self.assertEqual(b"content", self.must("get", scope, "a"))
            self.must("ls", scope)
            self.must("export", scope, "-o", self.folder / scope.replace("/", "-"))
        self.says(self.exits(REFUSED, "put", SCOPE, "b", stdin=b"x"),
                  "the scope's key is deactivated: nothing is written under it")
        self.answers(REFUSED, "refused", "scope", "create", "acme/new")
        self.must("put", "initech", "b", stdin=b"x")

    def test_compromised_is_read_for_a_stated_use_only(self):
        self.change("compromise", SCOPE, "incident")
        lawful = "--restricted-use", "rights-of-others"
        for scope in SCOPE, "globex/model":
            self.check_reads("refused", scope)
            self.check_writes("refused", scope)
            self.check_writes("refused", scope, lawful)
            self.assertEqual(b"content", self.must("get", scope, "a", *lawful))
        self.says(self.exits(REFUSED, "get", SCOPE, "a"),
                  "the scope's key is compromised: nothing is read under it")
        self.assertEqual("compromised", self.document("scope", "show", "globex/model")["state"])

    def test_the_state_that_allows_least_decides(self):
        cases = [("suspend", "deactivate", "suspended", "restricted"),
                 ("deactivate", "suspend", "suspended", "restricted"),
                 ("suspend", "compromise", "compromised", "restricted"),
                 ("compromise", "suspend", "compromised", "restricted")]
        for number, (above, below, effective, word) in enumerate(cases):
            scope = self.tenant(f"tenant-{number}", "data")
            self.must("put", scope, "a", stdin=b"x")
            self.change(above, f"tenant-{number}")
            self.change(below, scope)
            self.assertEqual(effective, self.keys(scope)["effective"])
            self.check_reads(word, scope)
            self.check_writes(word, scope)
            # Neither of the two states that do not let write can be got around.
            self.exits(REFUSED, "put", scope, "b", "--restricted-use", "consent", stdin=b"x")
            self.assertEqual(b"x", self.must("get", scope, "a", "--restricted-use", "consent"))


class TwoProcesses(Keys):
    """One has the vault open while the state changes in another."""

    def test_it_is_told_at_once(self):
        process = self.waiting_put(SCOPE, "b")
        changed = self.document("key", "suspend", "acme", "--reason", "objection")
        self.assertEqual((2, 0), (changed["acknowledged"], changed["unconfirmed"]))
        shown, _ = process.communicate(b"x", timeout=60)
        self.assertEqual(REFUSED, process.returncode)
        self.assertEqual("restricted", json.loads(shown)["error"]["code"])
        self.change("resume")
        self.exits(NOT_FOUND, "get", SCOPE, "b")

    def test_one_that_does_not_confirm_is_told_of(self):
        process = self.waiting_put(SCOPE, "b")
        process.send_signal(signal.SIGSTOP)
        done = self.exits(DONE, "--json", "key", "suspend", "acme", "--reason", "objection")
        self.says(done, "1 process did not confirm in time")
        changed = json.loads(done.stdout)
        self.assertEqual((1, 1), (changed["acknowledged"], changed["unconfirmed"]))
        self.check_reads("restricted")
        process.send_signal(signal.SIGCONT)
        process.communicate(b"x", timeout=60)
        self.assertEqual(REFUSED, process.returncode)
        self.assertEqual(1, len(self.document("ls", SCOPE, "--restricted-use", "consent")["records"]))


if __name__ == "__main__":
    main()
