# A vault, and the policy that the page is about.
export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key
quietus init vault --root file:$PWD/roots
cp "$DOCS/policy.toml" policy.toml
