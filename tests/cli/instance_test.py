"""cert import: the certificate of one instance of a vault as the receipt of another."""

import base64
import json
import re

from scenario import DONE, FAILURE, INTEGRITY, REFUSED, USAGE, Scenario, main

DOCUMENT = ["certificate_id", "certificates", "instance", "named", "scopes"]


class Import(Scenario):
    def setUp(self):
        super().setUp()
        for tenant in ("acme", "globex"):
            self.must("put", self.tenant(tenant, "data"), "a", stdin=b"one")
        self.must("backup", "create", self.folder / "backup")
        self.copy = self.folder / "copy"
        self.must("backup", "restore", self.folder / "backup", self.copy, *self.anywhere("copy-roots"))

    def erase(self, tenant, *at):
        """The file of the certificate."""
        name = self.folder / f"{tenant}-{len(at)}"
        self.must(*at, "erase", tenant, "--reason", "test", "--now", "--yes", "--certificate", name)
        return name

    def there(self):
        return "--vault", self.copy

    def claims(self, *of):
        payload = json.loads(self.must("cert", "show", *of))["payload"]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    def listed(self):
        return {row["id"]: row["status"] for row in self.document("cert", "list")["certificates"]}

    def test_both_erased(self):
        self.erase("acme")
        self.assertEqual("partial", self.claims("acme")["status"])
        receipt = self.erase("acme", *self.there())
        document = self.document("cert", "import", receipt)
        self.assertEqual(DOCUMENT, sorted(document))
        self.assertEqual((1, []), (document["scopes"], document["named"]))
        [new] = document["certificates"]
        claims = self.claims("acme")
        self.assertEqual(("complete", new), (claims["status"], claims["certificate_id"]))
        self.assertEqual([{"instance_id": document["instance"], "copied": claims["instances"][0]["copied"],
                           "receipt": document["certificate_id"]}], claims["instances"])
        self.assertEqual(["complete", "partial"], sorted(self.listed().values()))
        pem = self.write("pem", self.must("cert", "key"))
        verified = self.document("cert", "verify", self.write("new", self.must("cert", "show", new)), "--key", pem)
        self.assertIn(document["certificate_id"], " ".join(verified["not_checked"]))
        # Again, as text: nothing is new.
        text = self.must("cert", "import", receipt).decode()
        self.assertRegex(text, f"(?m)^instance +{document['instance']}$")
        self.assertRegex(text, f"(?m)^certificate +{document['certificate_id']}$")
        self.assertRegex(text, "(?m)^destroyed +1 scope$")
        self.assertNotIn("written anew", text)
        self.must("audit", "verify")

    def test_the_other_was_destroyed(self):
        self.erase("acme")
        last = self.folder / "last"
        self.must(*self.there(), "vault", "destroy", "--reason", "test", "--yes", "--certificate", last)
        text = self.must("cert", "import", last).decode()
        self.assertRegex(text, "(?m)^destroyed +that whole instance$")
        self.assertRegex(text, "(?m)^written anew +certificate [0-9a-f]{32}$")
        self.assertIsNone(self.document("cert", "import", last)["scopes"])
        self.assertEqual("complete", self.claims("acme")["status"])
        self.erase("globex")
        self.assertEqual("complete", self.claims("globex")["status"])

    def test_a_third_one_becomes_known(self):
        self.must(*self.there(), "backup", "create", self.folder / "second")
        self.must(*self.there(), "backup", "restore", self.folder / "second", self.folder / "third",
                  *self.anywhere("third-roots"))
        done = self.exits(DONE, "cert", "import", self.erase("acme", *self.there()))
        self.assertRegex(done.stdout.decode(), "(?m)^names too +instance [0-9a-f]{32}$")
        self.says(done, "not known here")

    def test_refusals(self):
        own = self.erase("acme")
        self.says(self.exits(REFUSED, "cert", "import", own), "this instance itself")
        receipt = self.erase("acme", *self.there())
        forged = self.write("forged", re.sub(b'"signature":"....', b'"signature":"AAAA', receipt.read_bytes()))
        self.exits(INTEGRITY, "cert", "import", forged)
        self.exits(INTEGRITY, "cert", "import", self.write("nothing", b"{}"))
        self.exits(USAGE, "cert", "import")
        self.exits(FAILURE, "cert", "import", self.folder / "absent")
        self.assertEqual(["partial"], list(self.listed().values()))


if __name__ == "__main__":
    main()
