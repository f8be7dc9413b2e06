"""The log in the hands of others: witnesses, trust files, exported folders, older checkpoints."""

import json
import os
import shutil
import stat
import struct

from scenario import (DONE, FAILURE, INTEGRITY, LOCKED, NOT_FOUND, REFUSED, USAGE, Scenario, main)

NO_VAULT = ["QUIETUS_VAULT", "QUIETUS_KEY_FILE"]


class LogScenario(Scenario):
    def setUp(self):
        super().setUp()
        self.tenant("acme")
        self.log_key = self.document("audit", "verify")["verifier_key"]
        self.witness_key = self.must("audit", "witness-key", "-o", "witness", "--name",
                                     "witness.example/w1", without=NO_VAULT).decode().strip()
        self.trust = self.trust_file("trust")

    def trust_file(self, name, quorum="w1", log=None, issuer=True):
        lines = [f"log {log or self.log_key}", f"witness w1 {self.witness_key}", f"quorum {quorum}"]
        if issuer:
            lines.append("issuer acme " + self.must("cert", "key").decode().splitlines()[1])
        return self.write(name, "".join(line + "\n" for line in lines).encode())

    def checkpoint(self, name="checkpoint", *options):
        return self.write(name, self.must("audit", "checkpoint", *options))

    def cosign(self, request, code=DONE, key="witness", trust=None):
        return self.exits(code, "audit", "cosign", request, "--key-file", key, "--trust",
                          trust or self.trust, without=NO_VAULT)

    def size(self):
        return self.document("audit", "log")["size"]

    def cosigned(self, name="cosigned"):
        """A cosigned checkpoint of the log as it is, kept in the vault too."""
        done = self.cosign(self.checkpoint())
        path = self.write(name, done.stdout)
        self.must("audit", "add-cosignature", path, "--trust", self.trust)
        return path


