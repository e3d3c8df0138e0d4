#!/bin/sh
# Installs schemathesis, with which the services' tests compare them with their OpenAPI documents (testkit/src/contract.rs). It is
# Python's, in a folder of its own.
set -eu
cd "$(dirname "$0")/.."

tools=${CARGO_TARGET_DIR:-target}/contract-tools
pinned="schemathesis==4.32.5 hypothesis==6.170.15"

if [ "$(cat "$tools/pinned" 2>/dev/null)" != "$pinned" ]; then
    scripts/needs.sh deploy-checks
    rm -rf "$tools"
    python3 -m venv "$tools"
    # Word by word: each is a package.
    "$tools/bin/pip" install --quiet --disable-pip-version-check $pinned
    echo "$pinned" >"$tools/pinned"
fi
