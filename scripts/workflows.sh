#!/bin/sh
# usage: scripts/workflows.sh
#
# Checks the workflows with actionlint, and that each action is pinned by the hash of a commit, with its version beside
# it. Checks that Dependabot knows each go.mod and each package.json.
set -eu
cd "$(dirname "$0")/.."
fail() {
	echo "workflows: $*" >&2
	exit 1
}

(cd tools && go tool actionlint ../.github/workflows/*.yml)
uses=$(grep -hE '^ *(- )?uses:' .github/workflows/*.yml action.yml) || fail "no workflow uses an action"
loose=$(echo "$uses" | grep -vE 'uses: [^@ ]+@[0-9a-f]{40} # v[0-9.]+$') && fail "not pinned by a hash with its version: $loose"

for file in go.mod package.json; do
	for path in $(git ls-files --cached --others --exclude-standard -- "$file" "*/$file"); do
		directory=/$(dirname "$path")
		[ "$directory" != /. ] || directory=/
		case "$path" in
		*/testdata/*) ;;
		*) grep -qxF "      - $directory" .github/dependabot.yml || fail ".github/dependabot.yml lacks $directory" ;;
		esac
	done
done
echo "workflows: $(echo "$uses" | wc -l) uses of actions, all pinned"
