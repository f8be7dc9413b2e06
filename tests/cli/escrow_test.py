"""escrow: init, roll, list. The recovery site, by its own clock."""

import contextlib
import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from scenario import (DONE, ERASED, FAILURE, INCOMPLETE, NOT_FOUND, REFUSED, USAGE, UNAVAILABLE, Scenario,
                      command, main)

FAKETIME = shutil.which("faketime")
EPOCH = ["id", "opens", "closes", "expires", "state", "destroyed", "erasure_id"]


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Note:
    """A signed note, taken apart by a program of another make. Signatures are checked elsewhere."""

    def __init__(self, text):
        self.text, _, signatures = text.partition("\n\n")
        self.lines = [line.split(" ") for line in self.text.split("\n")]
        [signature] = signatures.splitlines()
        assert signature.startswith("— "), signature
        self.signer = signature.split(" ")[1]

    def all(self, word):
        return [line[1:] for line in self.lines if line[0] == word]

    def one(self, word):
        [[value]] = self.all(word)
        return value


class SiteScenario(Scenario):
    make_vault = False

    def init(self, *options):
        return self.document("escrow", "init", self.vault, *self.anywhere(), *options)

    def listed(self):
        return self.document("escrow", "list")["epochs"]

    def states(self):
        return [epoch["state"] for epoch in self.listed()]


class Init(SiteScenario):
    def test_what_it_makes(self):
        made = self.init("-o", self.folder / "ring")
        self.assertTrue(made["key_file_made"])
        self.assertEqual((28, str(self.folder / "ring")), (made["epochs"], made["file"]))
        text = (self.folder / "ring").read_text()
        self.assertEqual(text, made["ring_file"])
        self.assertEqual(0o600, (self.folder / "ring").stat().st_mode & 0o777)
        note = Note(text)
        self.assertEqual(["quietus-ring/v1"], note.lines[0])
        self.assertEqual((made["vault_id"], made["ring"]), (note.one("site"), note.one("ring")))
        self.assertEqual(f"quietus/{made['vault_id']}", note.signer)
        self.assertTrue(made["verifier_key"].startswith(note.signer + "+"))
        self.assertEqual(self.document("audit", "verify")["verifier_key"], made["verifier_key"])
        epochs = note.all("epoch")
        self.assertEqual(28, len(epochs))
        for epoch, after in zip(epochs, epochs[1:]):
            self.assertEqual(epoch[3], after[2])
            self.assertEqual((1, 14), ((moment(epoch[3]) - moment(epoch[2])).days,
                                       (moment(epoch[4]) - moment(epoch[2])).days))
        self.assertEqual(["open"] + ["upcoming"] * 27, self.states())
        self.must("check")

    def test_the_ring_file_is_the_output(self):
        done = self.exits(DONE, "escrow", "init", self.vault, *self.anywhere(), "--epoch", "1w", "--life", "4w")
        note = Note(done.stdout.decode())
        self.assertEqual(8, len(note.all("epoch")))
        self.says(done, "the site signs with quietus/" + note.one("site"))

    def test_what_it_prints_with_a_file(self):
        shown = self.must("escrow", "init", self.vault, *self.anywhere(), "-o", "ring").decode()
        lines = dict(re.split("  +", line) for line in shown.splitlines())
        self.assertEqual(["vault", "id", "root", "assurance", "ring", "ring file", "epochs", "signs with"],
                         list(lines))

    def test_refusals(self):
        for options in (["--epoch", "1h"], ["--epoch", "0d"], ["--life", "1y"], ["--epoch", "2d", "--life", "1d"],
                        ["--life", "600d"], ["--epoch", "-1d"]):
            self.exits(USAGE, "escrow", "init", self.vault, *self.anywhere(), *options)
            self.assertFalse(self.vault.exists())
        self.exits(FAILURE, "escrow", "init", self.vault, *self.anywhere(), "-o", "none/ring")
        self.assertFalse(self.vault.exists())
        self.exits(UNAVAILABLE, "escrow", "init", self.vault, "--root", "tpm2:")
        self.write("full/a", b"x")
        self.exits(REFUSED, "escrow", "init", "full", *self.anywhere())

    def test_in_a_vault_that_is_there(self):
        """One that is empty is a site whose making was interrupted; one that is used is no site."""
        self.must("init", self.vault, *self.anywhere())
        self.exits(NOT_FOUND, "escrow", "list")
        self.exits(NOT_FOUND, "escrow", "roll")
        self.init()
        self.assertEqual(28, len(self.listed()))
        self.says(self.exits(REFUSED, "escrow", "init", self.vault), "already")
        used = self.folder / "used"
        self.must("init", used, *self.anywhere("used-roots"))
        self.must("--vault", used, "tenant", "create", "acme")
        self.says(self.exits(REFUSED, "escrow", "init", used), "vault of its own")
        self.exits(NOT_FOUND, "--vault", used, "escrow", "list")


