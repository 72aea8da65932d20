#!/usr/bin/env bash
# Looks for memory that is touched and should not be: sanitize.sh [asan|miri]; without a word, both.
#
# asan: the component and the trials of the contract, built with AddressSanitizer (the stable
#       compiler, RUSTC_BOOTSTRAP=1); leaks count. OpenSSL and paho are as they are.
# miri: the unsafe code that both sides of the ABI share, and the readers of Kura's payload and
#       topics, in Rust's interpreter, which sees what no processor does. Needs a nightly toolchain
#       with the component miri; without one it says so, and counts nothing.
# valgrind runs the trials in the ordinary tests (`no_trial_touches_memory_that_is_not_its_own`).
# The last line counts what was run.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

built=$(realpath -m "${CARGO_TARGET_DIR:-target}")
machine=$(rustc -vV | sed -n 's/^host: //p')
passed=0 failed=0
count() {
    local what=$1
    shift
    if "$@"; then
        echo "$what: passed"
        passed=$((passed + 1))
    else
        echo "$what: failed"
        failed=$((failed + 1))
    fi
}

asan() {
    case $machine in
    x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
    *)
        echo "asan: skipped, there is no AddressSanitizer of Rust for $machine"
        return
        ;;
    esac
    export CARGO_TARGET_DIR=$built/asan
    # The library takes the sanitizer from the program that opens it, so that must export it.
    if ! RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" \
        cargo rustc --locked --target "$machine" -p contract --bin trial -- \
        -Clink-arg=-Wl,--export-dynamic; then
        failed=$((failed + 1))
        return
    fi
    local folder=$CARGO_TARGET_DIR/$machine/debug
    count "the trials under AddressSanitizer" \
        timeout 600 "$folder/trial" --all "$folder/deps/libprovisioning_service.so"
}

miri() {
    if ! cargo +nightly miri --version > /dev/null 2>&1; then
        echo "miri: skipped; rustup toolchain install nightly --component miri,rust-src"
        return
    fi
    export CARGO_TARGET_DIR=$built/miri MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=4
    count "the shared unsafe code under Miri" \
        timeout 1200 cargo +nightly miri test --locked -p gateway-component-abi --lib
    count "payload and topics under Miri" \
        timeout 1200 cargo +nightly miri test --locked -p kura-formats --test payload --test topic -- \
        --skip bomb --skip large --skip limit --skip arbitrary --skip what_is_encoded
}

case ${1:-} in
asan) asan ;;
miri) miri ;;
'')
    asan
    miri
    ;;
*)
    echo "usage: sanitize.sh [asan|miri]" >&2
    exit 2
    ;;
esac
echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
