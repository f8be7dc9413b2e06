"""key rotate, purge, reclaim: what they refuse, in which states they work; room that is freed."""

import json

from rotated import LARGE, SCOPE, Rotated
from scenario import DONE, ERASED, INTEGRITY, NOT_FOUND, REFUSED, USAGE, main

REASONS = ["accuracy-contested", "unlawful-processing", "legal-claims", "objection", "contract-ended",
           "incident", "resolved", "test", "other"]


class Errors(Rotated):
    PURGE = ["purge", SCOPE, "--yes"]
    COMMANDS = [["key", "rotate", SCOPE], ["key", "rotate", SCOPE, "--now", "--yes"], PURGE]

    def test_scopes_must_exist(self):
        for scope in "acme/none", "nobody":
            for what in (["key", "rotate", scope], ["purge", scope, "--yes"], ["key", "rotate", scope, "--now"],
                         ["purge", scope]):
                message = self.answers(NOT_FOUND, "not_found", *what)
                self.assertIn(scope + ": no such scope", message)
        self.must("erase", SCOPE, "--reason", "test", "--yes", "--now")
        for what in *self.COMMANDS, ["purge", SCOPE]:
            self.answers(ERASED, "erased", *what)
        self.assertEqual([], self.logged("rotation-begun"))

    def test_command_lines(self):
        for what in (["key", "rotate"], ["key", "rotate", ""], ["key", "rotate", SCOPE, "--resume"],
                     ["key", "rotate", "--now", "--yes"], ["key", "rotate", "--resume", "--now"],
                     ["key", "rotate", "--resume", "--yes"], ["key", "rotate", "--resume", "--reason", "test"],
                     ["purge"], ["purge", "", "--yes"], ["purge", SCOPE, "--resume"], ["purge", SCOPE, "--now"],
                     ["reclaim", SCOPE], ["reclaim", "--max-bytes", "-1"], ["reclaim", "--max-bytes", "x"]):
            self.exits(USAGE, *what)
        self.assertEqual({1: "active"}, self.states())

    def test_reasons_are_codes(self):
        for reason in "Jane Doe asked", "", "litigation", "TEST":
            for what in self.COMMANDS:
                self.says(self.exits(USAGE, *what, "--reason", reason), "one of: " + ", ".join(REASONS))
        self.assertEqual({1: "active"}, self.states())
        for reason in REASONS:
            self.must("key", "rotate", SCOPE, "--reason", reason)
        self.must("key", "rotate", SCOPE)
        self.assertEqual([*REASONS, "other"], [e["reason"] for e in self.logged("rotation-begun")])

    def test_a_hold_stops_a_purge_only(self):
        hold = self.document("hold", "place", "acme", "--reason", "audit")["hold"]
        for what in self.COMMANDS[1:]:
            self.answers(REFUSED, "held", *what)
        self.must("key", "rotate", SCOPE)
        self.answers(REFUSED, "held", *self.PURGE)
        self.assertEqual({1: "deactivated", 2: "active"}, self.states())
        self.assertEqual({"purge"}, {entry["attempt"] for entry in self.logged("attempt-refused")})
        self.check_whole()
        self.must("hold", "release", hold)
        self.assertEqual(2, self.purge()["keys_destroyed"])
        self.check_whole()

    def test_states(self):
        lawful = "--restricted-use", "consent"
        self.must("key", "suspend", SCOPE, "--reason", "objection")
        self.purge()
        self.assertEqual({1: "destroyed", 2: "suspended"}, self.states())
        self.answers(REFUSED, "restricted", "ls", SCOPE)
        self.check_whole(*lawful)
        self.must("key", "resume", SCOPE, "--reason", "resolved")
        self.must("key", "suspend", "acme", "--reason", "objection")
        self.must("key", "rotate", SCOPE)
        self.check_whole(*lawful)
        self.must("key", "resume", "acme", "--reason", "resolved")
        self.must("key", "deactivate", SCOPE, "--reason", "contract-ended")
        self.must("key", "rotate", SCOPE)
        self.assertEqual("deactivated", self.document("key", "show", SCOPE)["state"])
        self.check_whole()

    def test_a_compromised_scope_is_active_afterwards(self):
        self.must("key", "compromise", SCOPE, "--reason", "incident")
        self.purge()
        self.assertEqual({1: "destroyed-compromised", 2: "active"}, self.states())
        self.assertEqual({1: "compromised", 2: "active"}, self.states(line="lasting"))
        self.check_whole()

    def test_a_damaged_record_keeps_the_old_key(self):
        records = self.vault / "records.mdb"
        sound = records.read_bytes()
        self.must("put", SCOPE, "long", stdin=bytes(3000))
        self.contents["long"] = bytes(3000)
        before = records.read_bytes()
        self.damage(records, sound)
        for what in self.PURGE, ["key", "rotate", "--resume"]:
            message = self.answers(INTEGRITY, "corrupt", *what)
            self.assertIn("check", message)
        self.assertEqual({1: "deactivated", 2: "active"}, self.states())
        [listed] = self.rotations()
        self.assertEqual("re-encrypting", listed["stage"])
        records.write_bytes(before)
        self.assertEqual({"finished": 1}, self.document("key", "rotate", "--resume"))
        self.check_whole()

    def test_a_damaged_record_is_given_up_when_that_is_asked_for(self):
        records = self.vault / "records.mdb"
        sound = records.read_bytes()
        self.must("put", SCOPE, "long", stdin=bytes(3000))
        self.damage(records, sound)
        [damage] = self.document("check", code=INTEGRITY)["damages"]
        done = self.exits(DONE, "--json", *self.PURGE, "--sacrifice-unreadable")
        self.says(done, "Records that do not open are removed")
        report = json.loads(done.stdout)
        self.assertEqual((3, 1, 1), tuple(report[k] for k in ("records", "keys_destroyed", "given_up")))
        [record] = report["given_up_records"]
        self.assertRegex(record, "^[0-9a-f]{32}$")
        self.assertIn(record, damage["where"])
        self.assertEqual([{"scope": self.document("scope", "show", SCOPE)["id"], "generation": 2, "records": 1,
                           "reason": "unreadable"}], self.logged("records-given-up"))
        self.exits(NOT_FOUND, "get", SCOPE, "long")
        self.check_whole()
        # Nobody gives up anything by a rotation that keeps the key.
        self.exits(USAGE, "key", "rotate", SCOPE, "--sacrifice-unreadable")

    def test_what_was_given_up_is_shown_to_people(self):
        records = self.vault / "records.mdb"
        sound = records.read_bytes()
        self.must("put", SCOPE, "long", stdin=bytes(3000))
        self.damage(records, sound)
        shown = self.must(*self.PURGE, "--sacrifice-unreadable").decode()
        self.assertRegex(shown, r"(?m)^given up +1 record$")
        self.assertRegex(shown, r"(?m)^ +[0-9a-f]{32}$")

    def damage(self, records, sound):
        """Changes a byte of the long record, which has a page to itself (LMDB's flag 4)."""
        content = bytearray(records.read_bytes())
        pages = [at for at in range(0, len(content), 4096)
                 if content[at:at + 4096] != sound[at:at + 4096] and content[at + 10:at + 12] == b"\x04\x00"]
        self.assertEqual(1, len(pages))
        content[pages[0] + 2000] ^= 1
        records.write_bytes(bytes(content))

    def test_a_read_only_vault(self):
        for anchor in (self.folder / "roots").rglob("anchor"):
            anchor.unlink()
        for what in *self.COMMANDS, ["key", "rotate", "--resume"], ["reclaim"]:
            self.exits(INTEGRITY, *what)


