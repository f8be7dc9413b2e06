# A vault beside the site, and an inbox that both see.
mkdir -p /var/lib/quietus/published /etc/quietus /mnt/site/inbox /srv
ln -s /mnt/site/inbox /srv/inbox
use_vault() { export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key; }
use_site() { export QUIETUS_VAULT=/var/lib/quietus/site QUIETUS_KEY_FILE=/etc/quietus/site.key; }
log_of() { printf 'log %s\nquorum none\n' "$(quietus --json audit verify | sed -n 's/.*"verifier_key": "\(.*\)".*/\1/p')"; }
use_vault
quietus init vault --root file:$PWD/roots
quietus tenant create acme
