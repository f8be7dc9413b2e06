"""What scripts rely on: exit codes, the keys of every JSON document, where output goes, and that no
secret can be given on the command line."""

import json
import os
import re

from scenario import (DONE, ERASED, FAILURE, INTEGRITY, LOCKED, NOT_FOUND, REFUSED, UNAVAILABLE, USAGE,
                      Scenario, main)

# Every command that prints a document, with the keys it had when it was first released. Keys may be
# added here, never changed or taken away.
SCOPE = ["path", "name", "id", "class", "state", "created", "erased", "derived_from"]
PLACE = ["vault", "vault_id", "format_version", "root_provider", "root_location", "assurance"]
ERASURE = ["erasure_id", "certificate_id", "root_generation_before", "root_generation_after",
           "holders_acknowledged", "holders_ended", "subjects"]
KEY_REPORT = ["scope", "id", "state", "changed", "reason", "effective", "held", "keys"]
KEY_CHANGE = KEY_REPORT + ["acknowledged", "unconfirmed"]
TRANSFER = ["scope", "path", "records", "bytes", "skipped", "failed", "stopped"]
SCHEDULE = ["scope", "scope_id", "terminates", "ended", "consent_withdrawn", "expires", "erase_at",
            "erase_reason", "chosen_period"]
PLAN = ["made", "until", "policy_version", "living", "unreadable", "scopes"]
BACKUP = ["id", "begun", "made", "expires", "needed_until", "base", "records", "bytes", "epoch", "manifest_hash"]
HEAD = ["origin", "size", "root_hash"]
RING = ["ring", "site", "issued", "verifier_key"]
ROTATION = ["scope", "generation", "records", "bytes", "scopes_rewrapped", "keys_destroyed", "given_up",
            "given_up_records"]
