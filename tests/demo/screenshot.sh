#!/usr/bin/env bash
# A picture of the console of a gateway that has just been provisioned: screenshot.sh FILE.png
#
# Starts the story (BIN as there), waits until the gateway is provisioned, lets a headless Chromium
# show the page. Called by `make screenshot`.
set -euo pipefail
picture=$(realpath -m "${1:?usage: screenshot.sh FILE.png}")
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
story=
clean() {
    [ -z "$story" ] || kill -TERM "$story" 2> /dev/null || true
    [ -z "$story" ] || wait "$story" 2> /dev/null || true
    rm -rf "$scratch"
}
trap clean EXIT

"$here/story.sh" console > "$scratch/out" 2> "$scratch/err" < /dev/null &
story=$!
until grep -q '#token=' "$scratch/out" && grep -q 'step commit done' "$scratch/err"; do
    if [ "$SECONDS" -gt 60 ] || ! kill -0 "$story" 2> /dev/null; then
        echo "the gateway was not provisioned:" >&2
        cat "$scratch/err" >&2
        exit 1
    fi
    sleep 0.2
done

mkdir -p "$(dirname "$picture")"
timeout 60 chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-quic \
    --disable-background-networking --disable-component-update --disable-sync \
    --hide-scrollbars --user-data-dir="$scratch/chromium" --window-size=1280,1400 \
    --virtual-time-budget=10000 --screenshot="$scratch/page.png" "$(grep '#token=' "$scratch/out")" \
    > "$scratch/chromium.log" 2>&1 || true
[ -s "$scratch/page.png" ] || { cat "$scratch/chromium.log" >&2; exit 1; }
cp "$scratch/page.png" "$picture"
echo "$picture"
