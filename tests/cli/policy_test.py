"""policy: check, apply, list, show, diff."""

import pathlib

from scenario import DONE, NOT_FOUND, REFUSED, USAGE, Scenario, main

STARTER = pathlib.Path(__file__).parents[2] / "docs" / "policy.toml"


class Policy(Scenario):
    def file(self, name, text):
        return self.write(name, text.encode())

    def test_starter_policy_is_applied_and_shown_byte_for_byte(self):
        self.must("policy", "check", STARTER)
        applied = self.document("policy", "apply", STARTER)
        self.assertEqual(1, applied["version"])
        self.assertEqual("2027-02-01T00:00:00.000Z", applied["effective"])
        self.assertEqual(STARTER.read_bytes(), self.must("policy", "show", "--version", "1"))
        self.assertEqual(STARTER.read_text(), self.document("policy", "show", "--version", 1)["text"])
        log = self.document("audit", "log")["entries"]
        self.assertIn("policy-applied", str(log))

    def test_a_mistake_is_told_with_its_line_and_changes_nothing(self):
        bad = self.file("bad.toml", "effective = 2027-02-01\n[class.a]\ntrigger = \"never\"\n")
        for command in ("check", "apply"):
            self.says(self.exits(USAGE, "policy", command, bad), "bad.toml: line 3: ")
        self.assertEqual([], self.document("policy", "list")["policies"])
        self.says(self.exits(NOT_FOUND, "policy", "show"), "no policy was applied yet")

    def test_check_needs_no_vault(self):
        self.must("policy", "check", STARTER, without=("QUIETUS_VAULT", "QUIETUS_KEY_FILE"))
        self.must("policy", "diff", STARTER, STARTER, without=("QUIETUS_VAULT", "QUIETUS_KEY_FILE"))

    def test_a_change_keeps_its_notice_period_and_every_version_stays(self):
        first = self.file("1.toml", "effective = 2020-01-01\n[class.a]\ntrigger = \"creation\"\nafter = \"9y\"\n")
        self.must("policy", "apply", first)
        self.exits(REFUSED, "policy", "apply", first)
        second = self.file("2.toml", first.read_text().replace("9y", "7y").replace("2020-01-01", "2020-06-01"))
        self.says(self.exits(REFUSED, "policy", "apply", second), "notice period")
        second.write_text(second.read_text().replace("2020-06-01", "2099-06-01"))
        self.assertEqual(2, self.document("policy", "apply", second)["version"])
        listed = self.document("policy", "list")["policies"]
        self.assertEqual([(1, True), (2, False)], [(p["version"], p["in_force"]) for p in listed])
        self.assertEqual(first.read_bytes(), self.must("policy", "show"))
        self.assertEqual(second.read_bytes(), self.must("policy", "show", "--version", 2))
        self.exits(NOT_FOUND, "policy", "show", "--version", 3)
        differences = self.document("policy", "diff", 1, 2)["differences"]
        self.assertEqual(["effective: 2099-06-01, was 2020-01-01",
                          "class a: 7y after creation, was 9y after creation (shorter)"], differences)
        self.assertEqual(b"", self.must("policy", "diff", 2, second))


if __name__ == "__main__":
    main()
