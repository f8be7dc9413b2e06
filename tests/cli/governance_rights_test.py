"""Requests about the rights of persons, and access reviews."""

import json
import unittest

from governed import FAKETIME, Governed
from scenario import DONE, FAILURE, INTEGRITY, REFUSED, USAGE, main


class Rights(Governed):
    def test_access_is_an_export_that_was_approved(self):
        self.must("scope", "create", "acme/data/jane", **self.as_("dan"))
        self.must("put", "acme/data/jane", "order", stdin=b"an order", **self.as_("dan"))
        self.may_not("ben", "export", self.scope, "-o", self.folder / "out")
        self.exits(REFUSED, "export", self.scope, "-o", self.folder / "alone", **self.as_("dan"))
        self.assertEqual([], self.files_below(self.folder / "alone"))
        request = self.opened("access")
        export = ("export", "--request", request, "-o", self.folder / "out")
        self.exits(REFUSED, *export, **self.as_("dan"))  # nobody has approved it
        self.assertFalse((self.folder / "out").exists())
        self.approved_by("ben", request)
        self.exits(USAGE, "export", self.scope, *export[1:], **self.as_("dan"))
        self.exits(USAGE, *export[:-1], self.folder / "two.ndjson", **self.as_("dan"))
        self.says(self.exits(REFUSED, "request", "execute", request, **self.as_("dan")), "export --request")
        self.assertEqual("approved", self.state(request))
        # An export that fails can be tried again.
        self.write("out", b"in the way")
        self.exits(FAILURE, *export, **self.as_("dan"))
        self.assertEqual("executing", self.state(request))
        (self.folder / "out").unlink()
        done = self.document(*export, **self.as_("dan"))
        self.assertEqual(["acme/data", "acme/data/jane"], [one["scope"] for one in done["exports"]])
        self.assertEqual(b"secret", (self.folder / "out" / "acme" / "data" / "a record").read_bytes())
        self.assertEqual(b"an order", (self.folder / "out" / "acme" / "data" / "jane" / "order").read_bytes())
        self.assertEqual("done", self.state(request))
        # It was allowed once.
        self.exits(REFUSED, "export", "--request", request, "-o", self.folder / "again", **self.as_("dan"))
        self.assertFalse((self.folder / "again").exists())

    def test_portability_is_a_file(self):
        request = self.opened("portability")
        self.approved_by("ben", request)
        export = ("export", "--request", request, "-o", self.folder / "out.ndjson")
        self.may_not("ben", *export)
        self.must(*export, **self.as_("dan"))
        (line,) = (self.folder / "out.ndjson").read_text().splitlines()
        self.assertEqual("a record", json.loads(line)["name"])
        self.exits(REFUSED, *export, **self.as_("dan"))
        # No other kind of request is exported.
        request = self.opened("restriction")
        self.approved_by("ben", request)
        self.exits(REFUSED, "export", "--request", request, "-o", self.folder / "x", **self.as_("dan"))

    def test_a_correction_names_records(self):
        open_one = ("request", "open", "correction", self.scope, "--reason", "other")
        contact = ("--contact-file", self.write("contact", b"jane@example"))
        opened = self.document(*open_one, "--record", "a record", "--record", "another", *contact,
                               **self.as_("dan"))
        request = opened["request"]
        asked = {"dan": True, "cleo": True, "ada": True, "ben": False, "eve": False}
        for name, may_know in asked.items():
            with self.subTest(name):
                shown = self.document("request", "show", request, **self.as_(name))
                self.assertEqual(["a record", "another"] if may_know else [], shown["records"])
                self.assertEqual("jane@example" if may_know else None, shown["contact"])
                text = self.must("request", "show", request, **self.as_(name))
                self.assertEqual([may_know] * 2, [word in text for word in (b"jane@example", b"another")])
        self.exits(USAGE, "request", "open", "access", self.scope, "--reason", "x", "--record", "a", **self.as_("dan"))
        self.must("request", "verify", request, "--method", "m", "--evidence", self.write("scan", b"x"),
                  **self.as_("cleo"))
        self.assertNotIn(b"another", self.plan(request))
        self.approved_by("ben", request)
        self.must("put", self.scope, "a record", stdin=b"corrected", **self.as_("dan"))
        self.assertEqual("done", self.document("request", "execute", request, **self.as_("dan"))["state"])

    def test_a_hold_and_a_policy_change_by_approval(self):
        hold = self.document("hold", "place", self.scope, "--reason", "test", **self.as_("dan"))["hold"]
        self.change("hold", "release", hold)
        self.assertEqual([], self.document("hold", "list", **self.as_("eve"))["holds"])
        policy = self.write("p", b'effective = 2000-01-01\n[approval.scope]\npeople = 2\n[deadline]\ndeletion = "1m"\n')
        self.change("policy", "apply", policy)
        request = self.opened()
        approved = self.approved_by("ben", request)
        self.assertIn("1 of 2", approved["missing"])
        self.assertIsNotNone(approved["deadline"])


