#!/bin/sh
# usage: scripts/coverage.sh [PERCENT]
#
# Prints the statement coverage of each package that a decision depends on, by its own tests, lists the
# functions that are not covered whole, and fails if a package is below PERCENT (98).
set -eu
cd "$(dirname "$0")/.."
least=${1:-98}
profile=$(mktemp)
trap 'rm -f "$profile"' EXIT
for package in . internal/strictjson internal/text usertoken httpauth forwardauth grpcauth otelpermissions; do
	(
		cd "$package" # some are modules of their own
		go test -count=1 -coverprofile="$profile" .
		go tool cover -func="$profile" | grep -v '100.0%$' || true
		percent=$(go tool cover -func="$profile" | sed -n 's/^total:.*[^0-9.]\([0-9.]*\)%$/\1/p')
		awk -v p="$percent" -v least="$least" -v package="$package" 'BEGIN {
			if (p == "" || p + 0 < least) { print "coverage: " package ": " p " % is less than " least " %"; exit 1 }
		}'
	)
done
