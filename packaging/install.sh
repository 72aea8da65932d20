#!/usr/bin/env bash
# Copies what was built for release to where it belongs. BIN is the folder with it, PREFIX where it
# will live, DESTDIR what stands before PREFIX while a package is made. Called by `make install`.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:?}
root=${DESTDIR:-}${PREFIX:?}

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
for file in LICENSE README.md SECURITY.md CHANGELOG.md; do
    install -D -m 644 "$file" "$root/share/doc/gwc/$file"
done
tree LICENSES "$root/share/doc/gwc/LICENSES"

cat << TEXT
installed below $root:
  bin/gateway                                 the sample host
  lib/gwc/plugins/libprovisioning_service.so  the component
  lib/gwc/plugins/metatype/                   its form
  include/gwc/                                the C headers of the contract
try: ${PREFIX%/}/bin/gateway run --data DIR --plugins ${PREFIX%/}/lib/gwc/plugins --listen 127.0.0.1:8080
TEXT