class Witness(LogScenario):
    def test_key_is_for_its_owner_alone_and_not_replaced(self):
        for name in "witness", "witness.state":
            self.assertEqual(0o600, stat.S_IMODE((self.folder / name).stat().st_mode))
        self.assertRegex(self.witness_key, r"^witness\.example/w1\+[0-9a-f]{8}\+B[A-Za-z0-9+/]{43}$")
        self.exits(REFUSED, "audit", "witness-key", "-o", "witness")
        self.exits(USAGE, "audit", "witness-key", "-o", "other", "--name", "two words")
        made = self.document("audit", "witness-key", "-o", "other", without=NO_VAULT)
        self.assertEqual(["key_file", "verifier_key"], sorted(made))

    def test_cosigning_and_keeping_it(self):
        checkpoint = self.checkpoint()
        cosigned = self.cosign(checkpoint).stdout
        self.assertTrue(cosigned.startswith(checkpoint.read_bytes()))
        self.assertIn("— witness.example/w1 ".encode(), cosigned)
        path = self.write("cosigned", cosigned)
        kept = self.document("audit", "add-cosignature", path, "--trust", self.trust)
        self.assertEqual(["w1"], [witness["name"] for witness in kept["witnesses"]])
        # Printed with the checkpoint of that size, then and later.
        size = self.size()
        self.assertEqual(cosigned, self.must("audit", "checkpoint"))
        self.tenant("later")
        self.assertNotIn(b"witness.example", self.must("audit", "checkpoint"))
        self.assertEqual(cosigned, self.must("audit", "checkpoint", "--size", size))
        self.must("check")

    def test_it_goes_on_with_a_proof(self):
        self.cosign(self.checkpoint())
        size = self.size()
        self.tenant("next")
        done = self.cosign(self.checkpoint("next"), REFUSED)
        self.says(done, "no consistency proof", f"quietus audit proof --from {size}")
        self.assertEqual(b"", done.stdout)
        wrong = self.write("wrong", self.must("audit", "proof", "--from", size - 1))
        self.says(self.cosign(wrong, REFUSED), f"last cosigned size {size}")
        proof = self.write("proof", self.must("audit", "proof", "--from", size))
        self.assertTrue(proof.read_bytes().startswith(f"old {size}\n".encode()))
        self.assertTrue(self.cosign(proof).stdout.startswith(self.must("audit", "checkpoint")))
        self.assertEqual(proof.read_text(), self.document("audit", "proof", "--from", size)["request"])

    def test_it_does_not_sign_a_fork(self):
        """An older copy of the vault is put back, roots too, and goes on in another way."""
        shutil.copytree(self.folder, self.folder / "copy",
                        ignore=lambda folder, names: [n for n in names if n in ("copy", "witness.state")])
        self.tenant("one")
        self.cosign(self.checkpoint("one"))
        size = self.size()
        copied = {"QUIETUS_VAULT": str(self.folder / "copy" / "vault")}
        description = self.folder / "copy" / "vault" / "vault.json"
        description.write_text(description.read_text().replace(
            str(self.folder / "roots"), str(self.folder / "copy" / "roots")))
        done = self.exits(INTEGRITY, "audit", "verify", "--against", "one", **copied)
        self.says(done, f"rolled back: the log has 5 entries, the older checkpoint {size}")
        self.must("tenant", "create", "two", **copied)
        fork = self.write("fork", self.must("audit", "checkpoint", **copied))
        self.says(self.cosign(fork, INTEGRITY), "fork: this witness cosigned another root")
        self.must("tenant", "create", "three", **copied)
        longer = self.write("longer", self.must("audit", "proof", "--from", size, **copied))
        self.says(self.cosign(longer, INTEGRITY), "fork: the log does not go on")
        # Neither does the vault itself pass for the one that the checkpoint is of.
        done = self.exits(INTEGRITY, "audit", "verify", "--against", "one", **copied)
        self.says(done, "fork: ", f"first {size} entries")
        self.must("audit", "verify", "--against", "one")

    def test_it_does_not_go_back(self):
        older = self.checkpoint("older")
        self.tenant("next")
        self.cosign(self.checkpoint())
        self.says(self.cosign(older, INTEGRITY), "rolled back")

    def test_it_knows_its_logs_and_its_past(self):
        checkpoint = self.checkpoint()
        stranger = "stranger" + self.log_key[self.log_key.index("+"):]
        self.says(self.cosign(checkpoint, USAGE, trust=self.trust_file("t2", log=stranger)),
                  "line 1", "does not match its id")
        self.says(self.cosign(self.write("forged", checkpoint.read_bytes().replace(b"\n5\n", b"\n6\n")),
                              INTEGRITY), "bad signature by a known key")
        self.cosign(checkpoint)
        os.remove(self.folder / "witness.state")
        self.says(self.cosign(checkpoint, NOT_FOUND), "no longer knows")
        self.cosign(checkpoint, INTEGRITY, key=self.key)
        self.cosign(checkpoint, NOT_FOUND, key="none")
        self.exits(USAGE, "audit", "cosign", checkpoint, "--trust", self.trust)

    def test_what_is_kept_is_verified(self):
        checkpoint = self.checkpoint()
        add = ["audit", "add-cosignature"]
        self.says(self.exits(INTEGRITY, *add, checkpoint, "--trust", self.trust), "no cosignature by")
        cosigned = self.cosign(checkpoint).stdout
        damaged = bytearray(cosigned)
        damaged[-6] ^= 1
        self.exits(INTEGRITY, *add, self.write("damaged", bytes(damaged)), "--trust", self.trust)
        # Of another vault's log.
        self.must("init", "other", *self.anywhere("other-roots"))
        path = self.write("cosigned", cosigned)
        self.says(self.exits(INTEGRITY, "--vault", "other", *add, path, "--trust", self.trust),
                  "another log")
        self.exits(LOCKED, *add, path, "--trust", self.trust, without=["QUIETUS_KEY_FILE"])


