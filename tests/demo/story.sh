#!/usr/bin/env bash
# A gateway provisions itself, on loopback, with real parts: certificates, broker, TLS, library.
#
#   story.sh once       until it is provisioned; the last line on standard output is the outcome
#   story.sh console    the same, left running with the web page until Ctrl-C
#
# Builds nothing but the example application: BIN names the folder with the binaries and the plugin.
# PORT is the port of the web page, a free one if it is not set. Called by the Makefile and by
# tests/demo/test.sh.
set -euo pipefail

mode=${1:-once}
case $mode in
once | console) ;;
*)
    echo "usage: story.sh once|console" >&2
    exit 2
    ;;
esac
bin=${BIN:?names the folder with gateway, provision-platform and libprovisioning_service.so}
here=$(cd "$(dirname "$0")" && pwd)
gateway=$bin/gateway
platform=$bin/provision-platform
plugin=$bin/libprovisioning_service.so
pid_of_platform=
pid_of_gateway=
folder=$(mktemp -d "${TMPDIR:-/tmp}/gateway-demo.XXXXXX")

say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
[ -t 2 ] || say() { printf '%s\n' "== $*" >&2; }

# Runs a program so that it ends when this script does, whatever way that happens.
start() { exec setsid setpriv --pdeathsig TERM "$@"; }

# Asks a process for its end, and takes it with all its children if it does not come.
end() {
    [ -n "$1" ] && kill -0 "$1" 2>/dev/null || return 0
    kill -TERM "$1" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

clean() {
    trap '' INT TERM HUP
    end "$pid_of_gateway"
    end "$pid_of_platform"
    pid_of_gateway='' pid_of_platform=''
    rm -rf "$folder"
}
trap clean EXIT
# Ctrl-C is how the console is left, and an early end of the other.
trap '[ "$mode" = console ] && exit 0; exit 130' INT
trap 'exit 143' TERM HUP

umask 077
cloud=$folder/cloud
device=$folder/gateway
mkdir "$cloud" "$device" "$device/plugins"

say "The cloud makes its certificates: a device-management chain, and two brokers' certificates."
"$platform" demo-pki --out "$cloud/pki" >&2

say "A developer packs an application: one library, its form, and a manifest with their hashes."
"$here/../applications/build.sh" "$folder/heater"
"$gateway" package pack "$folder/heater" --name heater --version 1.0.0 \
    -o "$folder/heater.tar.gz" >&2

say "An operator makes a provision request: one client-id, one password, one key, one application."
head -c 18 /dev/urandom | base64 | tr '+/' 'AZ' > "$folder/password"
"$platform" request create --data "$cloud" \
    --client-id 0257C0DE0001 --username 0257C0DE0001-GW-0001 \
    --password-file "$folder/password" --activation-key-generate \
    --package "$folder/heater.tar.gz:heater:1.0.0" \
    --account acme --expires-on +1h --max-attempts 5 --json > "$folder/request.json"
# The key is shown once, in this document only.
key=$(sed -n 's/.*"generated_activation_key": "\([A-Za-z0-9]*\)".*/\1/p' "$folder/request.json")
[ -n "$key" ] || { echo "the platform made no activation key" >&2; exit 1; }
"$platform" request show --data "$cloud" --client-id 0257C0DE0001 >&2

say "The platform starts: a real MQTT broker for provisioning, another one for the account."
mkfifo "$folder/ready"
(start "$platform" run --data "$cloud" > "$folder/ready" 2> "$folder/platform.log") &
pid_of_platform=$!
exec 3< "$folder/ready"
if ! read -r -t 60 ready <&3; then
    echo "the platform did not start:" >&2
    tail -n 20 "$folder/platform.log" >&2
    exit 1
fi
broker=$(sed -n 's/.* broker=\([^ ]*\).*/\1/p' <<< " $ready")
echo "provision broker at $broker" >&2

say "The gateway leaves the factory: trusted roots, a plugin, one credential, no account."
"$gateway" keystore import --data "$device/data" --keystore SSLKeystore \
    --alias broker-root "$cloud/pki/tls-root.pem" >&2
"$gateway" keystore import --data "$device/data" --keystore DMKeystore \
    --alias device-management-root "$cloud/pki/root.pem" >&2
cp "$plugin" "$device/plugins/"
cp "$here/gateway.properties" "$device/gateway.properties"
sed -e "s|@BROKER@|$broker|" -e "s|@PASSWORD@|$(cat "$folder/password")|" -e "s|@KEY@|$key|" \
    "$here/seed.xml" > "$device/seed.xml"

run=("$gateway" run --data "$device/data" --plugins "$device/plugins"
    --config "$device/seed.xml" --properties "$device/gateway.properties")

if [ "$mode" = console ]; then
    say "It is switched on, and stays on. Ctrl-C ends everything."
    (start "${run[@]}" --listen "127.0.0.1:${PORT:-0}") &
    pid_of_gateway=$!
    for _ in $(seq 300); do
        [ -e "$device/data/rest.json" ] && break
        kill -0 "$pid_of_gateway" 2>/dev/null || exit 1
        sleep 0.1
    done
    # On a terminal the gateway has shown the link itself, above its progress.
    if ! { [ -t 1 ] && [ -t 2 ]; }; then
        "$gateway" console --data "$device/data"
    fi
    code=0
    wait "$pid_of_gateway" || code=$?
    exit "$code"
fi

say "It is switched on."
(start "${run[@]}" --until provisioned --deadline 60 --json > "$folder/outcome") &
pid_of_gateway=$!
code=0
wait "$pid_of_gateway" || code=$?
pid_of_gateway=
if [ "$code" = 0 ]; then
    say "The cloud's view of it:"
    "$platform" request show --data "$cloud" --client-id 0257C0DE0001 >&2
else
    say "It did not work. The platform said:"
    tail -n 30 "$folder/platform.log" >&2
fi
outcome=$(tail -n 1 "$folder/outcome")
clean
printf '%s\n' "$outcome"
exit "$code"