class Reclaim(Rotated):
    def test_what_is_erased(self):
        self.assertEqual({"bytes": 0}, self.document("reclaim"))
        self.must("erase", SCOPE, "--reason", "test", "--yes", "--now")
        size = (self.vault / "records.mdb").stat().st_size
        self.assertEqual(4, self.document("check")["erased_records"])
        self.assertEqual({"bytes": 0}, self.document("reclaim", "--max-bytes", 0))
        some = self.document("reclaim", "--max-bytes", 1)["bytes"]
        self.assertGreater(some, 0)
        rest = self.document("reclaim")["bytes"]
        self.assertGreater(some + rest, len(LARGE))
        self.assertEqual({"bytes": 0}, self.document("reclaim"))
        self.assertEqual(0, self.document("check")["erased_records"])
        self.assertGreaterEqual((self.vault / "records.mdb").stat().st_size, size)
        self.exits(ERASED, "get", SCOPE, "a")

    def test_for_people(self):
        self.must("erase", SCOPE, "--reason", "test", "--yes", "--now")
        done = self.exits(DONE, "reclaim")
        self.assertEqual(b"", done.stderr)
        self.assertRegex(done.stdout.decode(), r"^freed [\d.]+ KiB of ciphertext that nothing opens\n$")

    def test_the_living_are_left_alone(self):
        self.rotate()
        self.assertEqual({"bytes": 0}, self.document("reclaim"))
        self.check_whole()


if __name__ == "__main__":
    main()
