#!/usr/bin/env bash
# Copies what was built for release to where it belongs. BIN is the folder with it, PREFIX where it
# will live, DESTDIR what stands before PREFIX while a package is made. Called by `make install`.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:?}
case ${PREFIX:?} in
    /*) ;;
    *)
        echo "PREFIX=$PREFIX is relative: say where it will live, such as PREFIX=$PWD/$PREFIX" >&2
        exit 2
        ;;
esac
prefix=${PREFIX%/}
root=${DESTDIR:-}$prefix
doc=$root/share/doc/gwc

# The plugin folder: what `gateway run --plugins` is given, or another host.
install -D -m 755 "$bin/libprovisioning_service.so" "$root/lib/gwc/plugins/libprovisioning_service.so"
install -D -m 755 "$bin/gateway" "$root/bin/gateway"

# Everything below a folder of the repository, as it lies there.
tree() {
    local from=$1 to=$2 path
    while IFS= read -r path; do
        install -D -m 644 "$from/$path" "$to/$path"
    done < <(cd "$from" && find . -type f | sort)
}
tree include/gwc "$root/include/gwc"
# Beside the library, for hosts that draw a form without loading it.
tree metatype "$root/lib/gwc/plugins/metatype"
tree LICENSES "$doc/LICENSES"

# The documents, and what they link to, as they lie in the repository: the links hold.
declare -A documents=()
document() {
    local path=$1 link target
    [[ -z ${documents[$path]:-} ]] || return 0
    documents[$path]=1
    if [[ -d $path ]]; then
        tree "$path" "$doc/$path"
        return
    fi
    install -D -m 644 "$path" "$doc/$path"
    [[ $path == *.md ]] || return 0
    while IFS= read -r link; do
        target=$(realpath -m --relative-to=. "$(dirname "$path")/$link")
        document "$target"
    done < <(grep -o '\]([^)#]*' "$path" | sed 's/^](//' | grep -v '^[a-z]*:' | sort -u)
}
for path in LICENSE README.md SECURITY.md CHANGELOG.md host-sdk/gateway/README.md; do
    document "$path"
done

# A sample: nothing starts it until somebody enables it. A % is special to systemd.
unit=$(< packaging/gwc-gateway.service)
install -d "$root/lib/systemd/system"
printf '%s\n' "${unit//@PREFIX@/"${prefix//%/%%}"}" > "$root/lib/systemd/system/gwc-gateway.service"
chmod 644 "$root/lib/systemd/system/gwc-gateway.service"

cat << TEXT
installed below $root:
  bin/gateway                                 the sample host
  lib/gwc/plugins/libprovisioning_service.so  the component
  lib/gwc/plugins/metatype/                   its form
  lib/systemd/system/gwc-gateway.service      a unit for the sample host; it is not enabled
  include/gwc/                                the C headers of the contract
  share/doc/gwc/                              README.md, and what it links to
try: $(printf '%q' "$prefix/bin/gateway") run --data DIR --plugins $(printf '%q' "$prefix/lib/gwc/plugins") --listen 127.0.0.1:8080
TEXT
