#!/usr/bin/env bash
# The commands of the README, as a person would run them: what they print, and that they leave
# nothing behind. BIN names the folder with the binaries. Called by tests/checks/suite.sh.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1
export BIN=${BIN:?names the folder with the binaries}
BIN=$(cd "$BIN" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Everything that the story makes lands here, so that its processes can be told from all others.
export TMPDIR=$scratch/tmp
mkdir "$TMPDIR"
passed=0 failed=0

# Runs one test, a function that returns 0, and shows what it said if it does not.
check() {
    if "$1" > "$scratch/said" 2>&1; then
        echo "ok      demo $1"
        passed=$((passed + 1))
    else
        echo "FAILED  demo $1"
        sed 's/^/        /' "$scratch/said"
        failed=$((failed + 1))
    fi
}

# No process that works in the story's folder, and no folder.
nothing_is_left() {
    local left
    left=$(pgrep -fa -- "$TMPDIR/gateway-demo" || true)
    [ -z "$left" ] || { echo "still running: $left"; return 1; }
    left=$(ls -A "$TMPDIR")
    [ -z "$left" ] || { echo "still there: $left"; return 1; }
}

# Waits for a text in a file, at most 30 s.
appears() {
    local end=$((SECONDS + 30))
    until grep -q -- "$1" "$2" 2> /dev/null; do
        [ "$SECONDS" -lt "$end" ] || { echo "no $1 in $2:"; cat "$2"; return 1; }
        sleep 0.1
    done
}

the_demo_ends_with_a_provisioned_gateway_and_leaves_nothing() {
    timeout 120 "$here/story.sh" once > "$scratch/out" 2> "$scratch/err" < /dev/null || {
        cat "$scratch/err" "$scratch/out"
        return 1
    }
    tail -n 1 "$scratch/out" | python3 -c '
import json, sys
outcome = json.load(sys.stdin)
wanted = dict(provisioned=True, enabled=False, state="provisioned", account="acme",
              client_id="0257C0DE0001", attempts=1, error=None)
for name, value in wanted.items():
    assert outcome[name] == value, (name, outcome[name])
assert outcome["broker"].startswith("mqtts://"), outcome["broker"]
' && grep -q 'heater 1.0.0 *COMPLETED' "$scratch/err" && nothing_is_left
}

the_example_application_is_built_and_packed() {
    local package
    package=$(dirname "$BIN")/heater-1.0.0.tar.gz
    rm -f "$package"
    CARGO_TARGET_DIR=$(dirname "$BIN") make application || return 1
    "$BIN/gateway" package inspect "$package" > "$scratch/out" || return 1
    grep -q heater "$scratch/out" || { cat "$scratch/out"; return 1; }
}

the_console_serves_its_page_and_ends_with_control_c() {
    local story link code=0
    terminal "$here/story.sh" console > "$scratch/out" 2> "$scratch/err" < /dev/null &
    story=$!
    appears '#token=' "$scratch/out" || { cat "$scratch/err"; kill -TERM "$story"; return 1; }
    link=$(grep '#token=' "$scratch/out")
    curl -sSf --noproxy '*' --max-time 10 "${link%%#*}" | grep -qi '<html' || code=1
    appears 'provisioned, attempt 1' "$scratch/err" || code=1
    interrupt "$story" || code=1
    nothing_is_left || code=1
    return "$code"
}

an_interrupted_demo_leaves_nothing() {
    setsid "$here/story.sh" once > "$scratch/out" 2> "$scratch/err" < /dev/null &
    local story=$!
    appears 'platform starts' "$scratch/err" || return 1
    kill -TERM "$story"
    wait "$story"
    local code=$?
    [ "$code" = 143 ] || { echo "exit code $code"; return 1; }
    nothing_is_left
}

# Runs a command in a process group of its own that takes SIGINT, as a terminal does; a shell's
# background jobs ignore it.
terminal() {
    exec python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.setsid()
os.execv(sys.argv[1], sys.argv[1:])' "$@"
}

# Ctrl-C: to the whole group; it must end in good order.
interrupt() {
    local code=0
    kill -INT -- "-$1" 2> /dev/null || return 1
    timeout 30 tail --pid="$1" -f /dev/null || kill -TERM "$1"
    wait "$1" || code=$?
    [ "$code" = 0 ] || { echo "exit code $code"; return 1; }
}

check the_demo_ends_with_a_provisioned_gateway_and_leaves_nothing
check the_example_application_is_built_and_packed
check the_console_serves_its_page_and_ends_with_control_c
check an_interrupted_demo_leaves_nothing
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
