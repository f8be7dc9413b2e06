"""operator, request: a governed vault, with real ssh-keygen and ssh-agent."""

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
        request = self.document("request", "open", kind, scope or self.scope, "--reason", "deletion-request",
                                *options, **self.as_("dan"), **where)["request"]
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
            "request show": (request,), OPTION_COMMAND: ("--yes",), "unlock change": ("--new-key-file", self.folder / "missing" / "k"),
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
        self.assertIn(request, self.must("cert", "show", certificate, **self.as_("eve")).decode() +
                      self.payload(certificate))
        self.assertIn('"decided_by":"approval"', self.payload(certificate))

    def payload(self, certificate):
        import base64
        text = json.loads(self.must("cert", "show", certificate, **self.as_("eve")))["payload"]
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()

    def test_every_kind_of_key(self):
        kinds = {"ecdsa": ("-t", "ecdsa"), "ecdsa384": ("-t", "ecdsa", "-b", "384"), "rsa": ("-t", "rsa", "-b", "3072")}
        for name, options in kinds.items():
            with self.subTest(key=name):
                self.new_key(name, *options)
                self.add(name, "approver")
                request = self.opened()
                approved = self.document("request", "approve", request, "--agent", **self.as_(name))
                self.assertEqual("approved", approved["state"])
        self.new_key("weak", "-t", "rsa", "-b", "2048")
        self.says(self.exits(USAGE, "operator", "add", "weak", "--role", "approver", "--key", self.folder / "weak.pub",
                             **self.as_("ada")), "2048 bits")

    @unittest.skipUnless(SK_DUMMY.exists(), "no openssh-tests: no software authenticator")
    def test_a_security_key(self):
        provider = {"SSH_SK_PROVIDER": str(SK_DUMMY)}
        self.new_key("sk", "-t", "ed25519-sk", "-w", str(SK_DUMMY))
        self.add("sk", "approver")
        request = self.opened()
        approved = self.document("request", "approve", request, "--agent", **self.as_("sk"), **provider)
        self.assertTrue(approved["approvals"][0]["touched"])
        self.new_key("untouched", "-t", "ed25519-sk", "-w", str(SK_DUMMY), "-O", "no-touch-required")
        self.add("untouched", "approver")
        self.says(self.exits(INTEGRITY, "status", **self.as_("untouched"), **provider), "nobody touched it")

    def test_with_an_agent(self):
        socket = str(self.folder / "agent")
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait, 10)
        self.addCleanup(os.kill, agent.pid, signal.SIGTERM)
        environment = {"SSH_AUTH_SOCK": socket}
        for _ in range(200):
            if os.path.exists(socket):
                break
            subprocess.run(["sleep", "0.05"], check=True)
        subprocess.run(["ssh-add", "-q", self.folder / "dan"], check=True, env=os.environ | environment,
                       stderr=subprocess.DEVNULL)
        (self.folder / "dan").unlink()
        with_agent = {"QUIETUS_OPERATOR": "dan", "QUIETUS_IDENTITY": str(self.folder / "dan.pub")} | environment
        self.assertEqual(b"secret", self.must("get", self.scope, "a record", **with_agent))


