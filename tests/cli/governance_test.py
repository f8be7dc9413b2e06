"""operator, request: a governed vault, with real ssh-keygen and ssh-agent."""

import base64
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

from scenario import (DONE, ERASED, FAILURE, INTEGRITY, LOCKED, REFUSED, UNAVAILABLE, USAGE, Scenario,
                      command, main)

ROLES = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "roles.md"
FAKETIME = shutil.which("faketime")
SK_DUMMY = pathlib.Path("/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so")
# Commands that open no vault, or make one.
ELSEWHERE = {"init", "escrow init", "policy check", "policy diff", "cert verify", "cert render",
             "cert timestamp-request", "cert timestamp-import", "backup verify", "audit witness-key", "audit cosign"}
# An option that makes another command of it.
OPTION_COMMAND = "doctor --rewrite-anchor"


def documented_roles():
    """{command: {role that may}}, and the roles, as docs/roles.md has them."""
    text = ROLES.read_text(encoding="utf-8")
    head = next(line for line in text.splitlines() if line.startswith("| duty | what"))
    roles = [cell.strip() for cell in head.strip("|").split("|")][2:]
    may, commands = {}, {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(roles) + 2 and cells[0].startswith("`"):
            may[cells[0].strip("`")] = {role for role, cell in zip(roles, cells[2:]) if cell == "yes"}
        elif len(cells) == 2 and cells[0].startswith("`"):
            for name in re.findall(r"`([^`]+)`", cells[1]):
                commands[name] = cells[0].strip("`")
    return roles, {name: may[duty] for name, duty in commands.items()}


class Keys(Scenario):
    """SSH keys by the name of who has them, and what is signed with them."""

    make_vault = False

    def setUp(self):
        super().setUp()
        if shutil.which("ssh-keygen") is None:
            self.skipTest("no ssh-keygen")

    def new_key(self, name, *options):
        subprocess.run(["ssh-keygen", "-q", *(options or ("-t", "ed25519")), "-N", "", "-C", name, "-f",
                        self.folder / name], check=True, stdin=subprocess.DEVNULL)

    def public(self, name):
        return self.folder / f"{name}.pub"

    def as_(self, name):
        return {"QUIETUS_OPERATOR": name, "QUIETUS_IDENTITY": str(self.folder / name)}

    def sign(self, name, text, namespace="approve@quietus"):
        path = self.write("to-sign", text)
        (self.folder / "to-sign.sig").unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", self.folder / name, path],
                       check=True, stdin=subprocess.DEVNULL)
        return (self.folder / "to-sign.sig").read_bytes()

    def agent_with(self, *names):
        """An ssh-agent of its own that has these keys, whose files are gone then."""
        socket = str(self.folder / "agent")
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait, 10)
        self.addCleanup(os.kill, agent.pid, signal.SIGTERM)
        for _ in range(200):
            if os.path.exists(socket):
                break
            time.sleep(0.05)
        environment = {"SSH_AUTH_SOCK": socket, "SSH_SK_PROVIDER": str(SK_DUMMY)}
        for name in names:
            subprocess.run(["ssh-add", "-q", self.folder / name], check=True, env=os.environ | environment,
                           stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            (self.folder / name).unlink()
        return {"SSH_AUTH_SOCK": socket}

    def through(self, agent, name):
        return {"QUIETUS_OPERATOR": name, "QUIETUS_IDENTITY": str(self.public(name))} | agent

    def instead_of_signing(self, namespace, signature):
        """A program that is found as ssh-keygen, and hands out that signature for what is of that use."""
        given = self.write("instead.sig", signature)
        program = self.write("instead/ssh-keygen", f"""#!/bin/sh
case "$*" in *{namespace}*) cat > {self.folder}/shown; cat {given};; *) exec {shutil.which("ssh-keygen")} "$@";; esac
""".encode())
        program.chmod(0o755)
        return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


class Governed(Keys):
    """A governed vault with one person for each role."""

    def setUp(self):
        super().setUp()
        for name, _ in self.people:
            self.new_key(name)
        self.govern()
        self.scope = self.tenant_as_dan("acme", "data")
        self.must("put", self.scope, "a record", stdin=b"secret", **self.as_("dan"))

    people = (("ada", "admin"), ("ben", "approver"), ("cleo", "verifier"), ("dan", "operator"), ("eve", "auditor"))

    def govern(self, vault=None, roots="roots", **where):
        self.must("init", vault or self.vault, *self.anywhere(roots), "--admin", "ada", "--admin-key",
                  self.public("ada"), **where)
        for name, role in self.people[1:]:
            self.add(name, role, **where)

    def tenant_as_dan(self, name, below, **where):
        self.must("tenant", "create", name, **self.as_("dan"), **where)
        self.must("scope", "create", f"{name}/{below}", **self.as_("dan"), **where)
        return f"{name}/{below}"

    def proposed(self, *arguments, **where):
        return self.document(*arguments, **self.as_("ada"), **where)["request"]

    def approved_by(self, name, request, **where):
        return self.document("request", "approve", request, "--agent", **self.as_(name), **where)

    def change(self, *arguments, by=("ada",), **where):
        """A change that ada proposes and makes, approved by these."""
        request = self.proposed(*arguments, **where)
        for name in by:
            self.approved_by(name, request, **where)
        self.must("request", "execute", request, **self.as_("ada"), **where)

    def add(self, name, *roles, options=(), by=("ada",), **where):
        given = [word for role in roles for word in ("--role", role)]
        self.change("operator", "add", name, *given, "--key", self.public(name), *options, by=by, **where)

    def opened(self, kind="deletion", scope=None, *options, **where):
        ends = kind in ("deletion", "termination", "consent-withdrawal")
        reason = "deletion-request" if ends else "other"
        request = self.document("request", "open", kind, scope or self.scope, "--reason", reason, *options,
                                **self.as_("dan"), **where)["request"]
        self.must("request", "verify", request, "--method", "identity-card", "--evidence", self.write("scan", b"x"),
                  **self.as_("cleo"), **where)
        return request

    def plan(self, request, name="dan", **where):
        return self.must("request", "plan", request, **self.as_(name), **where)

    def state(self, request):
        return self.document("request", "show", request, **self.as_("eve"))["state"]

    def governance(self):
        return self.document("status", **self.as_("eve"))["governance"]

    def lives(self):
        self.assertEqual(b"secret", self.must("get", self.scope, "a record", **self.as_("dan")))

    def may_not(self, name, *arguments, **where):
        """The person has not the duty, whatever else is wrong."""
        done = self.exits(REFUSED, *arguments, **self.as_(name), **where)
        self.says(done, f"{name} may not do that: it needs a role")
        self.assertEqual(b"", done.stdout)

    def in_days(self, days, code, *arguments, **environment):
        """Runs the tool when that many days have passed."""
        full = self.environment | environment
        # faketime preloads a library; a sanitized build must not mind that it is not the first one.
        given = full.get("ASAN_OPTIONS", "")
        full["ASAN_OPTIONS"] = f"{given}:verify_asan_link_order=0".lstrip(":")
        done = subprocess.run([FAKETIME, "--exclude-monotonic", "-f", f"+{days}d", *command(*arguments)],
                              env=full, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120, check=False)
        self.assertEqual(code, done.returncode, (days, arguments, done.stdout, done.stderr.decode()))
        return done


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
