#!/usr/bin/env bash
# The whole story on loopback: a platform with a real broker, a provision request, and a gateway
# that knows nothing but its claim credential.
#
#   tests/demo/run.sh demo       ends when the gateway is provisioned; last line: JSON
#   tests/demo/run.sh console    leaves everything running, with the web page
#
# BIN is the folder of the built binaries (target/debug). Narration and logs go to stderr. Leaves
# no process and no file behind.
set -euo pipefail

mode=${1:-demo}
bin=$(cd "${BIN:?the folder of the built binaries}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/gateway-demo.XXXXXX")
platform=

cleanup() {
    if [ -n "$platform" ]; then
        kill "$platform" 2>/dev/null || true
        wait "$platform" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s\n' "$*" >&2; }

client_id=AABBCCDDEEFF
serial=DEMO-0001
username=$client_id-$serial
umask 077
head -c 18 /dev/urandom | base64 | tr -d '\n' >"$work/password"

say "The cloud: certificates, and a provision request for client-id $client_id, username $username"
"$bin/provision-platform" demo-pki --out "$work/cloud/pki" >&2
"$bin/provision-platform" request create --data "$work/cloud" --client-id "$client_id" \
    --username "$username" --password-file "$work/password" --activation-key-generate \
    --expires-on +1h --max-attempts 5 --json >"$work/request.json"
key=$(sed -n 's/.*"generated_activation_key": *"\([A-Za-z0-9]*\)".*/\1/p' "$work/request.json" | head -1)

say "The platform starts its broker"
"$bin/provision-platform" run --data "$work/cloud" --ready-file "$work/ready.json" >&2 &
platform=$!
for _ in $(seq 150); do
    [ -s "$work/ready.json" ] && break
    kill -0 "$platform" 2>/dev/null || { echo "the platform ended" >&2; exit 1; }
    sleep 0.1
done
broker=$(sed -n 's/.*"broker": *"\([^"]*\)".*/\1/p' "$work/ready.json" | head -1)
[ -n "$broker" ] || { echo "the platform was not ready within 15 s" >&2; exit 1; }

say "The gateway, as it leaves the factory: one credential, two trusted roots, no configuration"
mkdir -p "$work/plugins"
cp "$bin/libprovisioning_service.so" "$work/plugins/"
"$bin/gateway" keystore import --data "$work/gateway" --keystore SSLKeystore \
    --alias broker-root "$work/cloud/pki/tls-root.pem" >&2
"$bin/gateway" keystore import --data "$work/gateway" --keystore DMKeystore \
    --alias management-root "$work/cloud/pki/root.pem" >&2
cat >"$work/system.properties" <<EOF
kura.primary.network.interface=eth0
kura.primary.mac=AA:BB:CC:DD:EE:FF
kura.serialNumber=$serial
kura.model.id=DEMO-GATEWAY
kura.device.name=demo gateway
EOF
property() { # name type value [encrypted]
    printf '<esf:property name="%s" array="false" encrypted="%s" type="%s"><esf:value>%s</esf:value></esf:property>\n' \
        "$1" false "$2" "$3"
}
{
    printf '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    printf '<esf:configurations xmlns:ocd="http://www.osgi.org/xmlns/metatype/v1.2.0" xmlns:esf="http://eurotech.com/esf/2.0">\n'
    printf '<esf:configuration pid="gwc.provisioning.ProvisioningService"><esf:properties>\n'
    property service.factoryPid String gwc.provisioning.ProvisioningService
    property kura.service.pid String gwc.provisioning.ProvisioningService
    property enabled Boolean true
    property broker-url String "$broker"
    property account-name String ec-provisioning
    property password Password "$(cat "$work/password")"
    property activation-key Password "$key"
    property retry-interval Integer 5
    printf '</esf:properties></esf:configuration></esf:configurations>\n'
} >"$work/seed.xml"

run=("$bin/gateway" run --data "$work/gateway" --plugins "$work/plugins"
    --config "$work/seed.xml" --properties "$work/system.properties")
if [ "$mode" = console ]; then
    say "The gateway starts, with its console; Ctrl-C ends everything"
    "${run[@]}" --listen "${LISTEN:-127.0.0.1:0}"
else
    say "The gateway starts, and provisions itself"
    "${run[@]}" --until provisioned --deadline 60 --json
fi
