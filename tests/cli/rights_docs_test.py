#!/usr/bin/env python3
"""docs/rights.md does what it says: each right of a person, from the request to what is done.

usage: rights_docs_test.py TOOL
"""

import documented

# What a reader has before: the vault of docs/operations.md, a policy in force, and two persons.
BEFORE = """
ssh-keygen -q -t ed25519 -N "" -C ada -f ada
ssh-keygen -q -t ed25519 -N "" -C ben -f ben
export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key
quietus init vault --root file:$PWD/roots --admin Ada --admin-key ada.pub --role verifier 2> said
decided() { id=$(sed -n 's/^request  *//p' said); quietus request approve $id --agent && quietus request execute $id; }
export QUIETUS_OPERATOR=Ada QUIETUS_IDENTITY=ada
quietus operator add Ben --role operator --key ben.pub > said && decided > done 2>&1
echo 'effective = 2000-01-01' > policy.toml
echo '[class.news]' >> policy.toml
echo 'trigger = "consent-withdrawn"' >> policy.toml
echo 'after = "0d"' >> policy.toml
echo '[deadline]' >> policy.toml
echo 'access = "1m"' >> policy.toml
quietus policy apply policy.toml > said && decided > done 2>&1
export QUIETUS_OPERATOR=Ben QUIETUS_IDENTITY=ben
quietus tenant create acme
for class in customers news; do quietus scope create acme/$class; done
for scope in customers/jane customers/ivan news/jane; do quietus scope create acme/$scope; done
echo "1 Old Street" | quietus put acme/customers/jane address
echo "gardens" | quietus put acme/news/jane topics
echo "a scan" > scan.pdf
unset QUIETUS_OPERATOR QUIETUS_IDENTITY
"""

if __name__ == "__main__":
    documented.run("rights.md", BEFORE, 40)
