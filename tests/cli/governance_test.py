"""operator, request: a governed vault, with real ssh-keygen and ssh-agent."""

import base64
import hashlib
import json
import re
import unittest

from governed import SK_DUMMY, Governed, Keys, documented_roles
from scenario import DONE, ERASED, INTEGRITY, REFUSED, UNAVAILABLE, USAGE, command, main

# Commands that open no vault, or make one.
ELSEWHERE = {"init", "escrow init", "policy check", "policy diff", "cert verify", "cert render",
             "cert timestamp-request", "cert timestamp-import", "backup verify", "audit witness-key", "audit cosign"}
# An option that makes another command of it.
OPTION_COMMAND = "doctor --rewrite-anchor"


class Table(Governed):
    def test_every_role_may_exactly_what_the_table_says(self):
        roles, allowed = documented_roles()
        self.assertEqual(["admin", "operator", "approver", "verifier", "auditor"], roles)
        people = dict(zip(roles, ("ada", "dan", "ben", "cleo", "eve")))
        request = self.opened()
        text = self.write("text", b"x")
        arguments = {
            "put": (self.scope, "n"), "get": (self.scope, "a record"), "ls": (self.scope,), "rm": (self.scope, "none"),
            "seal": (self.scope,), "open": (text,), "pseudonym": (self.scope,), "import": (self.scope, text),
            "export": (self.scope, "-o", self.folder / "out"), "tenant create": ("acme",),
            "tenant show": ("acme",), "tenant terminate": ("acme", "--effective", "2099-01-01"),
            "scope create": (self.scope,), "scope show": (self.scope,), "scope keep": (self.scope, "--for", "2d"),
            "scope expire": (self.scope, "--on", "2099-01-01"), "scope withdraw": (self.scope,),
            "key show": (self.scope,), "key suspend": ("none", "--reason", "test"), "key resume": ("none", "--reason", "test"),
            "key deactivate": ("none", "--reason", "test"), "key compromise": ("none", "--reason", "test"), "key rotate": ("none",),
            "hold place": ("none", "--reason", "test"), "hold release": ("0" * 32,),
            "policy apply": (text,), "policy plan": ("--until", "2099-01-01"),
            "backup create": (text,), "backup forget": ("0" * 32,),
            "backup restore": (text, self.folder / "n"), "backup drill": (text,), "escrow import-ring": (text,),
            "escrow snapshot": (self.folder / "s",), "escrow import-receipt": (text,), "escrow takeover": (text, "--yes"),
            "escrow receive": (self.folder, "--trust", self.write("t", b"quorum none\n")),
            "cert show": ("0" * 32,), "cert import": (text,),
            "cert timestamp-import": (text, text, "--request", text), "audit report": ("-o", self.folder / "r.html"),
            "audit proof": ("--from", "1"), "audit export": ("-o", self.folder / "l"),
            "audit add-cosignature": (text, "--trust", text),
            "erase": ("none", "--reason", "test", "--yes"), "purge": ("none", "--yes"), "clock accept": ("--yes",),
            "vault destroy": ("--reason", "test", "--certificate", self.folder / "c", "--yes"),
            "operator add": ("zoe", "--role", "auditor", "--key", self.folder / "eve.pub"), "operator remove": ("zoe",),
            "request open": ("deletion", self.scope, "--reason", "test"), "request cancel": ("0" * 32,),
            "request verify": (request, "--method", "m", "--evidence", text), "request extend":
            (request, "--until", "2099-01-01", "--reason", "x"), "request approve": (request, "--signature", text),
            "request reject": ("0" * 32, "--reason", "x"), "request execute": (request,), "request plan": ("0" * 32,),
            "request show": (request,), OPTION_COMMAND: ("--yes",),
            "unlock change": ("--new-key-file", self.folder / "missing" / "k"),
        }
        denied = 0
        for name, roles_allowed in allowed.items():
            if name in ELSEWHERE:
                continue
            for role, person in people.items():
                done = self.run_tool(*name.split(), *arguments.get(name, ()), **self.as_(person))
                refused = b"may not do that: it needs a role" in done.stderr
                with self.subTest(command=name, role=role):
                    self.assertNotEqual(USAGE if refused else None, done.returncode)
                    self.assertEqual(role not in roles_allowed, refused, done.stderr)
                    self.assertNotIn(b"--help", done.stderr, "the arguments are those of no such command")
                denied += refused
        self.assertGreater(denied, 150)

    def test_every_command_is_in_the_table(self):
        _, allowed = documented_roles()
        found, groups = set(), [()]
        while groups:
            group = groups.pop()
            text = self.must(*group, "--help").decode()
            below = re.findall(r"^  ([a-z][a-z-]*) ", text.split("Subcommands:")[1], re.M) if "Subcommands:" in text else []
            groups += [(*group, name) for name in below]
            if not below or group == ("unlock",):
                found.add(" ".join(group))
        if OPTION_COMMAND.split()[1].encode() in self.must(OPTION_COMMAND.split()[0], "--help"):
            found.add(OPTION_COMMAND)
        found -= {"", "unlock", "operator break-glass"}  # of which whoever can unlock may do the last
        self.assertEqual(sorted(found), sorted(allowed))


