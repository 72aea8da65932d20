#!/usr/bin/env bash
# Runs every test, and says at the end how many passed: suite.sh [--long]
#
# cargo-nextest runs the tests if it is there, one process each, so that a crash is the failure of
# one test; else cargo test does. Then the examples in the documentation, then the commands of the
# README. All of them run even if some failed. --long adds the tests marked `ignore`, and
# a minute of each fuzz target, the trials of the contract under AddressSanitizer and Miri, and NIST's
# certificates.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

long=()
if [ "${1:-}" = --long ]; then
    long=(yes)
    export GWC_LONG_TESTS=1
fi
target=${TARGET:-target}
log=$(mktemp "${TMPDIR:-/tmp}/gateway-tests.XXXXXX")
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0

# Runs one runner; adds what the named awk program finds in its output to the counts.
count() {
    local program=$1 code=0 good=0 bad=0 left=0
    shift
    "$@" < /dev/null 2>&1 | tee "$log" || code=$?
    read -r good bad left < <(awk "$program"' END { print p + 0, f + 0, s + 0 }' "$log")
    # A runner that failed without a failed test (it did not compile, say) is one failure.
    [ "$code" = 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
}

# shellcheck disable=SC2016 # awk programs
# "Summary [ 1.2s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 2 skipped"
nextest='/^ *Summary \[/ {
    n = split($0, part, /[:,]/)
    for (i = 1; i <= n; i++) {
        split(part[i], word, " ")
        if (word[2] == "passed") p += word[1]
        else if (word[2] == "skipped") s += word[1]
        else if (word[2] ~ /^(failed|timed|exec)/) f += word[1]
    }
}'
# shellcheck disable=SC2016
# "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s"
cargo_test='/^test result: / { p += $4; f += $6; s += $8 }'
# shellcheck disable=SC2016
# "5 passed, 0 failed" or "5 passed, 0 failed, 2 skipped", or "2 skipped" in a line of its own
plain='/^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { p += $1; f += $3; s += $5 }
/^[0-9]+ skipped$/ { s += $1 }'

if ! cargo build --locked --workspace; then
    echo "0 passed, 1 failed"
    exit 1
fi
if cargo nextest --version > /dev/null 2>&1; then
    count "$nextest" cargo nextest run --locked --workspace --no-fail-fast ${long:+--run-ignored all}
    count "$cargo_test" cargo test --locked --workspace --doc --no-fail-fast
else
    count "$cargo_test" cargo test --locked --workspace --no-fail-fast ${long:+-- --include-ignored}
fi
count "$plain" env BIN="$target/debug" tests/demo/test.sh
if [ ${#long[@]} -gt 0 ]; then
    # A minute of each fuzz target, and the contract under AddressSanitizer and Miri.
    count "$plain" tests/checks/fuzz.sh 60
    count "$plain" tests/checks/sanitize.sh
    count "$plain" tests/checks/pkits.sh "$target"
fi

echo
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
