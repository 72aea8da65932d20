#!/usr/bin/env bash
# Feeds targets with what a fuzzer makes up: fuzz.sh SECONDS [TARGET...]; without a target, all.
#
# Builds fuzz/libfuzzer with the stable compiler: coverage and AddressSanitizer are switched on by
# RUSTC_BOOTSTRAP=1. What the fuzzer learns is kept below the target folder and used by the next
# run; an input that fails is kept there, too, and named. The last line counts the targets.
# On a machine for which the sanitizer does not exist it says so, and counts nothing.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

seconds=${1:?usage: fuzz.sh SECONDS [TARGET...]}
shift
case $seconds in
'' | *[!0-9]*)
    echo "SECONDS is a number, not '$seconds'" >&2
    exit 2
    ;;
esac
root=$PWD
machine=$(rustc -vV | sed -n 's/^host: //p')
case $machine in
x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
*)
    echo "There is no AddressSanitizer of Rust for $machine: nothing was fuzzed."
    echo "0 passed, 0 failed"
    exit 0
    ;;
esac

built=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
flags=(
    -Zsanitizer=address
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Cforce-frame-pointers=yes
    --cfg fuzzing
)
# Not --locked: a dependency that the main workspace has gained comes into this lock file, too.
# The target is named, so that build scripts and macros are compiled without these flags.
if ! (cd fuzz/libfuzzer &&
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$built RUSTFLAGS="${flags[*]}" \
        cargo build --target "$machine"); then
    echo "0 passed, 1 failed"
    exit 1
fi
fuzzer=$built/$machine/debug/fuzz

# "name longest-input" of every target
known=$(CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}") \
    cargo run --locked -q -p fuzz-targets --bin fuzz-seeds list) || exit 1
if [ $# = 0 ]; then
    mapfile -t all < <(cut -d ' ' -f 1 <<< "$known")
    set -- "${all[@]}"
fi

passed=0 failed=0
for name in "$@"; do
    longest=$(awk -v name="$name" '$1 == name { print $2 }' <<< "$known")
    if [ -z "$longest" ]; then
        echo "no target is called '$name'; there are: $(cut -d ' ' -f 1 <<< "$known" | xargs)" >&2
        failed=$((failed + 1))
        continue
    fi
    learnt=$built/learnt/$name found=$built/found/$name
    mkdir -p "$learnt" "$found"
    dictionary=()
    [ ! -f "fuzz/dictionaries/$name.dict" ] || dictionary=(-dict="fuzz/dictionaries/$name.dict")
    echo "== $name, $seconds s"
    log=$(mktemp "${TMPDIR:-/tmp}/fuzz.XXXXXX")
    FUZZ_TARGET=$name "$fuzzer" "$learnt" "$root/fuzz/corpus/$name" \
        -max_total_time="$seconds" -max_len="$longest" "${dictionary[@]}" \
        -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$found/" > "$log" 2>&1
    code=$?
    if [ "$code" = 0 ]; then
        passed=$((passed + 1))
        sed -n 's/^stat::number_of_executed_units: */   executions: /p
            s/^stat::average_exec_per_sec: */   per second: /p
            s/^stat::peak_rss_mb: */   MiB at most: /p' "$log"
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
        echo "$name failed. Once more: FUZZ_TARGET=$name $fuzzer FILE"
        echo "Mend it, and put the file into fuzz/corpus/$name under a name that tells what it was."
    fi
    rm -f "$log"
done
echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
