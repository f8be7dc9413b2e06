"""hold: place, release, list; what is held is not erased, replaced or removed."""

import datetime
import json

from scenario import DONE, ERASED, INTEGRITY, NOT_FOUND, REFUSED, USAGE, Scenario, main

SCOPE = "acme/data/user-7"
REASONS = ["litigation", "investigation", "audit", "tax", "test", "other"]
NONE = "0" * 32


class Held(Scenario):
    """acme/data/user-7 and a sibling; globex/model, which was derived from it; initech apart."""

    def setUp(self):
        super().setUp()
        self.tenant("acme", "data")
        self.tenant("globex")
        for scope in SCOPE, "acme/data/user-8":
            self.must("scope", "create", scope)
        self.must("scope", "create", "globex/model", "--derived-from", SCOPE)
        self.tenant("initech")
        for scope in SCOPE, "acme/data/user-8", "globex/model", "initech":
            self.must("put", scope, "a", stdin=b"content")

    def hold(self, scope, *arguments, reason="litigation"):
        return self.document("hold", "place", scope, "--reason", reason, *arguments)

    def id_of(self, scope):
        return self.document("scope", "show", scope)["id"]

    def logged(self, kind):
        """Entries of that kind, without what differs from run to run."""
        entries = self.document("audit", "log")["entries"]
        return [{k: v for k, v in e.items() if k not in ("entry", "time", "kind")}
                for e in entries if e["kind"] == kind]

    def erase(self, *scopes, code=DONE):
        return self.exits(code, "erase", *scopes, "--reason", "deletion-request", "--yes", "--now")

    def held(self, *arguments, **how):
        """The command is stopped by a hold, and says so in JSON too."""
        error = self.document(*arguments, code=REFUSED, **how)["error"]
        self.assertEqual(("held", REFUSED), (error["code"], error["exit"]), arguments)
        return error["message"]