KEYS = {
    "init": PLACE + ["key_file_made", "governed"],
    "status": PLACE + ["root_generation", "tenants", "log_size", "certificates", "last_backup", "last_snapshot",
                       "last_drill", "last_drill_passed", "processes",
                       "read_only", "key_memory_locked", "pending_erasures", "rotations",
                       "retention", "scheduled_erasures", "site_inbox", "governance"],
    "doctor": ["findings"],
    "metrics": ["file", "metrics"],
    "check": ["scopes", "records", "bytes", "log_entries", "erased_records", "orphaned_rows", "damages"],
    "tenant create": SCOPE,
    "tenant show": SCOPE,
    "tenant list": ["parent", "scopes"],
    "scope create": SCOPE,
    "scope show": SCOPE,
    "scope list": ["parent", "scopes"],
    "put": ["scope", "name", "size_bytes", "version"],
    "get": ["scope", "name", "size_bytes", "file"],
    "ls": ["scope", "records"],
    "rm": ["scope", "name", "removed"],
    "seal": ["scope_id", "size_bytes", "file"],
    "open": ["scope_id", "size_bytes", "file"],
    "pseudonym": ["scope", "pseudonyms"],
    "import": TRANSFER,
    "export": TRANSFER + ["recorded"],
    "key show": KEY_REPORT,
    "key suspend": KEY_CHANGE,
    "key resume": KEY_CHANGE,
    "key deactivate": KEY_CHANGE,
    "key compromise": KEY_CHANGE,
    "hold place": ["hold", "scope", "scope_id", "placed", "until", "reason", "authority"],
    "hold list": ["holds"],
    "hold release": ["hold", "released"],
    "key rotate": ROTATION,
    "key rotate --resume": ["finished"],
    "purge": ROTATION,
    "reclaim": ["bytes"],
    "policy check": ["file", "valid"],
    "policy apply": ["version", "applied", "effective", "in_force"],
    "policy list": ["policies"],
    "policy show": ["version", "applied", "effective", "in_force", "text"],
    "policy diff": ["differences"],
    "policy plan": PLAN,
    "sweep": [*PLAN, "dry_run", "ended", "limit", "erasures", "holds_ended", "terms_ended", "keys_retired",
              "keys_kept_because", "unconfirmed", "rotations_finished"],
    "clock accept": ["accepted"],
    "tenant terminate": SCHEDULE,
    "scope withdraw": SCHEDULE,
    "scope expire": SCHEDULE,
    "scope keep": SCHEDULE,
    "scope schedule": ["schedules"],
    "erase --cancel": ["cancelled"],
    "erase": ["erased", "also", "scheduled", "keys_destroyed", "snapshots_clear", "records", "bytes", *ERASURE, "certificate_file"],
    "erase --resume": ["finished"],
    "unlock change": ["changed", "root_generation", "key_file_made"],
    "vault destroy": ["destroyed", "vault_id", *ERASURE, "certificate_file"],
    "backup create": [*BACKUP, "file"],
    "backup verify": [*(key for key in BACKUP if key not in ("made", "needed_until")), "base_manifest_hash", "removed",
                      "records_in_all", "vault", "log", "verifier_key", "trusted"],
    "backup list": ["backups"],
    "backup restore": ["vault", "instance", "backup", "as_of", "restored", "bytes", "erased", "purged", "missing",
                       "damages", "takeover"],
    "backup drill": ["passed", "backup", "as_of", "done", "milliseconds", "restored", "bytes", "erased", "purged",
                     "missing", "damaged", "compared", "differing", "changed_since", "restricted_scopes",
                     "erased_scopes_tried", "erased_scopes_readable", "key_memory_locked", "report"],
    "escrow import-ring": ["ring", "site", "verifier_key", "epochs", "seals_until"],
    "escrow snapshot": [*BACKUP, "file"],
    "escrow inbox": ["folder", "told", "waiting"],
    "escrow tell": ["folder", "told", "waiting"],
    "escrow receive": ["notices", "erasures", "logs", "problems"],
    "escrow import-receipt": ["ring", "epochs", "snapshots", "certificates"],
    "escrow init": [*PLACE, "key_file_made", "ring", "epochs", "verifier_key", "ring_file", "file"],
    "escrow roll": [*RING, "new", "made", "destroyed", "held", "ring_file", "receipt", "folder"],
    "escrow list": [*RING, "epochs"],
    "cert list": ["certificates"],
    "cert show": ["protected", "payload", "signature"],
    "cert verify": ["valid", "certificate_id", "vault_id", "erasure_id", "status", "phase", "reason", "decided_by", "request",
                    "scope_ids", "subjects", "scopes_below", "records", "bytes",
                    "supersedes", "begun", "keys_unreachable", "slot_destroyed", "issued",
                    "issuer_kid", "log_verifier_key", "log_key_pinned", "witnesses", "timestamp",
                    "checked", "not_checked", "claims", "not_claimed"],
    "cert timestamp-request": ["certificate_file", "request_file"],
    "cert key": ["pem"],
    "cert render": ["certificate_id", "issuer_kid", "verified", "file"],
    "audit report": ["file", "erasures", "complete", "partial", "not_valid", "pending", "exports", "governed",
                     "overdue_requests", "review_overdue"],
    "audit log": [*HEAD, "from", "entries"],
    "audit verify": [*HEAD, "verifier_key", "valid", "against", "witnesses", "checked", "not_checked"],
    "audit checkpoint": ["checkpoint", "verifier_key"],
    "audit proof": ["from", "request"],
    "audit export": [*HEAD, "folder"],
    "audit witness-key": ["key_file", "verifier_key"],
    "audit cosign": ["checkpoint"],
    "audit add-cosignature": ["witnesses"],
}

