"""cert and audit: what an auditor asks for."""

import json
import shutil
import subprocess

from scenario import (DONE, FAILURE, INTEGRITY, LOCKED, NOT_FOUND, USAGE, Scenario, main)

NO_VAULT = ["QUIETUS_VAULT", "QUIETUS_KEY_FILE"]


class Certificates(Scenario):
    def setUp(self):
        super().setUp()
        self.scope = self.tenant("acme", "data")
        self.scope_id = self.document("tenant", "show", "acme")["id"]
        self.certificate = self.folder / "certificate"
        self.report = self.document("erase", "acme", "--reason", "contract-ended", "--yes", "--now",
                                    "--certificate", self.certificate)
        self.key_pem = self.write("issuer.pem", self.must("cert", "key"))

    def verify(self, code=DONE, certificate=None, key=None, *more):
        return self.exits(code, "cert", "verify", certificate or self.certificate, "--key",
                          key or self.key_pem, *more, without=NO_VAULT)

    def test_list_and_show(self):
        [listed] = self.document("cert", "list")["certificates"]
        self.assertEqual(self.report["certificate_id"], listed["id"])
        self.assertEqual(self.report["erasure_id"], listed["erasure_id"])
        self.assertIn(listed["status"], ("complete", "partial"))
        self.assertIn(listed["id"].encode(), self.must("cert", "list"))
        plain = self.must("cert", "show", listed["id"])
        self.assertEqual(plain, self.must("cert", "show", listed["id"], "--json"))
        self.assertEqual(self.certificate.read_bytes().rstrip(), plain.rstrip())
        self.exits(NOT_FOUND, "cert", "show", "0" * 32)
        self.assertIn(self.run_tool("cert", "show", "nonsense").returncode, (USAGE, NOT_FOUND))

    def test_verify_needs_no_vault(self):
        done = self.verify()
        self.assertTrue(done.stdout.startswith(b"valid"))
        verdict = json.loads(self.verify(DONE, None, None, "--json").stdout)
        self.assertTrue(verdict["valid"])
        self.assertEqual(self.report["certificate_id"], verdict["certificate_id"])
        self.assertEqual("contract-ended", verdict["reason"])
        self.assertIn(self.scope_id, verdict["scope_ids"])
        self.assertFalse(verdict["log_key_pinned"])
        for part in "checked", "not_checked", "claims", "not_claimed":
            self.assertTrue(verdict[part], part)

    def test_verify_needs_a_key(self):
        done = self.exits(USAGE, "cert", "verify", self.certificate)
        self.says(done, "--key PEM", "quietus cert key")

    def test_forgeries_do_not_verify(self):
        jws = json.loads(self.certificate.read_bytes())
        for member, text in jws.items():
            middle = len(text) // 2
            other = "A" if text[middle] != "A" else "B"
            forged = jws | {member: text[:middle] + other + text[middle + 1:]}
            path = self.write("forged", json.dumps(forged, separators=(",", ":")).encode())
            done = self.verify(INTEGRITY, path)
            self.assertEqual(b"", done.stdout)
        self.verify(INTEGRITY, self.write("empty", b""))
        self.verify(INTEGRITY, self.write("cut", self.certificate.read_bytes()[:-3]))
        error = json.loads(self.verify(INTEGRITY, self.folder / "empty", None, "--json").stdout)
        self.assertEqual("unverified", error["error"]["code"])

    def render(self, code=DONE, certificate=None, *more):
        page = self.folder / "page.html"
        done = self.exits(code, "cert", "render", certificate or self.certificate, "-o", page, *more,
                          without=NO_VAULT)
        self.assertEqual(code == DONE, page.exists())
        return done

    def test_render_needs_no_vault(self):
        report = json.loads(self.render(DONE, None, "--json").stdout)
        self.assertEqual(self.report["certificate_id"], report["certificate_id"])
        self.assertFalse(report["verified"])
        page = (self.folder / "page.html").read_text()
        self.assertIn(self.certificate.read_text(), page, "letter for letter")
        self.assertNotIn(self.key_pem.read_text().splitlines()[1], page)
        report = json.loads(self.render(DONE, None, "--json", "--key", self.key_pem).stdout)
        self.assertTrue(report["verified"])
        self.assertIn(self.key_pem.read_text().strip(), (self.folder / "page.html").read_text())

    def test_render_refuses_what_is_no_certificate(self):
        for content in b"", b"{}", self.certificate.read_bytes()[:-3], self.key_pem.read_bytes():
            self.says(self.render(INTEGRITY, self.write("none", content)),
                      "none: not an erasure certificate")
        self.render(FAILURE, self.folder / "missing")
        self.exits(USAGE, "cert", "render", self.certificate, without=NO_VAULT)

    def test_render_with_a_key_refuses_what_does_not_verify(self):
        text = self.certificate.read_text()
        at = text.index('"signature":"') + 40
        forged = self.write("forged", (text[:at] + ("A" if text[at] != "A" else "B") +
                                       text[at + 1:]).encode())
        self.render(INTEGRITY, forged, "--key", self.key_pem)
        self.render(USAGE, None, "--key", self.write("none.pem", b"not a key"))
        # Without a key only the form is looked at, and the page will say what does not hold.
        self.render(DONE, forged)

    def test_another_key(self):
        other = self.folder / "other"
        self.must("init", other, *self.anywhere("other-roots"))
        pem = self.write("other.pem", self.must("cert", "key", "--vault", other))
        self.verify(INTEGRITY, None, pem)
        self.verify(USAGE, None, self.write("none.pem", b"not a key"))

    def test_missing_files(self):
        self.verify(FAILURE, self.folder / "none")
        self.verify(FAILURE, None, self.folder / "none")

    def test_key_forms(self):
        self.assertTrue(self.must("cert", "key").startswith(b"-----BEGIN PUBLIC KEY-----\n"))
        self.assertEqual(self.must("cert", "key").decode(), self.document("cert", "key")["pem"])
        jwk = json.loads(self.must("cert", "key", "--jwk"))
        self.assertEqual(("OKP", "Ed25519"), (jwk["kty"], jwk["crv"]))
        self.assertNotIn("d", jwk, "the private half")

    def test_openssl_reads_the_key(self):
        if not shutil.which("openssl"):
            self.skipTest("no openssl here")
        subprocess.run(["openssl", "pkey", "-pubin", "-in", self.key_pem, "-noout"], check=True,
                       timeout=60)

    def test_commands_that_need_the_vault_say_so(self):
        self.exits(LOCKED, "cert", "list", without=["QUIETUS_KEY_FILE"])


