#!/bin/sh
# usage: scripts/portable.sh
#
# Builds the root module for other systems, and runs the tests of what depends on the size and on the order of bytes
# in a word: the scanner, the index and its hashes, names and IDs. 32 bits run on this machine, and a big-endian
# machine is emulated by qemu-s390x, from the Debian package qemu-user.
set -eu
cd "$(dirname "$0")/.."
for program in qemu-s390x go; do
	command -v "$program" >/dev/null || { echo "portable: there is no $program" >&2 && exit 1; }
done
[ "$(go env GOHOSTARCH)" = amd64 ] || { echo "portable: this needs an amd64 machine" >&2 && exit 1; }
export CGO_ENABLED=0

for target in windows/amd64 windows/arm64 darwin/arm64 linux/arm64 linux/386 linux/s390x; do
	echo "build for $target"
	GOOS=${target%/*} GOARCH=${target#*/} go build ./...
done

echo "vet for linux/386, tests included"
GOARCH=386 go vet ./...

# A few names of tests, and not all of them: emulation is slow.
core='^Test(Conformance|FirstMistake|Edges|Names|ID|UUID|Repeated|NotRepeated|Holders|OrderOfRules|WhichRule|Target)'
wide='^Test(Differential|FromValue|Hostile|LargeClaim|Parse)'

# run ARCH PATTERN [EMULATOR] tests internal/strictjson, internal/text, and what matches PATTERN in the root package. It
# fails if no more than 20 tests match.
run() {
	arch=$1 pattern=$2
	shift 2
	count=$(go test -list "$pattern" . | grep -c '^Test') || count=0
	[ "$count" -gt 20 ] || { echo "portable: only $count tests match $pattern" >&2 && exit 1; }
	echo "test on $arch, with $count tests of the root package"
	GOARCH=$arch go test -count=1 ${1:+-exec "$*"} ./internal/strictjson ./internal/text
	GOARCH=$arch go test -count=1 ${1:+-exec "$*"} -run "$pattern" .
}

export CONNECTPERMS_PAIRS=${CONNECTPERMS_PAIRS:-500} # of random questions
run 386 "$core|$wide"
run s390x "$core" qemu-s390x