COMMANDS = ["init", "status", "doctor", "metrics", "check", "unlock", "unlock change", "tenant", "tenant create",
            "tenant list", "tenant show", "scope", "scope create", "scope list", "scope show", "put",
            "get", "ls", "rm", "seal", "open", "pseudonym", "import", "export", "key", "key show", "key suspend", "key resume",
            "key deactivate", "key compromise", "hold", "hold place", "hold release", "hold list", "key rotate", "purge", "reclaim", "policy", "policy check", "policy apply", "policy list", "policy show",
            "policy diff", "policy plan", "sweep", "clock", "clock accept", "tenant terminate", "scope withdraw",
            "scope expire", "scope keep", "scope schedule", "erase", "vault", "vault destroy", "backup", "backup create", "backup verify",
            "backup list", "backup forget", "backup restore", "backup drill", "escrow", "escrow init", "escrow roll",
            "escrow list", "escrow import-ring", "escrow snapshot", "escrow import-receipt", "escrow takeover",
            "escrow inbox", "escrow tell", "escrow receive", "operator", "operator add", "operator break-glass",
            "operator list", "operator remove", "operator review", "request", "request open", "request verify",
            "request plan", "request approve", "request reject", "request cancel", "request extend", "request execute",
            "request list", "request show", "cert",
            "cert list", "cert show", "cert verify", "cert key", "cert timestamp-request",
            "cert timestamp-import", "cert render", "cert import", "audit", "audit report", "audit log",
            "audit verify", "audit checkpoint", "audit proof", "audit export", "audit witness-key", "audit cosign",
            "audit add-cosignature"]


