# A vault with three persons, and a trust file that names its log.
export QUIETUS_VAULT=/srv/vault QUIETUS_KEY_FILE=key
mkdir backups
quietus init /srv/vault --root file:$PWD/roots
quietus tenant create acme
quietus scope create acme/customer-data
for person in 7 8 9; do quietus scope create acme/customer-data/user-$person; echo one | quietus put acme/customer-data/user-$person order; done
printf 'log %s\nquorum none\n' "$(quietus --json audit verify | sed -n 's/.*"verifier_key": "\(.*\)".*/\1/p')" > trust