class Beginning(Keys):
    def test_a_vault_that_is_governed_from_the_beginning(self):
        self.new_key("ada")
        init = ("init", self.vault, *self.anywhere(), "--admin", "ada", "--admin-key", self.public("ada"))
        for options in (("--admin", "ada"), ("--admin-key", self.public("ada")), ("--role", "verifier")):
            self.exits(USAGE, "init", self.vault, *self.anywhere(), *options)
        self.exits(USAGE, *init, "--role", "boss")
        self.assertFalse(self.vault.exists())
        made = self.document(*init, "--role", "verifier")
        self.assertTrue(made["governed"])
        self.exits(REFUSED, "status")
        (ada,) = self.document("operator", "list", **self.as_("ada"))["operators"]
        self.assertEqual(("ada", ["admin", "verifier"]), (ada["name"], ada["roles"]))
        self.assertEqual(1, self.document("status", **self.as_("ada"))["governance"]["admins"])
        self.assertIn(b"one admin, who decides alone", self.must("status", **self.as_("ada")))

    def test_an_older_vault_becomes_governed(self):
        self.new_key("ada")
        self.assertFalse(self.document("init", self.vault, *self.anywhere())["governed"])
        self.assertIsNone(self.document("status")["governance"])
        add = ("operator", "add", "ada", "--key", self.public("ada"), "--yes")
        self.exits(USAGE, *add, "--role", "operator")
        self.must(*add, "--role", "admin")
        self.exits(REFUSED, "status")
        self.exits(REFUSED, *add, "--role", "admin")
        self.must("status", **self.as_("ada"))


class Operators(Governed):
    def test_names_and_keys(self):
        self.new_key("zoe")
        for name in ("Zoë", "zoe admin", "-zoe", "zoe,ada", "zoe\nada", "zoe\u202e", "z" * 65, ""):
            with self.subTest(name):
                self.exits(USAGE, "operator", "add", "--role", "auditor", "--key", self.public("zoe"), "--", name,
                           **self.as_("ada"))
        self.new_key("a.b_c-d@e+f")
        self.add("a.b_c-d@e+f", "auditor")
        self.must("status", **self.as_("a.b_c-d@e+f"))
        zoe, ben = (self.public(name).read_bytes() for name in ("zoe", "ben"))
        self.new_key("zoe2")
        zoe2 = self.public("zoe2").read_bytes()
        for what, text in (("two people's", b"zoe " + zoe + b"mia " + zoe2), ("empty", b"# nobody\n"),
                           ("with options", b"zoe no-touch-required " + zoe), ("twice", zoe + zoe)):
            with self.subTest(what):
                self.exits(USAGE, "operator", "add", "zoe", "--role", "auditor", "--key", self.write("keys", text),
                           **self.as_("ada"))
        self.exits(REFUSED, "operator", "add", "zoe", "--role", "auditor", "--key", self.write("keys", ben),
                   **self.as_("ada"))
        self.change("operator", "add", "zoe", "--role", "auditor", "--key",
                    self.write("keys", b"zoe " + zoe + b"zoe " + zoe2))
        self.must("status", **self.as_("zoe"))
        self.must("status", QUIETUS_OPERATOR="zoe", QUIETUS_IDENTITY=str(self.folder / "zoe2"))

    def test_the_last_admin_stays(self):
        self.assertEqual(1, self.governance()["admins"])
        self.exits(REFUSED, "operator", "remove", "ada", **self.as_("ada"))
        self.says(self.exits(REFUSED, "operator", "add", "ada", "--role", "auditor", "--key", self.public("ada"),
                             **self.as_("ada")), "no admin without an end")
        self.assertEqual(1, self.governance()["admins"])
        self.new_key("max")
        self.add("max", "admin")
        self.assertEqual(2, self.governance()["admins"])
        self.assertNotIn(b"one admin", self.must("status", **self.as_("eve")))
        # Now there are two, and both are needed.
        request = self.proposed("operator", "remove", "ada")
        self.approved_by("ada", request)
        self.exits(REFUSED, "request", "execute", request, **self.as_("ada"))
        self.approved_by("max", request)
        self.must("request", "execute", request, **self.as_("max"))
        self.exits(INTEGRITY, "status", **self.as_("ada"))

    def test_two_changes_of_one_person(self):
        for first, second in ((0, 1), (1, 0)):
            with self.subTest(first=first):
                name = f"zoe{first}"
                self.new_key(name)
                self.add(name, "auditor")
                changed = self.proposed("operator", "add", name, "--role", "approver", "--key", self.public(name))
                removed = self.proposed("operator", "remove", name)
                both = (changed, removed)
                for request in both:
                    self.assertEqual("approved", self.approved_by("ada", request)["state"])
                self.must("request", "execute", both[first], **self.as_("ada"))
                self.exits(REFUSED, "request", "execute", both[second], **self.as_("ada"))
                person = next(one for one in self.document("operator", "list", **self.as_("eve"))["operators"]
                              if one["name"] == name)
                self.assertEqual(first == 1, person["removed"] is not None)
                self.assertEqual(["approver"] if first == 0 else ["auditor"], person["roles"])


