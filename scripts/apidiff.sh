#!/bin/sh
# usage: scripts/apidiff.sh [-w | COMMIT]
#
# Compares the exported API of the root module with api/permissions.txt, a line for each name. A change fails until -w
# has written it there, on purpose. With a commit, it says which changes since then are compatible and which are not.
set -eu
cd "$(dirname "$0")/.."
file=api/permissions.txt
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# since COMMIT prints what has changed since a commit.
since() {
	module=$(go list -m)
	mkdir "$temp/before"
	git archive -o "$temp/before.tar" "$1"
	tar -xf "$temp/before.tar" -C "$temp/before"
	(cd tools && go build -o "$temp/apidiff" golang.org/x/exp/cmd/apidiff)
	(cd "$temp/before" && "$temp/apidiff" -m -w "$temp/export" "$module")
	"$temp/apidiff" -m "$temp/export" "$module" >"$temp/changes" 2>"$temp/errors" || {
		cat "$temp/errors" >&2
		exit 1
	}
	[ -s "$temp/changes" ] || echo "The exported API is that of $1."
	cat "$temp/changes"
}

case "${1:-}" in
"" | -w) (cd tools && go run ./api -C .. ./...) >"$temp/now" ;;
-*)
	sed -n '2s/^# //p' "$0" >&2
	exit 2
	;;
*)
	since "$1"
	exit
	;;
esac

if [ "${1:-}" = -w ]; then
	cp "$temp/now" "$file"
elif ! diff -u "$file" "$temp/now"; then
	echo "apidiff: the exported API is not that of $file" >&2
	echo "apidiff: if that is meant, run scripts/apidiff.sh -w, and add a line to CHANGELOG.md" >&2
	exit 1
fi
