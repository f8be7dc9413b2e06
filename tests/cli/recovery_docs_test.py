#!/usr/bin/env python3
"""docs/recovery.md does what it says.

usage: recovery_docs_test.py TOOL
"""

import documented

# What a reader has before: a vault in use, and a backup of it.
BEFORE = """
mkdir office site elsewhere new restored
export QUIETUS_VAULT=office/vault QUIETUS_KEY_FILE=office/key
quietus init office/vault --root file:$PWD/office/roots
quietus tenant create acme
quietus tenant create globex
quietus tenant create initech
echo "invoice 1" | quietus put acme invoice
echo "a letter" | quietus put globex letter
echo "a plan 3" | quietus put initech plan
quietus backup create elsewhere/monday.backup
"""

if __name__ == "__main__":
    documented.run("recovery.md", BEFORE, 15)
