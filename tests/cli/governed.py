"""A governed vault for tests: people, their SSH keys, and what they sign."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from scenario import REFUSED, Scenario, command

ROLES = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "roles.md"
FAKETIME = shutil.which("faketime")
SK_DUMMY = pathlib.Path("/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so")


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
