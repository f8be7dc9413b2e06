"""Certificates in the hands of others: whose scope it was, the JSON Schema, and a second verifier."""

import json
import os
import pathlib
import re
import shutil
import subprocess

from scenario import DONE, ERASED, INTEGRITY, NOT_FOUND, TOOL, USAGE, Scenario, main

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
SNIPPET = re.compile(r"^```sh\n(# docs:(reveal-[a-z0-9-]+)\n.*?)^```$", re.S | re.M)
NO_VAULT = ["QUIETUS_VAULT", "QUIETUS_KEY_FILE"]


class Certified(Scenario):
    """A tenant with two people, one of them erased; then the tenant."""

    def setUp(self):
        super().setUp()
        self.tenant("acme", "data")
        for person in ("ada", "bob"):
            self.must("scope", "create", f"acme/data/{person}")
            self.must("put", f"acme/data/{person}", "profile", stdin=b"x" * 1000)
        self.must("put", "acme/data", "large", stdin=b"y" * 600_000)
        self.person = self.erase("acme/data/ada", "ada.json")
        self.key_pem = self.write("issuer.pem", self.must("cert", "key"))

    def erase(self, path, certificate):
        return self.document("erase", path, "--reason", "deletion-request", "--yes", "--now",
                             "--certificate", self.folder / certificate)

    def payload(self, certificate):
        return json.loads(self.must("cert", "verify", self.folder / certificate, "--json", "--key",
                                    self.key_pem))


class Reveal(Certified):
    def test_amounts_are_those_of_the_stores(self):
        self.assertEqual(1, self.person["records"])
        self.assertGreater(self.person["bytes"], 1000)
        self.assertLess(self.person["bytes"], 1400)
        tenant = self.erase("acme", "acme.json")
        self.assertEqual(2, tenant["records"])  # bob's profile and the large one; ada's is gone
        self.assertGreater(tenant["bytes"], 601_000)
        verdict = self.payload("acme.json")
        self.assertEqual([2, tenant["records"], tenant["bytes"]],
                         [verdict[name] for name in ("scopes_below", "records", "bytes")])

    def test_who_has_the_salt_opens_the_commitment(self):
        shown = self.document("cert", "show", self.person["certificate_id"], "--reveal")
        self.assertEqual(["acme/data/ada"], [subject["path"] for subject in self.person["subjects"]])
        # The name died with the scope; who knows it puts it in.
        self.assertEqual([subject | {"path": ""} for subject in self.person["subjects"]],
                         shown["subjects"])
        empty = self.write("empty.json", json.dumps(shown).encode())
        self.says(self.exits(USAGE, "cert", "verify", self.folder / "ada.json", "--key", self.key_pem,
                             "--reveal", empty), "with each path put in")
        shown["subjects"][0]["path"] = "acme/data/ada"
        reveal = self.write("reveal.json", json.dumps(shown).encode())
        done = self.exits(DONE, "cert", "verify", self.folder / "ada.json", "--key", self.key_pem,
                          "--reveal", reveal, without=NO_VAULT)
        self.assertIn(b"acme/data/ada  is scope " + shown["subjects"][0]["scope_id"].encode(), done.stdout)
        self.assertNotIn(b"ada", (self.folder / "ada.json").read_bytes())

    def test_another_path_does_not_open_it(self):
        subject = dict(self.person["subjects"][0])
        for member, value in (("path", "acme/data/bob"), ("scope_id", "1" * 16), ("salt", "0" * 64)):
            reveal = self.write("r", json.dumps({"subjects": [subject | {member: value}]}).encode())
            self.says(self.exits(INTEGRITY, "cert", "verify", self.folder / "ada.json", "--key",
                                 self.key_pem, "--reveal", reveal), "no scope of this path")
        for malformed in (b"", b"{}", b"[]", b'{"subjects": []}', b'{"subjects": [1]}',
                          b'{"subjects": [{"scope_id": "zz", "path": "a", "salt": "b"}]}'):
            reveal = self.write("r", malformed)
            self.says(self.exits(USAGE, "cert", "verify", self.folder / "ada.json", "--key",
                                 self.key_pem, "--reveal", reveal), "cert show ID --reveal")

    def test_a_tenants_opening_is_given_out_once_and_its_people_s_die_with_it(self):
        tenant = self.erase("acme", "acme.json")
        self.assertEqual(["acme"], [subject["path"] for subject in tenant["subjects"]])
        for certificate in (tenant, self.person):
            self.says(self.exits(ERASED, "cert", "show", certificate["certificate_id"], "--reveal"),
                      "nothing is left")
        reveal = self.write("reveal.json", json.dumps(tenant).encode())
        self.must("cert", "verify", self.folder / "acme.json", "--key", self.key_pem, "--reveal", reveal)
        self.exits(NOT_FOUND, "cert", "show", "0" * 32, "--reveal")

    def test_the_commands_of_the_document(self):
        found = {name: body for body, name in SNIPPET.findall((DOCS / "certificate.md").read_text("utf-8"))}
        self.assertEqual(["reveal-openssl", "reveal-quietus"], sorted(found))
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "quietus").symlink_to(TOOL)
        shutil.copy(self.folder / "ada.json", self.folder / "certificate.json")
        self.write("reveal.json", json.dumps(self.person).encode())
        [subject] = self.person["subjects"]
        verdict = self.payload("ada.json")
        environment = self.environment | {
            "PATH": f"{tools}:{os.environ['PATH']}", "vault_id": verdict["vault_id"], **subject}
        said = {}
        for name, body in found.items():
            done = subprocess.run(["sh", "-eu", "-c", body], cwd=self.folder, env=environment, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            self.assertEqual(0, done.returncode, done.stdout)
            said[name] = done.stdout
        payload = self.certificate_payload("ada.json")
        self.assertEqual(payload["targets"][0]["subject"], said["reveal-openssl"].decode().strip())

    def certificate_payload(self, name):
        import base64
        text = json.loads((self.folder / name).read_bytes())["payload"]
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class WithoutRecords(Certified):
    def test_a_tenant_is_erased_all_the_same(self):
        records = self.vault / "records.mdb"
        records.write_bytes(records.read_bytes()[:5000])
        erased = self.erase("acme", "acme.json")
        self.assertIsNone(erased["records"])
        verdict = self.payload("acme.json")
        self.assertEqual([None] * 3, [verdict[name] for name in ("scopes_below", "records", "bytes")])
        shown = self.must("cert", "verify", self.folder / "acme.json", "--key", self.key_pem)
        self.assertIn(b"not counted", shown)
        findings = self.document("doctor", code=INTEGRITY)["findings"]
        self.assertIn("record store", [finding["subject"] for finding in findings])
        self.exits(ERASED, "get", "acme/data", "large")


class Others(Certified):
    def test_a_second_verifier_and_the_schema_judge_alike(self):
        node = shutil.which("node")
        if not node or not (HERE / "node_modules" / "ajv").is_dir():
            self.skipTest("no node, or npm's ajv is not installed")
        self.must("export", "acme", "-o", self.folder / "exported")
        self.erase("acme", "acme.json")
        for certificate in ("ada.json", "acme.json"):
            done = subprocess.run(
                [node, HERE / "verifier" / "judge.mjs", self.folder / certificate, self.key_pem,
                 DOCS / "certificate.schema.json"], check=False, timeout=300,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(0, done.returncode, done.stdout.decode(errors="replace"))
            self.assertIn(b"all refused", done.stdout)


if __name__ == "__main__":
    main()