class Deletion(Governed):
    def test_from_a_request_to_a_certificate(self):
        request = self.opened()
        plan = self.plan(request)
        signature = self.write("plan.sig", self.sign("ben", plan))
        self.must("request", "approve", request, "--signature", signature, **self.as_("ben"))
        done = self.document("request", "execute", request, **self.as_("dan"))
        self.assertEqual("done", done["state"])
        self.exits(ERASED, "get", self.scope, "a record", **self.as_("dan"))
        shown = self.document("request", "show", request, **self.as_("eve"))
        self.assertEqual(["cleo", "ben"], [one["name"] for one in shown["signatures"]])
        certificate = self.document("cert", "list", **self.as_("eve"))["certificates"][0]["id"]
        self.assertIn(request, self.payload(certificate))
        self.assertIn('"decided_by":"approval"', self.payload(certificate))

    def payload(self, certificate):
        text = json.loads(self.must("cert", "show", certificate, **self.as_("eve")))["payload"]
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()

    def test_a_statement_is_shown_before_it_is_signed(self):
        request = self.document("request", "open", "deletion", self.scope, "--reason", "deletion-request",
                                **self.as_("dan"))
        done = self.exits(DONE, "request", "verify", request["request"], "--method", "identity-card", "--evidence",
                          self.write("scan", b"x"), **self.as_("cleo"))
        scope = self.document("scope", "show", self.scope, **self.as_("eve"))["id"]
        self.says(done, "quietus-verification/v1\n", f"request {request['request']} deletion\n", f"scope {scope}\n",
                  "opened ", "method identity-card\n", hashlib.sha256(b"x").hexdigest())

    def test_a_whole_tenant_needs_two(self):
        self.must("tenant", "create", "empty", **self.as_("dan"))
        kinds = ("deletion", "termination", "restriction", "access", "portability", "correction", "consent-withdrawal")
        for kind in kinds:
            with self.subTest(kind):
                request = self.opened(kind, "empty")
                approved = self.approved_by("ben", request)
                self.assertEqual("verified", approved["state"])
                self.assertIn("1 of 2", approved["missing"])
        request = self.opened("deletion", "empty")
        self.approved_by("ben", request)
        self.assertEqual("approved", self.approved_by("cleo", request)["state"])
        self.must("request", "execute", request, **self.as_("dan"))
        self.exits(ERASED, "tenant", "show", "empty", **self.as_("dan"))

    def test_one_may_be_as_little_as_the_policy_says(self):
        self.change("policy", "apply", self.write("p", b"effective = 2000-01-01\n[approval.tenant]\npeople = 1\n"))
        request = self.opened("restriction", "acme")
        self.assertEqual("approved", self.approved_by("ben", request)["state"])


