"""Erasures of a person: all or nothing, and nothing of it in the journal."""

import pathlib
import time

from scenario import REFUSED, Scenario, main

POLICY = b"""effective = 2020-01-01
[class.logs]
trigger = "creation"
after = "90d"
grace = "3d"
[class.mail]
trigger = "creation"
after = "90d"
grace = "0m"
[class.data]
trigger = "termination"
after = "15d"
"""


class Subjects(Scenario):
    def setUp(self):
        super().setUp()
        self.must("policy", "apply", self.write("policy.toml", POLICY))
        self.must("tenant", "create", "acme")
        for scope in ("logs", "logs/u7", "data", "data/u7"):
            self.must("scope", "create", f"acme/{scope}")

    def pending(self):
        return [one["scope"] for one in self.document("scope", "schedule")["schedules"] if one["erase_at"]]

    def test_a_refused_erasure_of_a_person_is_half_begun(self):
        """Refused because of a hold, and yet the rest was to die in three days."""
        self.must("hold", "place", "acme/data/u7", "--reason", "litigation")
        self.exits(REFUSED, "erase", "acme", "--subject", "u7", "--reason", "deletion-request", "--yes")
        self.assertEqual([], self.pending())

    def test_taking_back_is_all_or_nothing(self):
        self.must("scope", "create", "acme/logs2", "--class", "logs")
        self.must("scope", "create", "acme/logs2/u7", "--class", "logs")
        self.must("erase", "acme/logs2/u7", "--reason", "deletion-request", "--yes")
        self.run_tool("erase", "acme", "--subject", "u7", "--cancel")
        self.assertEqual([], self.pending())

    def test_no_grace_in_months_is_no_grace(self):
        self.must("scope", "create", "acme/mail")
        report = self.document("erase", "acme/mail", "--reason", "deletion-request", "--yes")
        self.assertEqual([], report["scheduled"])

    def test_the_daily_service_writes_whom_it_erased_into_the_journal(self):
        """The unit's own command line; its standard output is the system's journal."""
        unit = (pathlib.Path(__file__).parents[2] / "packaging/systemd/quietus-sweep@.service").read_text()
        [line] = [one for one in unit.splitlines() if one.startswith("ExecStart=")]
        self.must("scope", "create", "acme/data/ada.lovelace@example.org")
        self.must("scope", "expire", "acme/data/ada.lovelace@example.org", "--on", time.strftime("%Y-%m-%d", time.gmtime()))
        said = self.must(*line.split()[1:]).decode()
        if "StandardOutput=null" not in unit:
            self.assertNotIn("ada.lovelace", said)
            self.assertNotIn("salt", said)


main()