class Json(Scenario):
    make_vault = False

    def test_keys_of_every_document(self):
        self.write("in/file", b"x")
        pem = self.folder / "issuer.pem"
        certificate = self.folder / "certificate"
        trust = self.write("trust", b"quorum none\n")
        policy = self.write("policy.toml", b"""effective = 2020-01-01
[class.data]
trigger = "termination"
after = "3d"
grace = "1d"
tenant-override = { min = "1d", max = "9d" }
""")
        script = [
            ("init", self.vault, *self.anywhere()), ("status",), ("doctor",), ("metrics",), ("check",),
            ("tenant create", "acme"), ("tenant show", "acme"), ("tenant list",),
            ("scope create", "acme/data"), ("scope show", "acme/data"), ("scope list", "acme"),
            ("put", "acme/data", "a"), ("get", "acme/data", "a", "-o", self.folder / "out"),
            ("ls", "acme/data"), ("seal", "acme/data", "-o", self.folder / "token"),
            ("open", self.folder / "token", "-o", self.folder / "opened"), ("pseudonym", "acme/data"), ("import", "acme/data", self.folder / "in"),
            ("export", "acme/data", "-o", self.folder / "out.ndjson"), ("rm", "acme/data", "a"),
            ("key show", "acme"), ("key suspend", "acme", "--reason", "test"),
            ("key resume", "acme", "--reason", "test"), ("key deactivate", "acme", "--reason", "test"),
            ("key compromise", "acme", "--reason", "test"),
            ("hold place", "acme/data", "--reason", "test"), ("hold list",), ("hold release",),
            ("unlock change", "--new-key-file", self.key),
            ("key rotate", "acme/data"), ("key rotate --resume",), ("purge", "acme/data", "--yes"),
            ("reclaim",),
            ("policy check", policy), ("policy apply", policy), ("policy list",),
            ("policy show", "--version", 1), ("policy diff", policy, policy),
            ("policy plan", "--until", "2099-01-01"), ("sweep",), ("clock accept", "--yes"),
            ("scope withdraw", "acme/data"), ("scope expire", "acme/data", "--on", "2099-01-01"),
            ("scope keep", "acme/data", "--for", "2d"), ("scope schedule",),
            ("erase --cancel", "acme/data"), ("tenant terminate", "acme", "--effective", "2099-01-01"),
            ("backup create", self.folder / "backup"), ("backup verify", self.folder / "backup"),
            ("backup list",), ("backup drill", self.folder / "backup"),
            ("backup restore", self.folder / "backup", self.folder / "restored", *self.anywhere("restored-roots")),
            ("escrow init", self.folder / "site", *self.anywhere("site-roots")), ("escrow roll",),
            ("escrow list",), ("escrow import-ring",), ("escrow snapshot", self.folder / "snapshot"),
            ("escrow import-receipt",), ("escrow inbox", self.folder), ("escrow tell",),
            ("escrow receive", self.folder),
            ("erase", "acme", "--reason", "x", "--yes", "--now", "--certificate", certificate),
            ("erase --resume",), ("cert list",), ("cert show",), ("cert key",),
            ("cert verify", certificate, "--key", pem),
            ("cert timestamp-request", certificate, "-o", self.folder / "request.tsq"),
            ("cert render", certificate, "-o", self.folder / "page.html"),
            ("audit report", "-o", self.folder / "report.html"),
            ("audit log",), ("audit verify",),
            ("audit checkpoint",), ("audit proof", "--from", 2),
            ("audit export", "-o", self.folder / "log"),
            ("audit witness-key", "-o", self.folder / "witness"),
            ("audit cosign", self.folder / "log" / "checkpoint", "--key-file",
             self.folder / "witness", "--trust", trust),
            ("audit add-cosignature", self.folder / "cosigned", "--trust", trust),
            ("vault destroy", "--reason", "x", "--yes", "--certificate", self.folder / "last"),
        ]
        self.assertEqual(set(KEYS), {step[0] for step in script})
        for name, *arguments in script:
            if name == "hold release":
                arguments = [self.document("hold", "list")["holds"][0]["hold"]]
            if name == "erase --cancel":
                self.must("erase", *arguments, "--reason", "x", "--yes")
            if name == "cert show":
                arguments = [self.document("cert", "list")["certificates"][0]["id"]]
            if name == "escrow import-ring":
                site = self.write("site.trust", f"log {rolled['verifier_key']}\nquorum none\n".encode())
                arguments = [self.write("ring", rolled["ring_file"].encode()), "--trust", site]
            if name == "escrow import-receipt":
                arguments = [self.write("receipt", rolled["receipt"].encode())]
            if name == "escrow receive":
                log = self.document("audit", "verify")["verifier_key"]
                arguments += ["--trust", self.write("own.trust", f"log {log}\nquorum none\n".encode())]
            at_site = name in ("escrow init", "escrow roll", "escrow list", "escrow receive")
            at = ("--vault", self.folder / "site") if at_site else ()
            document = self.document(*at, *name.split(), *arguments)
            if name == "escrow roll":
                rolled = document
            self.assertEqual(sorted(KEYS[name]), sorted(document), name)
            for key in document:
                self.assertRegex(key, "^[a-z_]+$")
            if name == "cert key":
                pem.write_text(document["pem"])
            if name == "audit witness-key":
                log = self.document("audit", "verify")["verifier_key"]
                trust.write_text(f"log {log}\nwitness w {document['verifier_key']}\nquorum none\n")
            if name == "audit cosign":
                self.write("cosigned", document["checkpoint"].encode())

    def test_numbers_and_times(self):
        self.must("init", self.vault, *self.anywhere())
        made = self.document("tenant", "create", "acme")
        self.assertRegex(made["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertIsNone(made["erased"])


    def test_words_for_states(self):
        """Of a scope, of its keys, and of what they come to."""
        self.must("init", self.vault, *self.anywhere())
        scope = self.tenant("acme", "data")
        for change, word in (("show", "active"), ("suspend", "suspended"), ("resume", "active"),
                             ("deactivate", "deactivated"), ("compromise", "compromised")):
            reason = () if change == "show" else ("--reason", "test")
            self.must("key", change, "acme", *reason)
            above, below = (self.document("key", "show", path) for path in ("acme", scope))
            self.assertEqual((word, word), (above["state"], above["effective"]))
            self.assertEqual(("active", word), (below["state"], below["effective"]))
            self.assertEqual({word}, {key["state"] for key in above["keys"]})
            self.assertEqual(word, self.document("tenant", "show", "acme")["state"])
            self.assertEqual(word, self.document("scope", "show", scope)["state"])
        self.must("erase", scope, "--reason", "test", "--yes", "--now")
        [listed] = self.document("scope", "list", "acme")["scopes"]
        self.assertEqual("erased", listed["state"])


class ErrorDocuments(Scenario):
    def test_every_error_is_one_document(self):
        scope = self.tenant("acme", "data")
        for name, guard in (("restricted", ("key", "suspend")), ("held", ("hold", "place"))):
            self.tenant(name)
            self.must("put", name, "a", stdin=b"x")
            self.must(*guard, name, "--reason", "test")
        other = self.write("other", b"x\n")
        self.tenant("gone")
        self.must("erase", "gone", "--reason", "x", "--yes", "--now")
        cases = [
            (USAGE, "invalid_argument", ["put", scope, "a\nb"]),
            (USAGE, "invalid_argument", ["nonsense"]),
            (USAGE, "invalid_argument", []),
            (NOT_FOUND, "not_found", ["rm", scope, "none"]),
            (ERASED, "erased", ["ls", "gone"]),
            (REFUSED, "refused", ["erase", "acme", "--reason", "x"]),
            (REFUSED, "already_exists", ["tenant", "create", "acme"]),
            (REFUSED, "restricted", ["ls", "restricted"]),
            (REFUSED, "held", ["rm", "held", "a"]),
            (REFUSED, "held", ["erase", "held", "--reason", "x", "--yes", "--now"]),
            (LOCKED, "wrong_key", ["--passphrase-file", other, "status"]),
            (UNAVAILABLE, "unsupported", ["init", self.folder / "v2", "--root", "tpm2:"]),
            (FAILURE, "io", ["put", scope, "a", self.folder / "none"]),
            (INTEGRITY, "unverified", ["cert", "verify", other, "--key",
                                       self.write("pem", self.must("cert", "key"))]),
        ]
        for code, word, arguments in cases:
            done = self.exits(code, "--json", *arguments)
            document = json.loads(done.stdout)
            self.assertEqual(["error"], list(document))
            self.assertEqual(["code", "exit", "message"], list(document["error"]))
            self.assertEqual((word, code), (document["error"]["code"], document["error"]["exit"]))
            self.assertTrue(document["error"]["message"])
            self.says(done, "quietus: ")
            plain = self.exits(code, *arguments)
            self.assertEqual(b"", plain.stdout, arguments)


class Streams(Scenario):
    def test_messages_have_the_prefix(self):
        for arguments in (["nonsense"], ["get", "none", "x"], ["put", "acme"], ["erase", "--resume", "x"]):
            done = self.run_tool(*arguments)
            self.assertEqual(b"", done.stdout)
            for line in done.stderr.decode().splitlines():
                self.assertTrue(line.startswith("quietus: "), line)

    def test_no_progress_without_a_terminal(self):
        scope = self.tenant("acme", "data")
        self.must("put", scope, "large", stdin=bytes(8 << 20))
        for arguments in (["get", scope, "large", "-o", self.folder / "o"], ["check"],
                          ["export", scope, "-o", self.folder / "x"]):
            done = self.exits(DONE, *arguments)
            self.assertNotIn(b"\r", done.stderr)

    def test_bytes_in_arguments_do_not_reach_the_terminal(self):
        for name in (b"\x1b[2J", b"\xff", "\u202e".encode(), b"a\r\nb"):
            done = self.run_tool("get", name, name)
            for byte in (b"\x1b", b"\xff", b"\r", "\u202e".encode()):
                self.assertNotIn(byte, done.stderr)


class CommandLine(Scenario):
    def test_help_and_version(self):
        self.assertRegex(self.must("--version").decode(), r"^quietus \d+\.\d+\.\d+\n$")
        overview = self.must("--help").decode()
        for name in COMMANDS:
            text = self.must(*name.split(), "--help").decode()
            self.assertTrue(text)
            if " " not in name:
                self.assertRegex(overview, rf"(?m)^  {name}\s")

    def test_every_command_is_known_here(self):
        found, groups = [], [[]]
        while groups:
            group = groups.pop()
            listed = self.must(*group, "--help").decode().partition("Subcommands:\n")[2].partition("\n\n")[0]
            below = [[*group, name] for name in re.findall(r"(?m)^  (\S+)", listed)]
            found += [" ".join(path) for path in below]
            groups += below
        self.assertCountEqual(COMMANDS, found)

    def test_no_option_takes_a_secret(self):
        """Secrets come from files, the environment names files, or a prompt: what stands on a command
        line can be read by every user of the machine."""
        for name in ["", *COMMANDS]:
            text = self.must(*name.split(), "--help").decode()
            for option in re.findall(r"--[a-z][a-z-]*", text):
                if re.search("pass|secret|pin|key", option) and not option.endswith("-file"):
                    # The issuer's public key, and those of people.
                    self.assertIn((name, option), (("cert verify", "--key"), ("cert render", "--key"), ("init", "--admin-key"),
                                                   ("operator add", "--key"), ("operator break-glass", "--key")))
        for attempt in ("--passphrase", "--password", "--secret", "--pin"):
            self.exits(USAGE, "status", attempt, "x")

    def test_secrets_are_in_no_output(self):
        secret = self.write("secret", b"correct-horse-battery\n")
        self.must("init", self.folder / "v2", *self.anywhere("r2"), "--passphrase-file", secret)
        for arguments in (["status"], ["doctor"], ["audit", "log"], ["nonsense"]):
            done = self.run_tool("--vault", self.folder / "v2", "--passphrase-file", secret, *arguments)
            self.assertNotIn(b"correct-horse", done.stdout + done.stderr)
        key = self.key.read_bytes()
        for arguments in (["status"], ["doctor"], ["cert", "key"], ["audit", "log"]):
            done = self.run_tool(*arguments)
            for part in (key, key.strip(), key.strip().splitlines()[-1]):
                self.assertNotIn(part, done.stdout + done.stderr)

    def test_usage(self):
        for arguments in ([], ["nonsense"], ["put"], ["put", "a"], ["get", "a"], ["tenant"],
                          ["tenant", "nonsense"], ["status", "extra"], ["status", "--nonsense"],
                          ["ls"], ["ls", "a", "b"], ["cert"], ["cert", "show"], ["audit"], ["unlock"],
                          ["vault"], ["export", "a"], ["import", "a"], ["init"], ["key"], ["key", "show"],
                          ["key", "suspend", "a"], ["hold"], ["hold", "place", "a"], ["hold", "release"],
                          ["backup"], ["backup", "create"], ["backup", "verify"], ["escrow"],
                          ["escrow", "init"], ["escrow", "roll", "--yes"]):
            done = self.exits(USAGE, *arguments)
            self.assertEqual(b"", done.stdout)

    def test_options_may_stand_before_and_behind(self):
        scope = self.tenant("acme", "data")
        for arguments in (["--json", "ls", scope], ["ls", "--json", scope], ["ls", scope, "--json"]):
            self.assertEqual(scope, json.loads(self.must(*arguments))["scope"])

    def test_command_names_are_fine_as_arguments(self):
        self.tenant("status")
        self.must("put", "status", "get", stdin=b"x")
        self.assertEqual(b"x", self.must("get", "status", "get"))
        self.must("put", "status", "erase", stdin=b"x")
        self.must("rm", "status", "erase")
        self.must("tenant", "create", "create")
        self.must("scope", "list", "create")

    def test_files_are_for_the_owner_only(self):
        self.must("init", self.folder / "v2", *self.anywhere("r2"))
        for place in self.folder / "v2", self.folder / "r2":
            for path in [place, *place.rglob("*")]:
                self.assertEqual(0, os.stat(path).st_mode & 0o077, path)


if __name__ == "__main__":
    main()