class PlaceListRelease(Held):
    def test_there_and_back(self):
        before = datetime.datetime.now(datetime.timezone.utc)
        placed = self.hold(SCOPE, "--authority", "Court of Springfield, 7 C 12/26",
                           "--until", "2099-03-31")
        self.assertEqual(["hold", "scope", "scope_id", "placed", "until", "reason", "authority"],
                         list(placed))
        self.assertRegex(placed["hold"], "^[0-9a-f]{32}$")
        self.assertEqual((SCOPE, self.id_of(SCOPE), "2099-03-31T00:00:00.000Z", "litigation",
                          "Court of Springfield, 7 C 12/26"),
                         tuple(placed[k] for k in ("scope", "scope_id", "until", "reason", "authority")))
        age = datetime.datetime.fromisoformat(placed["placed"]) - before
        self.assertLess(abs(age.total_seconds()), 60)
        self.assertEqual([placed], self.document("hold", "list")["holds"])
        for text in placed["hold"], "2099-03-31", "litigation", "Court of Springfield", SCOPE:
            self.assertIn(text.encode(), self.must("hold", "list"))
        released = self.document("hold", "release", placed["hold"])
        self.assertEqual({"hold": placed["hold"], "released": True}, released)
        self.assertEqual([], self.document("hold", "list")["holds"])
        entry = {"scope": placed["scope_id"], "hold": placed["hold"]}
        self.assertEqual([entry | {"reason": "litigation"}], self.logged("hold-placed"))
        self.assertEqual([entry], self.logged("hold-released"))
        self.assertNotIn(b"Springfield", self.must("audit", "log"))
        self.must("audit", "verify")

    def test_for_scripts(self):
        held = self.must("hold", "place", SCOPE, "--reason", "audit").decode().strip()
        [listed] = self.document("hold", "list")["holds"]
        self.assertEqual((held, None, None), (listed["hold"], listed["until"], listed["authority"]))
        self.assertEqual(b"", self.must("hold", "release", held))
        self.assertEqual(b"", self.must("hold", "list"))

    def test_reasons_are_codes(self):
        for reason in REASONS:
            self.assertEqual(reason, self.hold("initech", reason=reason)["reason"])
        for reason in "Doe versus Acme", "", "objection", "TAX":
            done = self.exits(USAGE, "hold", "place", SCOPE, "--reason", reason)
            self.says(done, "one of: " + ", ".join(REASONS))
        self.says(self.exits(USAGE, "hold", "place", SCOPE), "--reason")
        self.exits(USAGE, "hold", "place", "--reason", "tax")
        self.assertEqual(len(REASONS), len(self.document("hold", "list")["holds"]))

    def test_dates(self):
        today = datetime.datetime.now(datetime.timezone.utc).date()
        for date in ("2020-01-01", today.isoformat()):
            done = self.exits(USAGE, "hold", "place", SCOPE, "--reason", "tax", "--until", date)
            self.says(done, SCOPE, "not in the future")
        for date in ("2099-02-29", "2099-13-01", "2099-00-01", "2099-01-00", "99-01-01", "2099-1-1",
                     "31.03.2099", "2099-03-31T00:00:00Z", "2099/03/31", "soon", "-099-01-01", "1969-12-31"):
            done = self.exits(USAGE, "hold", "place", SCOPE, "--reason", "tax", f"--until={date}")
            self.says(done, "--until: a date is YYYY-MM-DD")
        self.assertEqual([], self.document("hold", "list")["holds"])
        self.assertEqual([], self.logged("hold-placed"))
        soon = (today + datetime.timedelta(days=2)).isoformat()
        self.assertEqual(soon + "T00:00:00.000Z", self.hold(SCOPE, "--until", soon)["until"])
        self.assertEqual("2096-02-29T00:00:00.000Z", self.hold(SCOPE, "--until", "2096-02-29")["until"])

    def test_scopes_and_ids_must_exist(self):
        self.says(self.exits(NOT_FOUND, "hold", "place", "acme/none", "--reason", "tax"), "acme/none")
        self.says(self.exits(NOT_FOUND, "hold", "list", "acme/none"), "acme/none: no such scope")
        self.exits(USAGE, "hold", "place", "", "--reason", "tax")
        self.says(self.exits(NOT_FOUND, "hold", "release", NONE), NONE, "no such hold")
        for name in "x", "", NONE[1:], NONE + "0", SCOPE:
            self.says(self.exits(USAGE, "hold", "release", name), "32 hex digits")
        placed = self.hold(SCOPE)["hold"]
        self.must("hold", "release", placed)
        self.exits(NOT_FOUND, "hold", "release", placed)
        self.erase(SCOPE)
        self.says(self.exits(ERASED, "hold", "place", SCOPE, "--reason", "tax"), SCOPE, "erased")
        self.exits(ERASED, "hold", "list", SCOPE)

    def test_listed_by_what_they_cover(self):
        on = {scope: self.hold(scope)["hold"] for scope in ("acme", SCOPE, "globex", "initech")}
        covered = {"acme": ["acme"], "acme/data": ["acme"], SCOPE: ["acme", SCOPE],
                   "acme/data/user-8": ["acme"], "globex": ["globex"],
                   "globex/model": ["acme", SCOPE, "globex"], "initech": ["initech"]}
        for scope, by in covered.items():
            listed = self.document("hold", "list", scope)["holds"]
            self.assertEqual({on[other] for other in by}, {hold["hold"] for hold in listed}, scope)
            self.assertTrue(self.document("key", "show", scope)["held"])
        self.assertEqual(4, len(self.document("hold", "list")["holds"]))
        self.must("hold", "release", on["acme"])
        self.assertFalse(self.document("key", "show", "acme/data")["held"])
        self.assertTrue(self.document("key", "show", SCOPE)["held"])

    def test_authority(self):
        for text in "Größe & Söhne, 日本", "x" * 4096, "two\nlines \x1b[2J":
            placed = self.hold(SCOPE, "--authority", text)
            self.assertEqual(text, placed["authority"])
            self.assertIn(text, [h["authority"] for h in self.document("hold", "list")["holds"]])
        shown = self.must("hold", "list")
        self.assertNotIn(b"\x1b", shown)
        self.assertIn(rb"two\x0alines \x1b[2J", shown)
        for text in "x" * 4097, b"\xff":
            self.says(self.exits(USAGE, "hold", "place", SCOPE, "--reason", "tax", "--authority", text),
                      "authority of a hold")
        self.assertEqual(3, len(self.document("hold", "list")["holds"]))
        for path in [p for p in self.folder.rglob("*") if p.is_file()]:
            self.assertNotIn("Söhne".encode(), path.read_bytes(), path)


