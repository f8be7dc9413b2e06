#!/usr/bin/env python3
"""docs/operations.md does what it says: from two fresh SSH keys to an approved, certified deletion.

usage: operations_docs_test.py TOOL
"""

import documented

# What a reader has before: a vault in use.
BEFORE = """
mkdir roots
export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key
quietus init vault --root file:$PWD/roots
quietus tenant create acme
quietus scope create acme/customers
quietus scope create acme/customers/jane
echo "an order" | quietus put acme/customers/jane order
"""

if __name__ == "__main__":
    documented.run("operations.md", BEFORE, 20)