class Export(LogScenario):
    def setUp(self):
        super().setUp()
        self.exported = self.folder / "exported"

    def export(self, *options):
        self.must("audit", "export", "-o", self.exported, *options)

    def verify(self, code=DONE, *options):
        return self.exits(code, "audit", "verify", self.exported, *options, without=NO_VAULT)

    def none_trust(self):
        return self.trust_file("none", "none")

    def grow_past_a_tile(self):
        """Each tenant logs two entries."""
        for number in range(130):
            self.must("tenant", "create", f"t{number}")

    def test_folder_is_what_the_log_says(self):
        self.export()
        size = self.size()
        self.assertEqual(["checkpoint", f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"],
                         self.files_below(self.exported))
        self.assertEqual(self.must("audit", "checkpoint"), (self.exported / "checkpoint").read_bytes())
        bundle = (self.exported / f"tile/entries/000.p/{size}").read_bytes()
        entries = []
        while bundle:
            [length] = struct.unpack(">H", bundle[:2])
            entries.append(json.loads(bundle[2:2 + length]))
            bundle = bundle[2 + length:]
        self.assertEqual(self.document("audit", "log")["entries"], entries)

    def test_folder_has_no_names(self):
        self.export()
        for path in self.exported.rglob("*"):
            if path.is_file():
                self.assertNotIn(b"acme", path.read_bytes())

    def test_folder_must_be_new(self):
        self.export()
        self.says(self.exits(REFUSED, "audit", "export", "-o", self.exported), "not empty")
        self.exits(USAGE, "audit", "export", "-o", "x", "--size", 1000)
        self.assertFalse((self.folder / "x").exists())

    def test_verifies_offline(self):
        older = self.checkpoint("older")
        self.grow_past_a_tile()
        self.export()
        done = self.verify(DONE, "--trust", self.none_trust(), "--against", older)
        self.assertTrue(done.stdout.startswith(b"valid"))
        document = json.loads(self.verify(DONE, "--trust", self.none_trust(), "--against", older,
                                          "--json").stdout)
        self.assertEqual((True, self.size(), self.log_key),
                         (document["valid"], document["size"], document["verifier_key"]))
        self.assertEqual(5, document["against"]["size"])
        self.assertEqual([], document["witnesses"])
        blind = json.loads(self.verify(DONE, "--json").stdout)
        self.assertEqual((None, None), (blind["verifier_key"], blind["against"]))
        self.assertIn("Who signed", blind["not_checked"][0])

    def test_a_gap_is_named(self):
        self.grow_past_a_tile()
        self.export()
        os.remove(self.exported / "tile/entries/000")
        self.says(self.verify(INTEGRITY, "--trust", self.none_trust()), "gap: no entries 0 to 255")

    def test_a_rewritten_entry_is_named(self):
        self.export()
        path = self.exported / f"tile/entries/000.p/{self.size()}"
        content = path.read_bytes()
        path.write_bytes(content.replace(b"vault-created", b"vault-creates"))
        self.says(self.verify(INTEGRITY, "--trust", self.none_trust()), "rewritten: log entry 0")

    def test_a_rolled_back_log_is_named(self):
        self.export()
        self.tenant("later")
        newer = self.checkpoint("newer")
        done = self.verify(INTEGRITY, "--trust", self.none_trust(), "--against", newer)
        self.says(done, "rolled back: the log has 5 entries, the older checkpoint 7")
        error = json.loads(self.verify(INTEGRITY, "--trust", self.none_trust(), "--against", newer,
                                       "--json").stdout)
        self.assertEqual("rolled_back", error["error"]["code"])

    def test_a_fork_is_named(self):
        """Two vaults under one name: without keys only the roots tell them apart."""
        self.export()
        note = (self.exported / "checkpoint").read_text().split("\n")
        note[1:3] = ["3", "A" * 43 + "="]
        older = self.write("older", "\n".join(note).encode())
        self.says(self.verify(INTEGRITY, "--against", older), "fork: the first 3 entries")
        # With keys, nobody but the log can have signed that.
        self.says(self.verify(INTEGRITY, "--against", older, "--trust", self.none_trust()),
                  "older checkpoint", "bad signature by a known key")

    def test_an_unfinished_export_is_none(self):
        self.export()
        os.remove(self.exported / "checkpoint")
        self.says(self.verify(NOT_FOUND), "not finished")
        self.exits(NOT_FOUND, "audit", "verify", "nowhere", without=NO_VAULT)

    def test_the_quorum_must_be_met(self):
        self.export()
        self.says(self.verify(INTEGRITY, "--trust", self.trust), "quorum w1 is not met", "by w1")
        self.says(self.exits(INTEGRITY, "audit", "verify", "--trust", self.trust), "quorum w1")
        self.cosigned()
        size = self.size()
        self.must("audit", "verify", "--trust", self.trust)
        self.tenant("later")
        shutil.rmtree(self.exported)
        self.export("--size", size)
        document = json.loads(self.verify(DONE, "--trust", self.trust, "--json").stdout)
        self.assertEqual(["w1"], [witness["name"] for witness in document["witnesses"]])


class TrustFiles(LogScenario):
    def setUp(self):
        super().setUp()
        self.certificate = self.folder / "certificate"
        self.must("erase", "acme", "--reason", "contract-ended", "--yes", "--now", "--certificate",
                  self.certificate)

    def verify(self, trust, code=DONE, *options):
        return self.exits(code, "cert", "verify", self.certificate, "--trust", trust, *options,
                          without=NO_VAULT)

    def test_certificate_against_a_trust_file(self):
        done = self.verify(self.trust_file("none", "none"))
        self.assertTrue(done.stdout.startswith(b"valid"))
        for part in b"checked", b"not checked", b"the issuer states", b"not covered":
            self.assertIn(b"\n" + part + b"\n", done.stdout)
        verdict = json.loads(self.verify(self.folder / "none", DONE, "--json").stdout)
        self.assertTrue(verdict["log_key_pinned"])
        self.assertEqual([], verdict["witnesses"])

    def test_quorum_of_a_certificate(self):
        self.says(self.verify(self.trust, INTEGRITY), "quorum w1 is not met: no cosignature by w1")
        jws = json.loads(self.certificate.read_bytes())
        self.assertIn("payload", jws)
        size = self.size_in_certificate()
        self.cosigned()
        proof = self.write("proof", self.must("audit", "proof", "--from", size))
        done = self.verify(self.trust, DONE, "--proof", proof)
        self.assertIn(b"quorum w1", done.stdout)
        verdict = json.loads(self.verify(self.trust, DONE, "--proof", proof, "--json").stdout)
        self.assertEqual(["w1"], [witness["name"] for witness in verdict["witnesses"]])
        # From another size it proves nothing about this certificate.
        other = self.write("other", self.must("audit", "proof", "--from", size - 1))
        self.says(self.verify(self.trust, INTEGRITY, "--proof", other), "fork: ")
        # Later, the log has moved on; the proof to the witnessed size is still to be had.
        witnessed = self.size()
        self.tenant("later")
        self.assertEqual(proof.read_bytes(),
                         self.must("audit", "proof", "--from", size, "--size", witnessed))

    def size_in_certificate(self):
        """The last entry is that the certificate was issued, and not in it."""
        return self.size() - 1

    def test_keys_that_do_not_fit(self):
        self.must("init", "other", *self.anywhere("other-roots"))
        other_log = self.document("audit", "verify", "--vault", "other")["verifier_key"]
        self.says(self.verify(self.trust_file("t", "none", log=other_log), INTEGRITY),
                  "does not name")
        self.says(self.verify(self.trust_file("t", "none", issuer=False), USAGE), "no issuer line")

    def test_mistakes_have_a_line(self):
        for text, named in ((b"", "no quorum line"), (b"nonsense\n", "line 1"),
                            (b"quorum none\nquorum none\n", "line 2: is a second quorum line"),
                            (b"\n" * 70000, "too large"), (b"quorum none\r\n", "control character")):
            self.says(self.verify(self.write("bad", text), USAGE), "bad", named)
        self.verify(self.folder / "none", FAILURE)

    def test_one_of_key_and_trust(self):
        key = self.write("key.pem", self.must("cert", "key"))
        self.verify(self.trust, USAGE, "--key", key)
        self.exits(USAGE, "cert", "verify", self.certificate, "--key", key, "--proof", key)
        self.exits(DONE, "cert", "verify", self.certificate, "--key", key)


if __name__ == "__main__":
    main()
