#!/bin/sh
# usage: scripts/installs.sh [REMOTE]
#
# Does what users of the modules do, before the version is published: in an empty module it runs go get for each module,
# and builds and runs a program with it. A module that is a command is installed with go install, and must tell its
# version.
#
# The program for a nested module is testdata/consumer/main.go there, with the output that it must have in output.txt.
# That of the root module is the quickstart.
#
# The modules come from the checkout. With REMOTE, which is a git repository in the file system, they come from its tags
# in place of those at GitHub. The script prints each module and its hash.
set -eu
cd "$(dirname "$0")/.."
. scripts/as-published.sh
repository=$PWD
if [ $# -gt 0 ]; then
	GONOPROXY="$root,$root/*"
	GIT_CONFIG_COUNT=1
	GIT_CONFIG_KEY_0="url.file://$(realpath "$1").insteadOf"
	GIT_CONFIG_VALUE_0="https://$root"
	GIT_ALLOW_PROTOCOL=file # nothing else is asked
	export GONOPROXY GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0 GIT_ALLOW_PROTOCOL
fi

fail() {
	echo "installs: $*" >&2
	exit 1
}

# consumer FOLDER PATH builds the program for a module, and runs it.
consumer() {
	program="$repository/$1/testdata/consumer"
	[ "$1" != . ] || program="$repository/examples/quickstart"
	cp "$program/main.go" . &&
		go mod init example.com/consumer &&
		go get "$2@$version" &&
		go mod tidy &&
		go mod verify &&
		go vet . &&
		go run . >output.txt &&
		diff "$program/output.txt" output.txt
}

# installed PATH installs a command, and runs it.
installed() {
	GOBIN="$PWD" go install "$1@$version" &&
		"./$(basename "$1")" version >output.txt &&
		{ grep -q -F "$version" output.txt || fail "$1 $version says that it is another version: $(cat output.txt)"; }
}

"$scratch/modproxy" -check -list >/dev/null
echo "$modules" | while read -r folder path _; do
	mkdir -p "$scratch/consumer/$folder"
	cd "$scratch/consumer/$folder"
	if grep -q -s '^package main$' "$repository/$folder"/*.go; then
		installed "$path"
	else
		consumer "$folder" "$path"
	fi >"$scratch/out" 2>&1 </dev/null || {
		cat "$scratch/out" >&2
		fail "$path@$version cannot be used"
	}
	echo "installs: $path@$version $(go mod download -json "$path@$version" | sed -n 's/.*"Sum": "\(.*\)".*/\1/p')"
	cd "$repository"
done
