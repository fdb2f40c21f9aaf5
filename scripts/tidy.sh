#!/bin/sh
# usage: scripts/tidy.sh [-w] [FOLDER...]
#
# Checks the modules that others install: go.mod and go.sum must be what go mod tidy makes of them, the hashes must be
# right, and nothing may keep others from installing them. Without folders it checks all of them.
#
# They require versions of each other that are not published yet, so go mod tidy alone does not work there. Here these
# come from the checkout, and go.sum holds no line of them. With -w the script writes what is right.
set -eu
cd "$(dirname "$0")/.."
write=""
if [ "${1:-}" = -w ]; then
	write=yes
	shift
fi
. scripts/as-published.sh
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(echo "$modules" | sed 's/ .*//')

failed="" untidy=""
for folder in "$@"; do
	folder=$(realpath --relative-to . "$folder")
	echo "$modules" | grep -q "^$folder " || {
		echo "tidy: $folder has no go.mod with a go.work beside it" >&2
		exit 2
	}
	rm -f "$scratch/tidy.sum"
	cp "$folder/go.mod" "$scratch/tidy.mod"
	[ ! -e "$folder/go.sum" ] || cp "$folder/go.sum" "$scratch/tidy.sum"
	(cd "$folder" && go mod tidy -modfile "$scratch/tidy.mod" && go mod verify -modfile "$scratch/tidy.mod") >"$scratch/out" 2>&1 || {
		cat "$scratch/out" >&2
		echo "tidy: $folder: go mod tidy or verify failed" >&2
		failed=yes
		continue
	}
	touch "$scratch/tidy.sum"
	grep -v -F -e "$root " -e "$root/" "$scratch/tidy.sum" >"$scratch/kept.sum" || true
	if [ -n "$write" ]; then
		cp "$scratch/tidy.mod" "$folder/go.mod"
		cp "$scratch/kept.sum" "$folder/go.sum"
	else
		diff -u "$folder/go.mod" "$scratch/tidy.mod" && diff -uN "$folder/go.sum" "$scratch/kept.sum" || untidy="$untidy $folder"
	fi
done
"$scratch/modproxy" -check -list || failed=yes
if [ -n "$untidy" ]; then
	echo "tidy: run scripts/tidy.sh -w$untidy" >&2
	failed=yes
fi
[ -z "$failed" ]