class Roll(SiteScenario):
    def setUp(self):
        super().setUp()
        self.made = self.init()

    def roll(self, *options, code=DONE):
        return self.document("escrow", "roll", *options, code=code)

    def test_nothing_due(self):
        (self.folder / "site").mkdir()
        rolled = self.roll("-o", self.folder / "site")
        self.assertEqual((False, 0, [], []), (rolled["new"], rolled["made"], rolled["destroyed"], rolled["held"]))
        self.assertEqual(self.made["ring_file"], rolled["ring_file"])
        self.assertEqual(rolled["ring_file"], (self.folder / "site" / "ring").read_text())
        self.assertEqual(rolled["receipt"], (self.folder / "site" / "receipt").read_text())
        receipt = Note(rolled["receipt"])
        self.assertEqual(["quietus-ring-receipt/v1"], receipt.lines[0])
        self.assertEqual([], receipt.all("destroyed"))
        self.assertEqual(rolled, self.roll("-o", self.folder / "site"))
        self.assertEqual(["receipt", "ring"], sorted(os.listdir(self.folder / "site")))

    def test_now(self):
        first = self.listed()[0]
        rolled = self.roll("--now", first["id"], "--yes")
        self.assertEqual([first["id"]], [epoch["id"] for epoch in rolled["destroyed"]])
        [[epoch, time, erasure, status]] = Note(rolled["receipt"]).all("destroyed")
        self.assertIn(status, ("complete", "partial"))
        self.assertEqual((first["id"], rolled["destroyed"][0]["erasure_id"]), (epoch, erasure))
        self.assertLessEqual(moment(first["opens"]), moment(time))
        ring = Note(rolled["ring_file"]).all("epoch")
        self.assertEqual(first["id"], ring[0][0])
        self.assertEqual(ring[0][3], ring[0][4])  # closes when it expires
        self.assertEqual((ring[0][3], ring[2][2]), (ring[1][2], ring[1][3]))  # in its place
        self.assertEqual(["destroyed", "upcoming"], [self.states()[0], self.states()[-1]])
        self.assertIn(erasure, {c["erasure_id"] for c in self.document("cert", "list")["certificates"]})
        self.exits(ERASED, "escrow", "roll", "--now", first["id"], "--yes")

    def test_now_shows_a_plan_and_asks(self):
        first = self.listed()[0]["id"]
        done = self.exits(REFUSED, "escrow", "roll", "--now", first)
        self.says(done, first, "becomes unreadable", "made first", "another opens in its place")
        self.assertEqual("open", self.states()[0])
        code, _ = self.on_terminal("escrow", "roll", "--now", first, answers=[(b"before its time", b"no\n")])
        self.assertEqual((REFUSED, "open"), (code, self.states()[0]))
        code, _ = self.on_terminal("escrow", "roll", "--now", first,
                                   answers=[(b"before its time", first[:8].encode() + b"\n")])
        self.assertEqual((DONE, "destroyed"), (code, self.states()[0]))

    def test_no_receipt_before_everybody_has_let_the_key_go(self):
        """A process that has the site open and does not answer may still hold the key."""
        first, second = (epoch["id"] for epoch in self.listed()[:2])
        process = self.waiting_put(f"escrow/{second}", "a")
        process.send_signal(signal.SIGSTOP)
        try:
            self.exits(INCOMPLETE, "escrow", "roll", "--now", first, "--yes")
            self.assertEqual("open", self.states()[0])
            self.exits(INCOMPLETE, "escrow", "roll")
        finally:
            process.kill()
        process.wait(60)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        rolled = self.roll()
        self.assertEqual([first], [epoch[0] for epoch in Note(rolled["receipt"]).all("destroyed")])

    def test_refusals(self):
        upcoming = self.listed()[5]["id"]
        self.says(self.exits(REFUSED, "escrow", "roll", "--now", upcoming, "--yes"), "not opened")
        self.exits(NOT_FOUND, "escrow", "roll", "--now", "0" * 32, "--yes")
        self.exits(NOT_FOUND, "escrow", "roll", "--now", "x", "--yes")
        self.exits(USAGE, "escrow", "roll", "--yes")
        # Found before anything is destroyed.
        first = self.listed()[0]["id"]
        self.exits(FAILURE, "escrow", "roll", "-o", "none", "--now", first, "--yes")
        self.assertEqual("open", self.states()[0])

    def test_no_command_shows_a_private_key(self):
        first = self.listed()[0]["id"]
        self.assertEqual([], self.document("ls", f"escrow/{first}")["records"])
        self.assertEqual(0, self.document("export", f"escrow/{first}", "-o", "out")["records"])