class Keeps(Held):
    def test_what_it_covers_from_being_erased(self):
        everything = ["acme", "acme/data", SCOPE, "acme/data/user-8", "globex", "globex/model", "initech"]
        with_model = {"acme", "acme/data", SCOPE, "globex", "globex/model"}
        keeps = {"acme": with_model | {"acme/data/user-8"}, SCOPE: with_model, "globex": with_model,
                 "globex/model": with_model, "initech": {"initech"},
                 "acme/data/user-8": {"acme", "acme/data", "acme/data/user-8"}}
        for scope, kept in keeps.items():
            hold = self.hold(scope)["hold"]
            for other in everything:
                if other in kept:
                    message = self.held("erase", other, "--reason", "test", "--yes", "--now")
                    self.assertIn("1 legal hold", message, (scope, other))
            self.must("hold", "release", hold)
        # What a hold does not keep is erased.
        self.hold("globex")
        self.erase("acme/data/user-8")
        self.erase("initech")
        self.assertEqual(b"content", self.must("get", "globex/model", "a"))

    def test_nothing_happens_to_it(self):
        hold = self.hold(SCOPE)["hold"]
        generation = self.document("status")["root_generation"]
        slots = self.files_below(self.folder / "roots")
        for targets in (["acme"], [SCOPE], ["initech", SCOPE]):
            done = self.exits(REFUSED, "erase", *targets, "--reason", "test", "--yes", "--now",
                              "--certificate", self.folder / "certificate")
            self.says(done, "1 legal hold", "hold list")
        self.says(self.erase("acme", code=REFUSED), "quietus: acme: 1 legal hold")
        self.assertFalse((self.folder / "certificate").exists())
        self.assertEqual(generation, self.document("status")["root_generation"])
        self.assertEqual(slots, self.files_below(self.folder / "roots"))
        self.assertEqual([], self.document("status")["pending_erasures"])
        self.assertEqual([], self.document("cert", "list")["certificates"])
        self.assertEqual([], self.document("erase", "--resume")["finished"])
        for scope in SCOPE, "acme/data/user-8", "globex/model", "initech":
            self.assertEqual(b"content", self.must("get", scope, "a"))
        self.must("check")
        refused = [self.id_of(scope) for scope in ("acme", SCOPE, "initech", SCOPE, "acme")]
        self.assertCountEqual([{"scope": scope, "attempt": "erase", "reason": "held"} for scope in refused],
                              self.logged("attempt-refused"))
        self.must("hold", "release", hold)
        self.erase("acme", "initech")
        for scope in "acme", SCOPE, "globex/model", "initech":
            self.exits(ERASED, "ls", scope)

    def test_the_vault_from_being_destroyed(self):
        hold = self.hold(SCOPE)["hold"]
        destroy = ["vault", "destroy", "--reason", "test", "--yes", "--certificate", self.folder / "last"]
        self.held(*destroy)
        self.assertFalse((self.folder / "last").exists())
        self.assertEqual([{"scope": "0" * 16, "attempt": "destroy-vault", "reason": "held"}],
                         self.logged("attempt-refused"))
        self.assertEqual(b"content", self.must("get", SCOPE, "a"))
        self.must("unlock", "change", "--new-key-file", self.key)
        self.must("hold", "release", hold)
        self.must(*destroy)

    def test_every_hold_must_go(self):
        first, second, third = (self.hold(scope)["hold"] for scope in ("acme", SCOPE, SCOPE))
        self.says(self.erase("acme", code=REFUSED), "3 legal hold")
        for hold, left in (second, 2), (first, 1):
            self.must("hold", "release", hold)
            self.says(self.erase("acme", code=REFUSED), f"{left} legal hold")
        self.must("hold", "release", third)
        self.erase("acme")

    def test_records_from_being_replaced_or_removed(self):
        self.must("put", SCOPE, "large", stdin=bytes(400_000))
        self.hold("acme/data")
        for scope in SCOPE, "globex/model":
            for content in b"changed", bytes(400_000):
                self.held("put", scope, "a", stdin=content)
            self.held("rm", scope, "a")
            self.says(self.exits(REFUSED, "rm", scope, "a"),
                      f"quietus: {scope}: a: a legal hold keeps the record from being changed or removed")
            self.assertEqual(b"content", self.must("get", scope, "a"))
            self.exits(NOT_FOUND, "rm", scope, "none")
            self.must("put", scope, "new", stdin=b"new")
            self.held("put", scope, "new", stdin=b"newer")
        self.held("rm", SCOPE, "large")
        # Restricted or not.
        self.must("key", "suspend", "acme", "--reason", "legal-claims")
        self.held("rm", SCOPE, "a", "--restricted-use", "legal-claims")
        refused = {entry["scope"] for entry in self.logged("attempt-refused")}
        self.assertEqual({self.id_of(SCOPE), self.id_of("globex/model")}, refused)
        self.assertEqual({"change-record"}, {e["attempt"] for e in self.logged("attempt-refused")})
        self.must("rm", "initech", "a")

    def test_an_import_that_would_replace_one_stops(self):
        self.write("in/a", b"changed")
        self.hold(SCOPE)
        moved = self.document("import", SCOPE, self.folder / "in", code=REFUSED)
        self.assertEqual((0, "held"), (moved["records"], moved["stopped"]["code"]))
        self.assertEqual(b"content", self.must("get", SCOPE, "a"))
        self.write("new/b", b"new")
        self.must("import", SCOPE, self.folder / "new")

    def test_a_restriction_and_a_hold_are_apart(self):
        hold = self.hold("acme")["hold"]
        for change in "suspend", "resume", "deactivate":
            self.must("key", change, SCOPE, "--reason", "test")
        shown = self.document("key", "show", SCOPE)
        self.assertEqual(("deactivated", True), (shown["effective"], shown["held"]))
        self.must("hold", "release", hold)
        self.assertEqual("deactivated", self.document("key", "show", SCOPE)["effective"])