class Review(Governed):
    def test_a_review_is_printed_and_signed(self):
        text = self.must("operator", "review", **self.as_("eve"))
        for expected in (b"operator ada: admin", b"without a second factor", b"  may look, review\n"):
            self.assertIn(expected, text)
        self.exits(REFUSED, "operator", "review", **self.as_("dan"))
        for who, namespace, code in (("dan", "review@quietus", REFUSED), ("eve", "act@quietus", INTEGRITY)):
            self.exits(code, "operator", "review", "--text", self.write("r", text), "--signature",
                       self.write("r.sig", self.sign(who, text, namespace)), **self.as_("eve"))
        signature = self.write("r.sig", self.sign("eve", text, "review@quietus"))
        self.must("operator", "review", "--text", self.write("r", text), "--signature", signature, **self.as_("eve"))
        self.assertIsNotNone(self.governance()["last_review"])
        kinds = [(e["kind"], e.get("what")) for e in self.document("audit", "log", **self.as_("eve"))["entries"]]
        self.assertIn(("decision", "access-reviewed"), kinds)

    def test_rights_that_changed_are_looked_at_again(self):
        text = self.must("operator", "review", **self.as_("eve"))
        signature = self.write("r.sig", self.sign("eve", text, "review@quietus"))
        self.change("operator", "add", "dan", "--role", "operator", "--role", "approver", "--key", self.public("dan"))
        self.says(self.exits(REFUSED, "operator", "review", "--text", self.write("r", text), "--signature", signature,
                             **self.as_("eve")), "rights have changed")

    def test_the_report_says_who_decides(self):
        request = self.opened()
        page = self.folder / "report.html"
        report = self.document("audit", "report", "-o", page, **self.as_("eve"))
        self.assertEqual((True, 0, False), (report["governed"], report["overdue_requests"], report["review_overdue"]))
        text = page.read_text()
        for expected in ("Who decides", "Governed since", "<dt>Operators</dt><dd><span>5</span>", "None yet",
                         "Requests that are open", request, "verified"):
            self.assertIn(expected, text)
        self.assertNotIn("overdue", text)
        self.assertIn(b"governed", self.must("audit", "report", "-o", page, **self.as_("eve")))
        single = {"QUIETUS_VAULT": str(self.folder / "single")}
        self.must("init", self.folder / "single", *self.anywhere("single-roots"), **single)
        self.assertFalse(self.document("audit", "report", "-o", page, **single)["governed"])
        text = page.read_text()
        self.assertIn("whoever can unlock the vault can do everything alone", text)
        self.assertNotIn("Requests that are open", text)

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_what_is_overdue(self):
        self.change("policy", "apply", self.write("p", b'effective = 2000-01-01\n[deadline]\ndeletion = "1m"\n'))
        self.opened()
        page = self.folder / "report.html"
        status = self.in_days(91, DONE, "status", **self.as_("eve")).stdout
        self.assertIn(b"1 OVERDUE", status)
        self.assertNotIn(b"review OVERDUE", status)
        self.assertIn(b"access review OVERDUE", self.in_days(93, DONE, "status", **self.as_("eve")).stdout)
        report = json.loads(self.in_days(93, DONE, "--json", "audit", "report", "-o", page, **self.as_("eve")).stdout)
        self.assertEqual((1, True), (report["overdue_requests"], report["review_overdue"]))
        self.assertEqual(2, page.read_text().count(">overdue<"))
        self.in_days(93, DONE, "operator", "review", "--sign", **self.as_("eve"))
        self.assertNotIn(b"review OVERDUE", self.in_days(94, DONE, "status", **self.as_("eve")).stdout)


if __name__ == "__main__":
    main()