class Audit(Scenario):
    def test_log(self):
        self.tenant("acme", "data")
        entries = [json.loads(text) for text in self.must("audit", "log").splitlines()]
        self.assertEqual("vault-created", entries[0]["kind"])
        document = self.document("audit", "log")
        self.assertEqual(entries, document["entries"])
        self.assertEqual(len(entries), document["size"])
        tail = self.document("audit", "log", "--from", 2)
        self.assertEqual((2, entries[2:]), (tail["from"], tail["entries"]))
        self.assertEqual(b"", self.must("audit", "log", "--from", 1000))
        self.exits(USAGE, "audit", "log", "--from", "x")
        self.exits(USAGE, "audit", "log", "--from", -1)

    def test_log_has_no_names(self):
        self.tenant("acme", "data")
        self.must("put", "acme/data", "zebra", stdin=b"x")
        for word in b"acme", b"zebra":
            self.assertNotIn(word, self.must("audit", "log"))

    def test_verify_and_checkpoint(self):
        self.tenant("acme")
        head = self.document("audit", "verify")
        self.assertTrue(head["valid"])
        self.assertRegex(head["root_hash"], "^[0-9a-f]{64}$")
        self.assertIn(head["root_hash"].encode(), self.must("audit", "verify"))
        note = self.must("audit", "checkpoint").decode()
        self.assertEqual([head["origin"], str(head["size"])], note.split("\n")[:2])
        document = self.document("audit", "checkpoint")
        self.assertEqual(note, document["checkpoint"])
        self.assertEqual(head["verifier_key"], document["verifier_key"])

    def test_report(self):
        self.tenant("acme")
        self.must("put", "acme", "record", "-", stdin=b"content")
        self.must("export", "acme", "-o", self.folder / "copy.ndjson")
        erased = self.document("erase", "acme", "--reason", "test", "--yes", "--now")
        page = self.folder / "report.html"
        report = self.document("audit", "report", "-o", page)
        self.assertEqual([str(page), 1, 1, 0, 0, 1], [report[name] for name in (
            "file", "erasures", "exports", "pending", "not_valid")] + [
                report["complete"] + report["partial"]])
        self.assertIn(erased["certificate_id"], page.read_text())
        self.assertIn(b"report.html", self.must("audit", "report", "-o", page))
        none = self.folder / "none.html"
        self.assertEqual(0, self.document("audit", "report", "-o", none, "--to", "1999-12-31")["erasures"])
        self.assertNotIn(erased["certificate_id"], none.read_text())
        self.exits(USAGE, "audit", "report")
        self.says(self.exits(USAGE, "audit", "report", "-o", page, "--from", "31.12.1999"),
                  "31.12.1999 is not a day")


if __name__ == "__main__":
    main()
