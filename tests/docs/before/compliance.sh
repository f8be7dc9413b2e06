# A certificate that was handed over, and the vault that issued it.
export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key
quietus init vault --root file:$PWD/roots
quietus tenant create acme
echo one | quietus put acme order
quietus erase acme --reason contract-ended --now --yes --certificate certificate.json
quietus cert key > issuer.pem
