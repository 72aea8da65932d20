#!/usr/bin/env bash
# Judges NIST's certificate suite, and says how many cases passed: pkits.sh TARGET
#
# TARGET is cargo's target folder, where `conformance` has been built. The suite (PKITS, in the public
# domain) is taken out of the Python package cryptography_vectors, nothing of which is run; it stays in
# TARGET/pkits. Without pip, or without a network, it is one skipped test.
set -euo pipefail
target=$1
suite=$target/pkits/cryptography_vectors/x509/PKITS_data

skip() {
    echo "skipped: NIST PKITS: $1" >&2
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

if ! [ -d "$suite/crls" ]; then
    python3 -m pip --version > /dev/null 2>&1 || skip "there is no pip for python3"
    new=$(mktemp -d "${TMPDIR:-/tmp}/pkits.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    timeout 300 python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$new" \
        cryptography_vectors || skip "cryptography_vectors could not be downloaded"
    python3 -m zipfile -e "$new"/cryptography_vectors-*.whl "$new/all"
    mkdir -p "$(dirname "$suite")"
    rm -rf "$suite"
    mv "$new/all/cryptography_vectors/x509/PKITS_data" "$suite"
fi
"$target/debug/conformance" pkits "$suite"
