#!/bin/sh
# usage: scripts/golangci.sh
#
# Runs golangci-lint with .golangci.yml in every module. Its version is here and not in tools/, because it would bring
# hundreds of modules there.
set -eu
cd "$(dirname "$0")/.."
version=v2.15.0
root=$PWD
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
"$bin/golangci-lint" config verify
for module in $(find . -name go.mod -not -path '*/testdata/*' -not -path '*/node_modules/*' -exec dirname {} \; | sort); do
	echo "$module"
	(cd "$module" && "$bin/golangci-lint" run --config "$root/.golangci.yml" ./...)
done
