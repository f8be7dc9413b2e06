#!/usr/bin/env bash
# A vault's life on real files: made, filled, read back, copied, one tenant erased, the erasure certified
# and checked. Every step is compared with what must come out; the first that differs ends the demo with
# a non-zero exit.
#
# usage: QUIETUS=path/to/quietus demo.sh [DIR]     DIR: new or empty; default: a fresh temporary one
set -uo pipefail
export LC_ALL=C

tool=${QUIETUS:-$(command -v quietus)} || { echo "demo: set QUIETUS to the quietus program" >&2; exit 2; }
if (($#)); then
  mkdir -p -- "$1" || exit 1
  work=$(cd -- "$1" && pwd)
  [[ -z $(ls -A -- "$work") ]] || { echo "demo: $work is not empty" >&2; exit 2; }
else
  work=$(mktemp -d "${TMPDIR:-/tmp}/quietus-demo.XXXXXX") || exit 1
fi
cd -- "$work" || exit 1

readonly FILES=200 BYTES=3000000  # per tenant, about
readonly SCOPE=customer-data
export QUIETUS_VAULT=$work/vault QUIETUS_KEY_FILE=$work/key
unset QUIETUS_PASSPHRASE_FILE

# --- telling and checking

chapter() { printf '\n\033[1m%s\033[0m\n' "$*" | if [[ -t 1 ]]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi; }
tell() { printf '  %s\n' "$*"; }

fail() {
  printf '\nNOT AS WANTED: %s\n' "$*"
  echo "The files are in $work"
  exit 1
}

# Runs a command, shows it, and compares its exit code. Its output goes to last.out and last.err.
expect() {
  local wanted=$1 got=0
  shift
  printf '  $ %s\n' "${*/#$tool/quietus}"
  "$@" >last.out 2>last.err </dev/null || got=$?
  if ((got != wanted)); then
    sed 's/^/    /' last.out last.err
    fail "exit code $got where $wanted was wanted"
  fi
}

# As expect, and shows what the command said.
expect_and_show() {
  expect "$@"
  cat last.out last.err | head -n "${SHOW:-12}" | sed 's/^/    /'
  if (($1)); then tell "  (exit code $1)"; fi
}

same_files() {
  diff -r -- "$1" "$2" >last.out 2>&1 || { head -n 5 last.out; fail "$1 and $2 differ"; }
  tell "$2 is byte for byte $1."
}

# --- real files

# Documents of this machine, size and path, in a stable order. Where few are installed, other text that
# people wrote comes after them.
documents() {
  local place
  for place in /usr/share/common-licenses /usr/share/doc /usr/share/perl /usr/include; do
    find -L "$place" -type f -readable -size +0 -size -2048k -printf '%s %p\n' 2>/dev/null |
      grep -a '^[0-9]* [ -~]*$' | sort -k2
  done
}

# collect FOLDER FIRST: every second document, from the FIRST-th on, under its own path.
collect() {
  local folder=$1 first=$2 path
  while IFS= read -r path; do
    mkdir -p -- "$folder/${path%/*}" && cp -L -- "$path" "$folder/$path" || return 1
  done < <(awk -v first="$first" -v files="$FILES" -v bytes="$BYTES" '
    NR % 2 != first % 2 { next }
    $1 > 300000 && large >= 2 { next }
    { large += $1 > 300000; sum += $1; sub(/^[0-9]+ \/usr\//, ""); print; if (++n >= files || sum > bytes) exit }
  ' documents.txt | while IFS= read -r path; do printf '/usr/%s\n' "$path"; done)
}

gather() {
  local tenant first=0
  documents >documents.txt
  for tenant in acme globex; do
    mkdir -p "documents/$tenant"
    collect "documents/$tenant" $((first++)) || fail "could not copy the documents"
    tell "$tenant: $(find "documents/$tenant" -type f | wc -l) files, $(du -sh --apparent-size "documents/$tenant" | cut -f1)"
    (($(find "documents/$tenant" -type f | wc -l) >= 20)) || fail "too few documents on this machine"
  done
}

# --- the story

make_vault() {
  local init=("$tool" init "$QUIETUS_VAULT" --root "file:$work/roots" --key-file "$QUIETUS_KEY_FILE")
  printf '  $ %s\n' "${init[*]/#$tool/quietus}"
  "${init[@]}" >last.out 2>last.err </dev/null
  local got=$?
  if ((got == 5)); then
    sed 's/^/    /' last.err
    tell "This disk is not known to overwrite in place, so the vault asks to be told that this is accepted;"
    tell "certificates will then say so."
    expect_and_show 0 "${init[@]}" --accept-unknown-medium
  elif ((got == 0)); then
    sed 's/^/    /' last.out
  else
    cat last.err
    fail "init ended with $got"
  fi
}

fill_vault() {
  local tenant
  for tenant in acme globex; do
    expect 0 "$tool" tenant create "$tenant"
    expect 0 "$tool" scope create "$tenant/$SCOPE"
    expect 0 "$tool" import "$tenant/$SCOPE" "documents/$tenant"
    expect 0 "$tool" export "$tenant/$SCOPE" -o "before/$tenant"
    same_files "documents/$tenant" "before/$tenant"
  done
}

# No name and no content in any file of the vault: neither a scope, nor a document, nor a line of one.
search_in_the_clear() {
  local document line marker
  document=$(find documents/acme -type f -size +2k | sort | head -n 1)
  line=$(grep -a -m 1 -E '^[ -~]{40,}$' "$document" || true)
  for marker in "$SCOPE" globex/ "${document##*/}" ${line:+"$line"}; do
    if grep -r -a -q -F -e "$marker" "$QUIETUS_VAULT" "$work/roots"; then
      fail "\"$marker\" lies in the clear in the vault"
    fi
    tell "not found in any of its files: ${marker:0:60}"
  done
}

erase_tenant() {
  SHOW=30 expect_and_show 0 "$tool" erase acme --reason contract-ended --yes --now --certificate acme.erasure.jws.json
  [[ -s acme.erasure.jws.json ]] || fail "there is no certificate"
}

reads_say_erased() {
  expect_and_show 4 "$tool" get "acme/$SCOPE" "$1"
  expect 4 "$tool" ls "acme/$SCOPE"
  expect 4 "$tool" export "acme/$SCOPE" -o after/acme
  [[ -z $(find after/acme -type f 2>/dev/null) ]] || fail "files of the erased tenant came out"
}

# The copy holds every byte that the vault held before the erasure, and whoever has it has the key file.
# copy_is_useless VAULT NAME
copy_is_useless() {
  expect_and_show 7 "$tool" --vault "$1" --key-file "$QUIETUS_KEY_FILE" get "acme/$SCOPE" "$2"
  expect 7 "$tool" --vault "$1" --key-file "$QUIETUS_KEY_FILE" ls "acme/$SCOPE"
  expect 7 "$tool" --vault "$1" --key-file "$QUIETUS_KEY_FILE" export "acme/$SCOPE" -o from-copy
  expect 7 "$tool" --vault "$1" --key-file "$QUIETUS_KEY_FILE" tenant list
  expect 7 "$tool" --vault "$1" --key-file "$QUIETUS_KEY_FILE" erase globex --reason contract-ended --yes --now
  [[ -z $(find from-copy -type f 2>/dev/null) ]] || fail "files came out of the old copy"
}

put_copy_in_place() {
  if ! mv vault vault.newest || ! cp -r copy-before-erasure vault; then
    fail "could not put the copy in place"
  fi
  copy_is_useless "$QUIETUS_VAULT" "$1"
  if ! rm -r vault || ! mv vault.newest vault; then
    fail "could not put the vault back"
  fi
}

globex_is_whole() {
  expect 0 "$tool" export "globex/$SCOPE" -o "$1"
  same_files documents/globex "$1"
}

# The signature by openssl alone: the signing input is "protected.payload" (RFC 7515, section 5.2).
verify_with_openssl() {
  python3 - acme.erasure.jws.json <<'PYTHON' || fail "the certificate is not a flattened JSON JWS"
import base64, json, sys
jws = json.load(open(sys.argv[1]))
open("signing-input", "w").write(jws["protected"] + "." + jws["payload"])
open("signature", "wb").write(base64.urlsafe_b64decode(jws["signature"] + "=="))
PYTHON
  expect_and_show 0 openssl pkeyutl -verify -pubin -inkey issuer.pem -rawin -in signing-input \
    -sigfile signature
}

verify_certificate() {
  expect 0 "$tool" cert key
  cp last.out issuer.pem
  SHOW=40 expect_and_show 0 env -u QUIETUS_VAULT -u QUIETUS_KEY_FILE "$tool" \
    cert verify acme.erasure.jws.json --key issuer.pem
  verify_with_openssl
  tell "One character of what was signed changed:"
  python3 - <<'PYTHON'
import json
jws = json.load(open("acme.erasure.jws.json"))
middle = len(jws["payload"]) // 2
other = "A" if jws["payload"][middle] != "A" else "B"
jws["payload"] = jws["payload"][:middle] + other + jws["payload"][middle + 1:]
json.dump(jws, open("forged.jws.json", "w"))
PYTHON
  expect_and_show 7 "$tool" cert verify forged.jws.json --key issuer.pem
}

chapter "1. Real files"
gather
name=$(cd documents/acme && find . -type f -printf '%P\n' | sort | head -n 1)

chapter "2. A vault, two tenants, their files imported and read back"
mkdir -p before after
make_vault
fill_vault
search_in_the_clear

chapter "3. Somebody keeps a copy of the whole vault"
cp -r vault copy-before-erasure || fail "could not copy the vault"
tell "copy-before-erasure: $(du -sh copy-before-erasure | cut -f1)"

chapter "4. The contract with acme ends: erase"
erase_tenant

chapter "5. Reads answer \"erased\""
reads_say_erased "$name"

chapter "6. The other tenant is whole, and so is every byte of the vault"
globex_is_whole after/globex
expect_and_show 0 "$tool" check

chapter "7. The copy made before is useless, with the key file and with the root slots of today"
copy_is_useless "$work/copy-before-erasure" "$name"
tell "Put in the place of the vault, it is refused too, and nothing is destroyed:"
put_copy_in_place "$name"
globex_is_whole after/globex-again

chapter "8. The certificate verifies without the vault, with openssl too"
verify_certificate

rm -f last.out last.err documents.txt signature signing-input
chapter "All as wanted. The files lie in $work:"
tell "documents/                the real files, per tenant"
tell "vault/, roots/, key       the vault, its root slots and its key file"
tell "copy-before-erasure/      the copy that opens nothing of acme"
tell "before/, after/           what was exported before and after the erasure"
tell "acme.erasure.jws.json     the certificate; issuer.pem is the key that verifies it"
