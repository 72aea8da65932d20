#!/usr/bin/env bash
# Installs what a make target needs and the machine lacks: tools.sh GROUP...
#
# On Debian as root it calls apt; elsewhere it says exactly what to install, and fails. Nothing is
# fetched, and nothing printed, when all is there. Rust itself is never installed.
set -euo pipefail

# group | how to see that it is there | Debian's package | what it is, for other systems
table='
build | have cc                      | gcc             | a C compiler
build | have c++                     | g++             | a C++ compiler
build | have cmake                   | cmake           | cmake
build | have pkg-config              | pkg-config      | pkg-config
build | pkg-config --exists openssl  | libssl-dev      | OpenSSL 3 with headers
run   | have mosquitto               | mosquitto       | mosquitto 2.0 with its dynamic-security plugin
run   | have setpriv                 | util-linux      | setsid and setpriv of util-linux
test  | have xmllint                 | libxml2-utils   | xmllint
test  | have valgrind                | valgrind        | valgrind
test  | have faketime                | faketime        | faketime
test  | have strace                  | strace          | strace
test  | have chromium                | chromium        | chromium
test  | have curl                    | curl            | curl
test  | have openssl                | openssl         | the openssl command
test  | have python3                 | python3         | Python 3.11
test  | have pgrep                   | procps          | pgrep
test  | have ip                      | iproute2        | ip of iproute2
test  | have unshare                 | util-linux      | unshare of util-linux
test  | have script                  | bsdutils        | script of util-linux
bench | have strace                  | strace          | strace
page  | have chromium                | chromium        | chromium
lint  | have shellcheck              | shellcheck      | shellcheck
lint  | have python3                 | python3         | Python 3.11
lint  | have git                     | git             | git
sbom  | have python3                 | python3         | Python 3.11
'

# Debian keeps servers where an ordinary user does not look.
PATH=$PATH:/usr/sbin:/usr/local/sbin
have() { command -v "$1" > /dev/null; }

if ! have cargo; then
    echo "Rust is missing: install cargo, rustc, rustfmt and clippy 1.88 or later (https://rustup.rs)" >&2
    exit 1
fi

packages=() things=()
for group in "$@"; do
    while IFS='|' read -r of check package thing; do
        read -r of <<< "$of"
        [ "$of" = "$group" ] || continue
        read -ra check <<< "$check"
        "${check[@]}" 2> /dev/null && continue
        read -r package <<< "$package"
        read -r thing <<< "$thing"
        case " ${packages[*]} " in *" $package "*) continue ;; esac
        packages+=("$package")
        things+=("$thing")
    done <<< "$table"
done
[ ${#packages[@]} -gt 0 ] || exit 0

if ! have apt-get; then
    echo "This machine lacks:" >&2
    printf '  %s\n' "${things[@]}" >&2
    echo "Install them with your system's package manager and run make again." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "This machine lacks ${#packages[@]} packages. As root:" >&2
    echo "  apt-get install --no-install-recommends ${packages[*]}" >&2
    exit 1
fi

echo "installing: ${packages[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -y -o DPkg::Lock::Timeout=300)
{
    "${apt[@]}" update
    "${apt[@]}" install --no-install-recommends "${packages[@]}"
} < /dev/null >&2
# Debian starts a broker of its own with the package; demonstration and tests run theirs.
case " ${packages[*]} " in
*" mosquitto "*)
    if have systemctl && systemctl is-active -q mosquitto 2> /dev/null; then
        echo "switching off the broker that Debian started with the package" >&2
        systemctl disable -q --now mosquitto
    fi
    ;;
esac
