"""tenant and scope: create, list, show."""

from scenario import DONE, ERASED, NOT_FOUND, REFUSED, USAGE, Scenario, main


class Scopes(Scenario):
    def test_create_list_show(self):
        self.must("tenant", "create", "acme")
        self.must("tenant", "create", "globex")
        self.must("scope", "create", "acme/customer-data")
        self.must("scope", "create", "acme/customer-data/user-7")
        self.assertEqual(["acme", "globex"],
                         sorted(s["name"] for s in self.document("tenant", "list")["scopes"]))
        listed = self.document("scope", "list", "acme/customer-data")
        self.assertEqual("acme/customer-data", listed["parent"])
        self.assertEqual(["acme/customer-data/user-7"], [s["path"] for s in listed["scopes"]])
        shown = self.document("scope", "show", "acme/customer-data/user-7")
        self.assertEqual(listed["scopes"][0], shown)
        self.assertEqual("customer-data", shown["class"])
        self.assertRegex(shown["id"], "^[0-9a-f]{16}$")
        self.assertIn(shown["id"].encode(), self.must("scope", "show", "acme/customer-data/user-7"))
        self.assertIn(b"acme", self.must("tenant", "list"))
        self.assertIn(b"acme", self.must("tenant", "show", "acme"))

    def test_create_prints_the_scope_as_json(self):
        made = self.document("tenant", "create", "acme")
        self.assertEqual(made, self.document("tenant", "show", "acme"))

    def test_class(self):
        self.tenant("acme", "a")
        self.must("scope", "create", "acme/b", "--class", "billing")
        self.assertEqual("billing", self.document("scope", "show", "acme/b")["class"])

    def test_derived_from(self):
        self.tenant("acme", "a")
        self.must("scope", "create", "acme/b")
        self.must("scope", "create", "acme/c", "--derived-from", "acme/a", "--derived-from", "acme/b")
        ids = {self.document("scope", "show", f"acme/{n}")["id"] for n in "ab"}
        self.assertEqual(ids, set(self.document("scope", "show", "acme/c")["derived_from"]))
        self.must("erase", "acme/a", "--reason", "request", "--yes", "--now")
        self.exits(ERASED, "ls", "acme/c")
        self.must("ls", "acme/b")

    def test_parent_and_source_must_exist(self):
        self.says(self.exits(NOT_FOUND, "scope", "create", "acme/data"), "acme/data")
        self.tenant("acme")
        self.exits(NOT_FOUND, "scope", "create", "acme/x", "--derived-from", "acme/none")
        self.exits(NOT_FOUND, "scope", "show", "acme/none")
        self.exits(NOT_FOUND, "scope", "list", "acme/none")

    def test_names_are_taken_once(self):
        self.tenant("acme")
        self.exits(REFUSED, "tenant", "create", "acme")
        self.must("erase", "acme", "--reason", "request", "--yes", "--now")
        self.exits(ERASED, "tenant", "create", "acme")

    def test_a_tenant_has_no_slash(self):
        self.tenant("acme")
        self.says(self.exits(USAGE, "tenant", "create", "acme/data"), "quietus scope")
        self.exits(USAGE, "tenant", "show", "acme/data")

    def test_odd_names(self):
        for name in ("Größe & Söhne", "日本", "a b", "list", "-dash", "{}", "[x]", "%%", "a=b", "@x"):
            self.must("tenant", "create", "--", name)
            self.assertEqual(name, self.document("tenant", "show", "--", name)["name"])
        for name in ("", ".", "..", "a\nb", "a\tb", "a\x1b[2J", b"\xff", "x" * 256, "a//b", "/a", "a/"):
            self.exits(USAGE, "scope", "create", "--", name)

    def test_erased_ones_are_listed_without_a_name(self):
        self.tenant("acme", "data")
        before = self.document("tenant", "show", "acme")
        self.must("erase", "acme", "--reason", "request", "--yes", "--now")
        [gone] = self.document("tenant", "list")["scopes"]
        self.assertEqual(("erased", "", before["id"]), (gone["state"], gone["name"], gone["id"]))
        self.assertNotIn(b"acme", self.must("tenant", "list"))
        self.exits(ERASED, "tenant", "show", "acme")
        self.exits(ERASED, "scope", "show", "acme/data")


if __name__ == "__main__":
    main()