class Attack(Governed):
    """Somebody with one approver's key and the command, who can write to files, gets nothing."""

    def refused(self, code, *arguments, name="ben"):
        self.exits(code, *arguments, **self.as_(name))
        self.assertEqual(b"secret", self.must("get", self.scope, "a record", **self.as_("dan")))

    def test_nothing_is_erased_released_or_exported(self):
        hold = self.document("hold", "place", self.scope, "--reason", "test", **self.as_("dan"))["hold"]
        for arguments in (("erase", self.scope, "--reason", "test", "--yes", "--now"), ("hold", "release", hold),
                          ("export", self.scope, "-o", self.folder / "out"), ("request", "open", "deletion",
                                                                             self.scope, "--reason", "test"),
                          ("operator", "add", "mallory", "--role", "admin", "--key", self.folder / "ben.pub"),
                          ("policy", "apply", self.write("p", b"effective = 2000-01-01\n")),
                          ("vault", "destroy", "--reason", "test", "--certificate", self.folder / "c", "--yes"),
                          ("sweep",), ("purge", self.scope, "--yes")):
            with self.subTest(arguments[0]):
                self.refused(REFUSED, *arguments)
        self.assertFalse((self.folder / "out").exists())
        # As somebody else, with the key that is theirs.
        for name in ("ada", "dan"):
            done = self.exits(INTEGRITY, "status", QUIETUS_OPERATOR=name, QUIETUS_IDENTITY=str(self.folder / "ben"))
            self.says(done, "another operator")
        # Without the unlock secret there is nothing to begin with.
        (self.folder / "other-key").write_bytes((self.folder / "ben").read_bytes())
        self.run_tool("status", **self.as_("ben") | {"QUIETUS_KEY_FILE": str(self.folder / "other-key")})
        self.exits(DONE, "status", **self.as_("ben"))

    def test_one_approval_is_not_two(self):
        request = self.opened(scope="acme")
        self.must("key", "suspend", "acme", "--reason", "objection", **self.as_("dan"))
        self.must("request", "approve", request, "--agent", **self.as_("ben"))
        for attempt in (("request", "approve", request, "--agent"), ("request", "execute", request)):
            self.exits(REFUSED, *attempt, **self.as_("ben"))
        self.exits(REFUSED, "request", "execute", request, **self.as_("dan"))
        self.must("key", "resume", "acme", "--reason", "resolved", **self.as_("dan"))
        self.assertEqual(b"secret", self.must("get", self.scope, "a record", **self.as_("dan")))

    def test_signatures_are_of_one_plan_one_use_and_one_vault(self):
        request = self.opened()
        plan = self.plan(request)
        other = self.opened()
        self.plan(other)
        good = self.sign("ben", plan)
        for what, signature, of in (("another request's", good, other),
                                    ("another use", self.sign("ben", plan, "act@quietus"), request),
                                    ("another text", self.sign("ben", plan + b" "), request),
                                    ("nobody's", b"-----BEGIN SSH SIGNATURE-----\n", request)):
            with self.subTest(what):
                self.refused(INTEGRITY, "request", "approve", of, "--signature", self.write("s", signature))
        signature = self.write("s", good)
        self.must("request", "approve", request, "--signature", signature, **self.as_("ben"))
        self.exits(REFUSED, "request", "approve", request, "--signature", signature, **self.as_("ben"))

    def test_no_key_no_command(self):
        self.says(self.exits(REFUSED, "status"), "--as NAME")
        self.exits(UNAVAILABLE, "status", QUIETUS_OPERATOR="dan", QUIETUS_IDENTITY=str(self.folder / "none"))
        self.new_key("stranger")
        self.says(self.exits(INTEGRITY, "status", QUIETUS_OPERATOR="dan",
                             QUIETUS_IDENTITY=str(self.folder / "stranger")), "no operator's")


class Rights(Governed):
    def test_access_is_an_export_that_was_approved(self):
        self.exits(REFUSED, "export", self.scope, "-o", self.folder / "out", **self.as_("dan"))
        request = self.opened("access")
        self.must("request", "approve", request, "--agent", **self.as_("ben"))
        self.must("export", self.scope, "-o", self.folder / "out", "--request", request, **self.as_("dan"))
        self.assertEqual(b"secret", (self.folder / "out" / "a record").read_bytes())
        # It was allowed once.
        self.exits(REFUSED, "export", self.scope, "-o", self.folder / "again", "--request", request, **self.as_("dan"))

    def test_a_hold_and_a_policy_change_by_approval(self):
        hold = self.document("hold", "place", self.scope, "--reason", "test", **self.as_("dan"))["hold"]
        self.change("hold", "release", hold)
        self.assertEqual([], self.document("hold", "list", **self.as_("eve"))["holds"])
        policy = self.write("p", b'effective = 2000-01-01\n[approval.scope]\npeople = 2\n[deadline]\ndeletion = "1m"\n')
        self.change("policy", "apply", policy)
        request = self.opened()
        approved = self.document("request", "approve", request, "--agent", **self.as_("ben"))
        self.assertIn("1 of 2", approved["missing"])
        self.assertIsNotNone(approved["deadline"])


class Review(Governed):
    def test_a_review_is_printed_and_signed(self):
        text = self.must("operator", "review", **self.as_("eve"))
        for expected in (b"operator ada: admin", b"without a second factor", b"  may look, review\n"):
            self.assertIn(expected, text)
        self.exits(REFUSED, "operator", "review", **self.as_("dan"))
        signature = self.write("r.sig", self.sign("eve", text, "review@quietus"))
        self.must("operator", "review", "--text", self.write("r", text), "--signature", signature, **self.as_("eve"))
        self.assertIsNotNone(self.document("status", **self.as_("eve"))["governance"]["last_review"])
        kinds = [(e["kind"], e.get("what")) for e in self.document("audit", "log", **self.as_("eve"))["entries"]]
        self.assertIn(("decision", "access-reviewed"), kinds)


if __name__ == "__main__":
    main()
