#!/usr/bin/env python3
"""docs/operations.md does what it says: from two fresh SSH keys to an approved, certified deletion.

usage: operations_docs_test.py TOOL
"""

import documented

if __name__ == "__main__":
    documented.run("operations.md", "", 40)
