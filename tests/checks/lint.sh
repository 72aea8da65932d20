#!/usr/bin/env bash
# Everything that is checked without running the program: lint.sh. All checks run; the last lines
# name those that did not hold. Called by `make lint`.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
failed=()

check() {
    local name=$1
    echo "== $name"
    shift
    "$@" < /dev/null || failed+=("$name")
}

format() { cargo fmt --all --check; }
clippy() { cargo clippy --locked --workspace --all-targets -- -D warnings; }
documentation() {
    # Private items are documented for those who work on it, so links may lead to them.
    RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' \
        cargo doc --locked --workspace --no-deps --document-private-items
}

shell_scripts() {
    git ls-files -z -- '*.sh' .ci/run | xargs -0 shellcheck
}

# At 600 lines a file is a design fault, tests at 800.
file_lengths() {
    git ls-files -- '*.rs' '*.h' '*.c' '*.cpp' '*.py' '*.sh' '*.js' '*.css' '*.md' | awk '
        {
            limit = 600
            rest = $0
            sub(/^tests\//, "", rest)
            if (rest ~ /(^|\/)tests\// || rest ~ /(^|[\/_])tests\.rs$/ || rest ~ /^e2e\//) limit = 800
            lines = 0
            while ((getline line < $0) > 0) lines++
            close($0)
            if (lines > limit) { print $0 ": " lines " lines, at most " limit; bad = 1 }
        }
        END { exit bad }'
}

# No folder of the machine that something was written on. The pattern does not match itself.
machine_paths() {
    ! git grep -nIE '(^|[^A-Za-z0-9_.}])/(work|root|home)/[A-Za-z0-9.]' -- .
}

licences() { python3 packaging/parts.py licences; }

# Advisories by the database that `make audit` or an earlier run of cargo-deny left; offline.
cargo_deny() {
    local what=(bans licenses sources)
    if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/advisory-db-*" > /dev/null; then
        what+=(advisories)
    else
        echo "no database of advisories on this machine; 'make audit' fetches it"
    fi
    # The parts for other systems, too, which no build has fetched.
    cargo fetch --locked --quiet
    cargo deny --offline --locked check "${what[@]}"
}

check "format" format
check "clippy" clippy
check "documentation" documentation
check "shell scripts" shell_scripts
check "file lengths" file_lengths
check "paths of a machine" machine_paths
check "licences of the parts" licences
check "cargo-deny" cargo_deny
check "README" tests/checks/readme.sh

echo
if [ ${#failed[@]} = 0 ]; then
    echo "lint: all holds"
else
    printf 'lint: does not hold: %s\n' "${failed[@]}"
    exit 1
fi