class EveryKey(Governed):
    """Each kind of key that OpenSSH makes verifies and approves, from its file and through an agent."""

    kinds = {"ed25519": ("-t", "ed25519"), "ecdsa": ("-t", "ecdsa"), "ecdsa384": ("-t", "ecdsa", "-b", "384"),
             "rsa": ("-t", "rsa", "-b", "3072")}
    security_keys = {"ed25519-sk": ("-t", "ed25519-sk", "-w", str(SK_DUMMY)),
                     "ecdsa-sk": ("-t", "ecdsa-sk", "-w", str(SK_DUMMY))}

    def works(self, name, person):
        request = self.document("request", "open", "deletion", self.scope, "--reason", "deletion-request",
                                **self.as_("dan"))["request"]
        self.must("request", "verify", request, "--method", "m", "--evidence", self.write("scan", b"x"), **person)
        approved = self.document("request", "approve", request, "--agent", **person)
        self.assertEqual("approved", approved["state"])
        (approval,) = approved["approvals"]
        self.assertEqual((name, name.endswith("-sk"), False),
                         (approval["name"], approval["touched"], approval["verified"]))

    def test_files_and_an_agent(self):
        names = []
        for name, options in self.kinds.items():
            with self.subTest(key=name):
                self.new_key(name, *options)
                self.add(name, "verifier")
                self.works(name, self.as_(name))
                names.append(name)
        agent = self.agent_with(*names)
        for name in names:
            with self.subTest(agent=name):
                self.works(name, self.through(agent, name))
        self.exits(UNAVAILABLE, "status", **self.as_(names[0]))  # the file is gone

    @unittest.skipUnless(SK_DUMMY.exists(), "no openssh-tests: no software authenticator")
    def test_security_keys(self):
        provider = {"SSH_SK_PROVIDER": str(SK_DUMMY)}
        for name, options in self.security_keys.items():
            with self.subTest(key=name):
                self.new_key(name, *options)
                self.add(name, "verifier")
                self.works(name, self.as_(name) | provider)
        agent = self.agent_with(*self.security_keys)
        for name in self.security_keys:
            with self.subTest(agent=name):
                self.works(name, self.through(agent, name))
        self.new_key("untouched", *self.security_keys["ed25519-sk"], "-O", "no-touch-required")
        self.add("untouched", "approver")
        self.says(self.exits(INTEGRITY, "status", **self.as_("untouched"), **provider), "nobody touched it")

    @unittest.skipUnless(SK_DUMMY.exists(), "no openssh-tests: no software authenticator")
    def test_a_rule_that_asks_for_a_pin(self):
        ask = self.write("ask", b"#!/bin/sh\necho 1234\n")
        ask.chmod(0o755)
        provider = {"SSH_SK_PROVIDER": str(SK_DUMMY), "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        for kind, options in self.security_keys.items():
            self.new_key(f"touch-{kind}", *options)
            self.new_key(f"pin-{kind}", *options, "-O", "verify-required")
            for name in (f"touch-{kind}", f"pin-{kind}"):
                self.add(name, "approver")
        self.change("policy", "apply", self.write("p", b"""effective = 2000-01-01
[approval.scope]
second-factor = true
[approval.person]
pin = true
"""))
        request = self.opened()
        self.says(self.exits(REFUSED, "request", "approve", request, "--agent", **self.as_("ben")), "security key")
        for kind in self.security_keys:
            with self.subTest(kind, rule="second-factor"):
                approved = self.approved_by(f"touch-{kind}", self.opened(), **provider)
                self.assertEqual(("approved", False), (approved["state"], approved["approvals"][0]["verified"]))
        for kind in self.security_keys:
            with self.subTest(kind, rule="pin"):
                request = self.opened("access")
                for name in ("ben", f"touch-{kind}"):
                    self.says(self.exits(REFUSED, "request", "approve", request, "--agent", **self.as_(name),
                                         **provider), "PIN")
                approved = self.approved_by(f"pin-{kind}", request, **provider)
                self.assertEqual(("approved", True), (approved["state"], approved["approvals"][0]["verified"]))

    def test_weak_keys(self):
        self.new_key("weak", "-t", "rsa", "-b", "2048")
        self.says(self.exits(USAGE, "operator", "add", "weak", "--role", "approver", "--key", self.public("weak"),
                             **self.as_("ada")), "2048 bits")
        self.new_key("wide", "-t", "ecdsa", "-b", "521")
        self.exits(USAGE, "operator", "add", "wide", "--role", "approver", "--key", self.public("wide"),
                   **self.as_("ada"))


if __name__ == "__main__":
    main()
