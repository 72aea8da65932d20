#!/usr/bin/env bash
# Builds the example application into a folder, as `gateway package pack FOLDER` takes it:
# build.sh FOLDER. Called by `make application` and by the story of `make demo`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?names the folder to build into}
mkdir -p "$folder/metatype"
cp "$here/heater/metatype/com.example.Heater.xml" "$folder/metatype/"
"${CC:-cc}" -std=c11 -Wall -Wextra -Werror -O2 -pthread -shared -fPIC -fvisibility=hidden \
    -I "$here/../../include" \
    -DHEATER_METATYPE="\"$folder/metatype/com.example.Heater.xml\"" \
    -o "$folder/libheater.so" "$here/heater/heater.c"
