# What a reader was handed: a certificate, and whom to trust.
export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key
quietus init vault --root file:$PWD/roots
quietus tenant create acme
echo one | quietus put acme order
quietus erase acme --reason contract-ended --now --yes --certificate certificate.json
quietus cert key > issuer.pem
log=$(quietus --json audit verify | sed -n 's/.*"verifier_key": "\(.*\)".*/\1/p')
printf 'log %s\nissuer acme %s\nquorum none\n' "$log" "$(sed -n 2p issuer.pem)" > trust
unset QUIETUS_VAULT QUIETUS_KEY_FILE