@unittest.skipUnless(FAKETIME, "faketime is not installed")
class ByTheCalendar(SiteScenario):
    def at(self, when, *arguments, code=DONE):
        environment = self.environment | {"TZ": "UTC"}
        # faketime preloads a library; a sanitized build must not mind that it is not the first one.
        given = environment.get("ASAN_OPTIONS", "")
        environment["ASAN_OPTIONS"] = f"{given}:verify_asan_link_order=0".lstrip(":")
        done = subprocess.run([FAKETIME, "--exclude-monotonic", "-f", f"@{when} 04:00:00",
                               *command("--json", *arguments)], env=environment, cwd=self.folder,
                              capture_output=True, timeout=120, check=False)
        self.assertEqual(code, done.returncode, (when, arguments, done.stderr.decode()))
        return json.loads(done.stdout)

    def setUp(self):
        super().setUp()
        self.at("2027-03-01", "escrow", "init", self.vault, *self.anywhere())

    def test_rolling_by_a_timer(self):
        self.assertEqual([], self.at("2027-03-14", "escrow", "roll")["destroyed"])
        rolled = self.at("2027-03-15", "escrow", "roll")
        self.assertEqual(1, len(rolled["destroyed"]))
        self.assertTrue(rolled["destroyed"][0]["opens"].startswith("2027-03-01T04:00:0"))
        rolled = self.at("2027-03-20", "escrow", "roll")
        self.assertEqual(5, len(rolled["destroyed"]))
        self.assertEqual(1, len({epoch["erasure_id"] for epoch in rolled["destroyed"]}))
        receipt = Note(rolled["receipt"])
        self.assertEqual(6, len(receipt.all("destroyed")))
        self.assertEqual(receipt.all("destroyed"), sorted(receipt.all("destroyed"), key=lambda e: (e[1], e[0])))
        gone = {epoch[0] for epoch in receipt.all("destroyed")}
        self.assertTrue(gone.isdisjoint(epoch[0] for epoch in Note(rolled["ring_file"]).all("epoch")))
        states = [epoch["state"] for epoch in self.at("2027-03-20", "escrow", "list")["epochs"]]
        self.assertEqual(["destroyed"] * 6 + ["closed"] * 13 + ["open"], states[:20])
        self.assertEqual({"upcoming"}, set(states[20:]))
        for epoch in rolled["destroyed"]:
            self.exits(ERASED, "ls", f"escrow/{epoch['id']}")

    def test_a_wrong_clock(self):
        for wrong in ("2027-02-01", "2027-06-01"):
            error = self.at(wrong, "escrow", "roll", code=REFUSED)["error"]
            self.assertIn("clock", error["message"])
        states = [epoch["state"] for epoch in self.at("2027-03-02", "escrow", "list")["epochs"]]
        self.assertNotIn("destroyed", states)
        self.at("2027-06-01", "clock", "accept", "--yes")
        self.assertEqual(28, len(self.at("2027-06-01", "escrow", "roll")["destroyed"]))

    def test_a_hold(self):
        epochs = self.at("2027-03-01", "escrow", "list")["epochs"]
        self.at("2027-03-01", "hold", "place", f"escrow/{epochs[0]['id']}", "--reason", "litigation")
        rolled = self.at("2027-03-16", "escrow", "roll", code=REFUSED)
        self.assertEqual([epochs[0]["id"]], rolled["held"])
        self.assertEqual([epochs[1]["id"]], [epoch["id"] for epoch in rolled["destroyed"]])
        states = [epoch["state"] for epoch in self.at("2027-03-16", "escrow", "list")["epochs"]]
        self.assertEqual(["overdue", "destroyed"], states[:2])


if __name__ == "__main__":
    main()
