#!/bin/sh
# usage: scripts/previous-go.sh
#
# Runs the tests of the root module with the Go release before the newest, whose toolchain
# comes through the module proxy. Where it cannot be had, it says so, and only vets the code
# as that release's language.
set -eu
cd "$(dirname "$0")/.."
previous=go1.25.8
if ! version=$(GOTOOLCHAIN=$previous go version 2>&1); then
	echo "previous-go: $previous cannot be had: $version" >&2
	echo "previous-go: its tests were not run" >&2
	go vet ./... # go.mod names the language
	exit 0
fi
echo "$version"
case "$version" in
*" $previous "*) ;;
*) echo "previous-go: that is not $previous" >&2 && exit 1 ;;
esac
GOTOOLCHAIN=$previous go test -count=1 ./...