class Report(Held):
    def test_the_periodic_page_counts_them(self):
        hold = self.hold(SCOPE)["hold"]
        self.erase(SCOPE, code=REFUSED)
        self.must("key", "suspend", SCOPE, "--reason", "objection")
        self.must("ls", SCOPE, "--restricted-use", "consent")
        self.must("hold", "release", hold)
        self.must("audit", "report", "-o", self.folder / "page.html")
        page = (self.folder / "page.html").read_text()
        for kind in "hold-placed", "hold-released", "state-changed", "restricted-use", "attempt-refused":
            self.assertRegex(page, rf'<th scope="row">{kind}</th><td>1</td>')


class TwoProcesses(Held):
    def test_a_writer_is_told_at_once(self):
        process = self.waiting_put(SCOPE, "a")
        hold = self.hold("acme")["hold"]
        shown, _ = process.communicate(b"changed", timeout=60)
        self.assertEqual(REFUSED, process.returncode)
        self.assertEqual("held", json.loads(shown)["error"]["code"])
        self.assertEqual(b"content", self.must("get", SCOPE, "a"))
        self.must("hold", "release", hold)
        self.must("put", SCOPE, "a", stdin=b"changed")


class ReadOnly(Held):
    def test_holds_are_listed_and_stay(self):
        hold = self.hold(SCOPE, "--authority", "file 7")["hold"]
        for anchor in (self.folder / "roots").rglob("anchor"):
            anchor.unlink()
        done = self.exits(DONE, "hold", "list", "--json")
        self.says(done, "read-only")
        [listed] = json.loads(done.stdout)["holds"]
        self.assertEqual((hold, "file 7"), (listed["hold"], listed["authority"]))
        self.exits(INTEGRITY, "hold", "place", "initech", "--reason", "tax")
        self.exits(INTEGRITY, "hold", "release", hold)
        self.exits(INTEGRITY, "erase", "initech", "--reason", "test", "--yes", "--now")
        self.must("doctor", "--rewrite-anchor", "--yes")
        self.held("erase", "acme", "--reason", "test", "--yes", "--now")


if __name__ == "__main__":
    main()
