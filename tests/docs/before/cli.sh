# A vault; and what a command prints is seen, and kept for who has to put it into a file.
export QUIETUS_VAULT=vault QUIETUS_KEY_FILE=key
quietus init vault --root file:$PWD/roots
log=$(quietus --json audit verify | sed -n 's/.*"verifier_key": "\(.*\)".*/\1/p')
quietus() { command quietus "$@" | tee said; }
