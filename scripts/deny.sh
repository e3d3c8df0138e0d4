#!/bin/sh
# Judges the tree of dependencies by deny.toml. Takes the cargo-deny that is installed; else builds one into the
# target folder, once, without optimisation (it has little to do, and is there three times sooner).
set -eu
version=0.20.2
tools=${CARGO_TARGET_DIR:-target}/tools

if ! command -v cargo-deny >/dev/null 2>&1; then
    PATH=$(cd "$(dirname "$0")/.." && pwd)/$tools/bin:$PATH
    case $tools in /*) PATH=$tools/bin:$PATH ;; esac
    command -v cargo-deny >/dev/null 2>&1 ||
        cargo install --locked --debug --no-default-features --root "$tools" --version "$version" cargo-deny </dev/null
fi
cargo deny --workspace check bans licenses sources
