"""cert timestamp-request, timestamp-import and verify --timestamp, with `openssl ts` as the authority;
and the commands of docs/certificate.md about them."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from scenario import DONE, FAILURE, INTEGRITY, TOOL, USAGE, Scenario, main

DOCUMENT = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "certificate.md"
SNIPPET = re.compile(r"^```sh\n(# docs:(timestamp-[a-z0-9-]+)\n.*?)^```$", re.S | re.M)
NO_VAULT = ["QUIETUS_VAULT", "QUIETUS_KEY_FILE"]
CONFIG = """
[tsa]
default_tsa = it
[it]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
default_policy = 1.3.6.1.4.1.99999.1
digests = {digests}
signer_digest = sha256
ess_cert_id_alg = sha256
accuracy = secs:1
"""
SKIP = unittest.skipUnless(shutil.which("openssl"), "no openssl here")


class Authority:
    """`openssl ts` with a root and a time-stamping certificate (P-256) in a folder of its own."""

    def __init__(self, folder, digests="sha256"):
        self.folder = folder
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(CONFIG.format(folder=folder, digests=digests))
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Test Root", "-days", "9")
        (folder / "extensions").write_text("keyUsage=critical,digitalSignature\n"
                                           "extendedKeyUsage=critical,timeStamping\n")
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/O=Stamps Inc./CN=Test TSA")
        self.openssl("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key",
                     "-CAcreateserial", "-extfile", "extensions", "-out", "tsa.pem", "-days", "9")
        self.ca = folder / "root.pem"

    def openssl(self, *arguments):
        return subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    def answer(self, request, response):
        self.openssl("ts", "-reply", "-config", "config", "-queryfile", request, "-out", response)
        return response


@SKIP
class Timestamps(Scenario):
    def setUp(self):
        super().setUp()
        self.tenant("acme")
        self.certificate = self.folder / "certificate.json"
        self.must("erase", "acme", "--reason", "contract-ended", "--yes", "--now", "--certificate",
                  self.certificate)
        self.pem = self.write("issuer.pem", self.must("cert", "key"))
        self.signed = self.certificate.read_bytes()
        self.authority = Authority(self.folder / "authority")
        self.token = self.folder / "certificate.json.tst"

    def request(self, name="request.tsq"):
        self.must("cert", "timestamp-request", self.certificate, "-o", self.folder / name,
                  without=NO_VAULT)
        return self.folder / name

    def take(self, code, request, response, ca=None, certificate=None, token=None):
        """Runs the import; what it printed."""
        return self.exits(code, "cert", "timestamp-import", certificate or self.certificate,
                          "--request", request, "--response", response, "--ca",
                          ca or self.authority.ca, "-o", token or self.token, without=NO_VAULT)

    def stamp(self):
        request = self.request()
        response = self.authority.answer(request, self.folder / "response.tsr")
        self.take(DONE, request, response)
        return request, response

    def verify(self, code=DONE, *more):
        return self.exits(code, "cert", "verify", self.certificate, "--key", self.pem, *more,
                          without=NO_VAULT)

    def test_from_request_to_verdict(self):
        request, response = self.stamp()
        self.assertEqual(self.signed, self.certificate.read_bytes())
        self.assertEqual(0o600, self.token.stat().st_mode & 0o777)
        options = ["--timestamp", self.token, "--tsa-ca", self.authority.ca]
        shown = self.verify(DONE, *options).stdout.decode()
        self.assertRegex(shown, r"existed no later than \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ according to "
                                r"CN=Test TSA,O=Stamps Inc\.")
        self.assertNotIn("no time stamp was given", shown)
        verdict = json.loads(self.verify(DONE, "--json", *options).stdout)
        stamp = verdict["timestamp"]
        self.assertEqual(["time", "accuracy_ms", "policy", "serial", "authority"], list(stamp))
        self.assertEqual(("1.3.6.1.4.1.99999.1", 1000), (stamp["policy"], stamp["accuracy_ms"]))
        self.assertLessEqual(verdict["issued"], stamp["time"])
        imported = json.loads(self.exits(
            DONE, "cert", "timestamp-import", self.certificate, "--request", request, "--response",
            response, "--ca", self.authority.ca, "-o", self.token, "--json").stdout)
        self.assertEqual(["certificate_file", "token_file", "timestamp"], list(imported))
        self.assertEqual(stamp, imported["timestamp"])

    def test_without_one_the_verdict_says_so(self):
        verdict = json.loads(self.verify(DONE, "--json").stdout)
        self.assertIsNone(verdict["timestamp"])
        self.assertTrue(any("no time stamp was given" in line for line in verdict["not_checked"]))

    def test_openssl_reads_request_and_token(self):
        self.stamp()
        text = self.authority.openssl("ts", "-query", "-in", self.folder / "request.tsq", "-text")
        self.assertIn(b"sha256", text.stdout)
        self.assertIn(b"Certificate required: yes", text.stdout)
        self.assertNotIn(b"Nonce: unspecified", text.stdout)
        done = self.authority.openssl("ts", "-verify", "-data", self.certificate, "-in", self.token,
                                      "-token_in", "-CAfile", self.authority.ca)
        self.assertIn(b"Verification: OK", done.stdout)

    def test_nothing_is_written_unless_all_holds(self):
        request = self.request()
        response = self.authority.answer(request, self.folder / "response.tsr")
        late = self.request("late.tsq")
        stranger = Authority(self.folder / "stranger")
        changed = bytearray(response.read_bytes())
        changed[-1] ^= 1
        other = self.write("other.json", self.signed[:-1])
        before = self.files_below(self.folder)
        cases = [
            (INTEGRITY, "nonce", {"request": late}),
            (INTEGRITY, "do not stand for", {"ca": stranger.ca}),
            (INTEGRITY, "signature", {"response": self.write("changed", bytes(changed))}),
            (INTEGRITY, "not a time-stamp response", {"response": self.write("empty", b"")}),
            (USAGE, "for another file", {"certificate": other}),
            (USAGE, "not a time-stamp request", {"request": response}),
            (USAGE, "not CA certificates", {"ca": self.pem}),
            (USAGE, "too large", {"response": self.write("large", bytes(1 << 17))}),
            (FAILURE, "cannot read", {"response": self.folder / "none"}),
        ]
        for code, text, other in cases:
            done = self.take(code, **({"request": request, "response": response} | other))
            self.says(done, text)
            self.assertEqual(b"", done.stdout)
        left = set(self.files_below(self.folder)) - set(before)
        self.assertEqual({"changed", "empty", "large"}, left)
        self.take(DONE, request, response)

    def test_a_refusal_of_the_authority_is_told(self):
        picky = Authority(self.folder / "picky", digests="sha512")
        request = self.request()
        response = picky.answer(request, self.folder / "response.tsr")
        self.says(self.take(INTEGRITY, request, response, ca=picky.ca),
                  "granted no time stamp: rejection (badAlg)")
        self.assertFalse(self.token.exists())

    def test_no_input_is_overwritten(self):
        request, response = self.stamp()
        for name in self.certificate, request, response, self.authority.ca:
            content = name.read_bytes()
            self.says(self.take(USAGE, request, response, token=name), "-o names")
            self.assertEqual(content, name.read_bytes())
        self.exits(USAGE, "cert", "timestamp-request", self.certificate, "-o", self.certificate)
        self.assertEqual(self.signed, self.certificate.read_bytes())

    def test_a_time_stamp_that_does_not_verify_fails_the_certificate(self):
        _, response = self.stamp()
        stranger = Authority(self.folder / "stranger")
        ca = self.authority.ca
        damaged = bytearray(self.token.read_bytes())
        damaged[-1] ^= 1
        for token, trusted, text in [
                (self.token, stranger.ca, "do not stand for"),
                (self.write("damaged", bytes(damaged)), ca, "signature"),
                (self.write("cut", self.token.read_bytes()[:-9]), ca, "not a time-stamp token"),
                (response, ca, "import it with its request"),
                (self.write("empty", b""), ca, "not a time-stamp token")]:
            done = self.verify(INTEGRITY, "--timestamp", token, "--tsa-ca", trusted)
            self.assertEqual(b"", done.stdout)
            self.says(done, text)

    def test_both_options_or_none(self):
        self.stamp()
        self.verify(USAGE, "--timestamp", self.token)
        self.verify(USAGE, "--tsa-ca", self.authority.ca)
        # As from a variable that is not set: never a verdict without the time stamp.
        self.verify(FAILURE, "--timestamp", "", "--tsa-ca", self.authority.ca)

    def test_an_empty_certificate_is_not_stamped(self):
        self.exits(USAGE, "cert", "timestamp-request", self.write("empty", b""), "-o", "x")
        self.exits(FAILURE, "cert", "timestamp-request", "none", "-o", "x")
        self.exits(USAGE, "cert", "timestamp-request", self.certificate)
        self.exits(FAILURE, "cert", "timestamp-request", self.certificate, "-o", "no/such/folder")

    def test_commands_of_the_document(self):
        found = {name: body for body, name in SNIPPET.findall(DOCUMENT.read_text(encoding="utf-8"))}
        self.assertEqual(["timestamp-import", "timestamp-openssl", "timestamp-request",
                          "timestamp-verify"], sorted(found))
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "quietus").symlink_to(TOOL)
        environment = self.environment | {"PATH": f"{tools}:{os.environ['PATH']}"}
        shutil.copy(self.authority.ca, self.folder / "tsa-ca.pem")

        def shell(name):
            done = subprocess.run(["sh", "-euc", found[name]], cwd=self.folder, env=environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                                  check=False)
            self.assertEqual(0, done.returncode, (name, done.stderr))
            return done.stdout

        shell("timestamp-request")
        self.authority.answer(self.folder / "request.tsq", self.folder / "response.tsr")
        shell("timestamp-import")
        self.assertIn(b"existed no later than", shell("timestamp-verify"))
        shown = shell("timestamp-openssl")
        self.assertIn(b"Verification: OK", shown)
        self.assertIn(b"Time stamp: ", shown)


if __name__ == "__main__":
    main()
