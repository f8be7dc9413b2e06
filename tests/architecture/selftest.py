#!/usr/bin/env python3
"""Shows that architecture_test.py can fail: a small clean tree passes, and each planted violation is
reported by the check that is there for it."""

import pathlib
import tempfile
import unittest

import architecture_test

CLEAN = {
    "kms/include/quietus/result.hpp": "#pragma once\n#include <vector>\n",
    "kms/include/quietus/export.h": "#ifndef E\n#define E\n#define QUIETUS_EXPORT\n#endif\n",
    "vault/include/quietus/vault.hpp": "#pragma once\n#include <quietus/result.hpp>\n",
    "kms/base/clock.hpp": "#pragma once\n#include <quietus/result.hpp>\n#include <sodium.h>\n",
    "kms/crypto/labels.hpp": 'auto a = "quietus/v1/a";\nauto b = "quietus/v1/b";\n',
    "kms/crypto/aead.cpp": '#include <openssl/evp.h>\n#include "base/clock.hpp"\n',
    "kms/storage/store.hpp": '#include "base/clock.hpp"\n#include <lmdb.h>\n',
    "kms/evidence/log.cpp": '#include "crypto/labels.hpp"\n#include "storage/store.hpp"\n',
    "kms/keys/tree.hpp": '#include "crypto/labels.hpp"\n',
    "vault/src/vault.cpp": '#include <quietus/vault.hpp>\n#include "keys/tree.hpp"\n',
    "cli/main.cpp": "#include <CLI/CLI.hpp>\n#include <quietus/vault.hpp>\n",
    "README.md": "```cpp\n#include <quietus/vault.hpp>\nint main() {}\n```\n",
}
LATER = "TO" "DO"

# What is planted where, and the check that must say so.
PLANTED = {
    "base includes crypto": ("direction", "kms/base/x.cpp", '#include "crypto/labels.hpp"\n'),
    "crypto includes storage": ("direction", "kms/crypto/x.cpp", '#include "storage/store.hpp"\n'),
    "storage includes crypto": ("direction", "kms/storage/x.cpp", '#include "crypto/labels.hpp"\n'),
    "evidence includes keys": ("direction", "kms/evidence/x.cpp", '#include "keys/tree.hpp"\n'),
    "kms includes vault": ("direction", "kms/keys/x.cpp", "#include <quietus/vault.hpp>\n"),
    "cli includes kms": ("direction", "cli/x.cpp", '#include "keys/tree.hpp"\n'),
    "cli climbs into kms": ("direction", "cli/x.cpp", '#include "../kms/keys/tree.hpp"\n'),
    "missing header": ("direction", "kms/keys/x.cpp", '#include "keys/gone.hpp"\n'),
    "openssl in keys": ("third_party", "kms/keys/x.cpp", "#include <openssl/evp.h>\n"),
    "sodium in vault": ("third_party", "vault/src/x.cpp", "#include <sodium.h>\n"),
    "lmdb in keys": ("third_party", "kms/keys/x.cpp", "  #  include <lmdb.h>\n"),
    "json in keys": ("third_party", "kms/keys/x.cpp", "#include <nlohmann/json.hpp>\n"),
    "command line in vault": ("third_party", "vault/src/x.cpp", "#include <CLI/CLI.hpp>\n"),
    "Node.js in the command": ("third_party", "cli/x.cpp", "#include <node_api.h>\n"),
    "a binding on the C++ interface": ("bindings", "bindings/node/src/x.cpp", "#include <quietus/vault.hpp>\n"),
    "a binding that climbs": ("direction", "bindings/node/src/x.cpp", '#include "crypto/labels.hpp"\n'),
    "sodium in a public header": ("public_headers", "kms/include/quietus/x.hpp",
                                  "#pragma once\n#include <sodium.h>\n"),
    "private in a public header": ("public_headers", "vault/include/quietus/x.hpp",
                                   '#pragma once\n#include "bytes.hpp"\n'),
    "long public header": ("length", "kms/include/quietus/x.hpp", "\n" * 201),
    "long source": ("length", "kms/keys/x.cpp", "\n" * 401),
    "left for later": ("words", "kms/keys/x.cpp", f"// {LATER}: later\n"),
    "left for later in a script": ("words", ".ci/run", f"# {LATER}\n"),
    "label twice": ("labels", "kms/crypto/labels.hpp", 'auto a = "quietus/v1/a", b = "quietus/v1/a";\n'),
    "label elsewhere": ("labels", "kms/keys/x.cpp", 'auto a = "quietus/v1/c";\n'),
    "header that needs another": ("compile_alone", "kms/include/quietus/x.hpp",
                                  "#pragma once\nstd::string text();\n"),
    "header that throws": ("compile_alone", "kms/include/quietus/x.hpp",
                           "#pragma once\ninline void f() { throw 1; }\n"),
    "C header that is C++": ("compile_alone", "vault/include/quietus/quietus.h", "class Vault;\n"),
    "example that is wrong": ("readme", "README.md", "```cpp\nint main() { return gone; }\n```\n"),
}


class ArchitectureSelftest(unittest.TestCase):
    def complaints(self, files, checks=architecture_test.CHECKS):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return architecture_test.complaints(root, checks)

    def test_clean_tree_passes(self):
        self.assertEqual(self.complaints(CLEAN), [])

    def test_empty_tree_fails(self):
        self.assertTrue(self.complaints({"README.md": ""}))

    def test_planted_violations_are_reported(self):
        for title, (check, path, text) in PLANTED.items():
            with self.subTest(title):
                checks = [getattr(architecture_test, f"check_{check}")]
                self.assertTrue(self.complaints({**CLEAN, path: text}, checks))

    def test_too_many_public_headers(self):
        many = {f"kms/include/quietus/h{i}.hpp": "#pragma once\n" for i in range(architecture_test.MAX_PUBLIC_HEADERS)}
        checks = [architecture_test.check_public_headers]
        found = self.complaints({**CLEAN, **many}, checks)
        self.assertTrue(any("public headers, more than" in line for line in found), found)


if __name__ == "__main__":
    unittest.main()
