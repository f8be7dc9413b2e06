"""What counts as a signature of an approval."""

import datetime
import unittest

from governed import FAKETIME, Governed
from scenario import INTEGRITY, REFUSED, USAGE, main


class Signatures(Governed):
    """What counts as an approval: of one plan, one use, one vault, by people who may still approve."""

    def refused(self, code, *arguments, name="ben", **where):
        self.exits(code, *arguments, **self.as_(name), **where)
        self.lives()

    def test_one_approval_is_not_two(self):
        self.must("key", "suspend", "acme", "--reason", "objection", **self.as_("dan"))
        request = self.opened(scope="acme")
        self.approved_by("ben", request)
        self.exits(REFUSED, "request", "approve", request, "--agent", **self.as_("ben"))
        for name in ("ada", "dan"):
            self.exits(REFUSED, "request", "execute", request, **self.as_(name))
        self.must("key", "resume", "acme", "--reason", "resolved", **self.as_("dan"))
        self.lives()

    def test_who_opened_it_does_not_approve_it_alone(self):
        self.change("operator", "add", "dan", "--role", "operator", "--role", "approver", "--key", self.public("dan"))
        request = self.opened()
        approved = self.approved_by("dan", request)
        self.assertEqual("verified", approved["state"])
        self.exits(REFUSED, "request", "execute", request, **self.as_("dan"))
        self.lives()
        self.assertEqual("approved", self.approved_by("ben", request)["state"])

    def test_of_one_plan_one_use(self):
        request = self.opened()
        plan = self.plan(request)
        other = self.opened()
        self.plan(other)
        good = self.sign("ben", plan)
        for what, signature, of in (("another request's", good, other),
                                    ("another use", self.sign("ben", plan, "act@quietus"), request),
                                    ("another use", self.sign("ben", plan, "verify@quietus"), request),
                                    ("another text", self.sign("ben", plan + b" "), request),
                                    ("nobody's", b"-----BEGIN SSH SIGNATURE-----\n", request),
                                    ("empty", b"", request)):
            with self.subTest(what):
                self.refused(INTEGRITY, "request", "approve", of, "--signature", self.write("s", signature))
        signature = self.write("s", good)
        self.must("request", "approve", request, "--signature", signature, **self.as_("ben"))
        self.exits(REFUSED, "request", "approve", request, "--signature", signature, **self.as_("ben"))
        # Somebody else may hand it in, and it stays ben's.
        self.exits(REFUSED, "request", "approve", request, "--signature", signature, **self.as_("cleo"))

    def test_of_one_vault(self):
        other = {"QUIETUS_VAULT": str(self.folder / "other")}
        self.govern(self.folder / "other", "other-roots", **other)
        self.tenant_as_dan("acme", "data", **other)
        theirs, ours = self.opened(**other), self.opened()
        self.plan(ours)
        self.refused(INTEGRITY, "request", "approve", ours, "--signature",
                     self.write("s", self.sign("ben", self.plan(theirs, **other))))
        # A statement by the same verifier about the same scope.
        self.must("request", "show", theirs, "--signatures", self.write("theirs/x", b"").parent, **self.as_("eve"),
                  **other)
        self.assertIn(b"quietus-verification/v1", (self.folder / "theirs" / "1.txt").read_bytes())
        unverified = self.document("request", "open", "deletion", self.scope, "--reason", "test",
                                   **self.as_("dan"))["request"]
        self.refused(INTEGRITY, "request", "verify", unverified, "--method", "identity-card", "--evidence",
                     self.write("scan", b"x"), name="cleo",
                     **self.instead_of_signing("verify@quietus", (self.folder / "theirs" / "1.txt.sig").read_bytes()))
        self.assertEqual("open", self.state(unverified))
        # A review.
        review = self.must("operator", "review", **self.as_("eve"), **other)
        signed = ("operator", "review", "--text", self.write("r", review), "--signature",
                  self.write("r.sig", self.sign("eve", review, "review@quietus")))
        self.refused(REFUSED, *signed, name="eve")
        self.assertIsNone(self.governance()["last_review"])
        self.must(*signed, **self.as_("eve"), **other)

    def test_a_plan_of_before_a_thaw(self):
        self.must("scope", "create", "acme/data/jane", **self.as_("dan"))
        request = self.opened()
        self.says(self.exits(REFUSED, "request", "plan", request, **self.as_("dan")), "freeze it first")
        freeze = ("key", "suspend", self.scope, "--reason", "objection")
        self.must(*freeze, **self.as_("dan"))
        signed_before = self.opened()
        signature = self.write("before.sig", self.sign("ben", self.plan(signed_before)))
        self.assertEqual("approved", self.approved_by("ben", request)["state"])
        self.must("key", "resume", self.scope, "--reason", "resolved", **self.as_("dan"))
        self.exits(REFUSED, "request", "execute", request, **self.as_("dan"))
        self.must(*freeze, **self.as_("dan"))
        self.says(self.exits(REFUSED, "request", "execute", request, **self.as_("dan")), "not what was approved")
        self.says(self.exits(REFUSED, "request", "approve", signed_before, "--signature", signature, **self.as_("ben")),
                  "has changed")
        # What it is now can be approved.
        self.assertEqual("approved", self.approved_by("ben", signed_before)["state"])
        self.must("key", "resume", self.scope, "--reason", "resolved", **self.as_("dan"))
        self.lives()

    def test_as_many_as_the_rule_says_now(self):
        request = self.opened()
        self.assertEqual("approved", self.approved_by("ben", request)["state"])
        self.change("policy", "apply", self.write("p", b"effective = 2000-01-01\n[approval.scope]\npeople = 2\n"))
        self.says(self.exits(REFUSED, "request", "execute", request, **self.as_("dan")), "1 of 2")
        self.lives()

    def test_of_people_who_are_gone(self):
        approved, waiting = self.opened(), self.opened()
        self.assertEqual("approved", self.approved_by("ben", approved)["state"])
        signature = self.write("s", self.sign("ben", self.plan(waiting)))
        self.change("operator", "remove", "ben")
        self.says(self.exits(INTEGRITY, "status", **self.as_("ben")), "no operator's")
        self.refused(INTEGRITY, "request", "approve", waiting, "--signature", signature, name="cleo")
        self.says(self.exits(REFUSED, "request", "execute", approved, **self.as_("dan")), "0 of 1")
        self.lives()
        # Who comes back with the same key has not approved it.
        self.add("ben", "approver")
        self.exits(REFUSED, "request", "execute", approved, **self.as_("dan"))
        self.lives()

    def test_of_people_who_lost_the_right_or_the_key(self):
        self.new_key("ben2")
        by_right, by_key = self.opened(), self.opened()
        self.approved_by("ben", by_key)
        self.change("operator", "add", "ben", "--role", "approver", "--key", self.public("ben2"))
        self.exits(REFUSED, "request", "execute", by_key, **self.as_("dan"))
        self.approved_by("cleo", by_right)
        self.change("operator", "add", "cleo", "--role", "auditor", "--key", self.public("cleo"))
        self.exits(REFUSED, "request", "execute", by_right, **self.as_("dan"))
        self.lives()

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_of_people_whose_time_is_over(self):
        self.new_key("fay")
        add = ("operator", "add", "fay", "--role", "approver", "--key", self.public("fay"), "--until")
        self.exits(USAGE, *add, "2001-01-01", **self.as_("ada"))
        until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)).date()
        self.change(*add, str(until))
        approved, waiting = self.opened(), self.opened()
        self.assertEqual("approved", self.approved_by("fay", approved)["state"])
        signature = self.write("s", self.sign("fay", self.plan(waiting)))
        self.says(self.in_days(3, REFUSED, "status", **self.as_("fay")), "not an operator now")
        self.in_days(3, REFUSED, "request", "approve", waiting, "--signature", signature, **self.as_("cleo"))
        self.in_days(3, REFUSED, "request", "execute", approved, **self.as_("dan"))
        self.lives()

    @unittest.skipUnless(FAKETIME, "faketime is not installed")
    def test_of_a_plan_that_expired(self):
        request = self.opened()
        self.approved_by("ben", request)
        self.says(self.in_days(8, REFUSED, "request", "execute", request, **self.as_("dan")), "expired")
        self.lives()


if __name__ == "__main__":
    main()
