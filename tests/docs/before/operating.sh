# The policy to start from.
cp "$DOCS/policy.toml" policy.toml
