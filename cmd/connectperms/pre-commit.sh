#!/bin/sh
# usage: pre-commit.sh COMMAND ARGUMENT...
#
# Builds connectperms from the checkout that this file is in, and runs it. The hooks of .pre-commit-hooks.yaml are it.
set -eu
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -C "$(dirname "$0")" -o "$bin/connectperms" .
"$bin/connectperms" "$@"
