#!/usr/bin/env bash
# usage: action.sh CONNECTPERMS
#
# Lints the claims of the repository in the current directory, and compares each with what it was at a commit.
# action.yml calls it. It prints annotations, and writes the changes into the summary of the job.
#
#   CLAIMS            pathspecs of git, one in a line
#   BASE              the commit to compare with; empty for none
#   FAIL_ON           which change is a failure: wider, narrower, any or never
#   FAIL_ON_FINDINGS  whether a finding is a failure: true or false
set -euo pipefail
connectperms=$1
summary=${GITHUB_STEP_SUMMARY:-/dev/null}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mapfile -t pathspecs < <(sed '/^[[:space:]]*$/d' <<<"$CLAIMS")
for pathspec in "${pathspecs[@]:-}"; do
	if [ -z "$pathspec" ] || [ -z "$(git ls-files -- "$pathspec")" ]; then
		echo "::error::no file is a claim: the input claims matches nothing with '$pathspec'"
		exit 1
	fi
done
mapfile -d '' -t files < <(git ls-files -z -- "${pathspecs[@]}")
case $FAIL_ON_FINDINGS in
true | false) ;;
*) echo "::error::fail-on-findings is true or false" && exit 1 ;;
esac

# try runs a command. An answer of no (exit code 2) is remembered if it counts, and an error ends everything.
failed=0
try() {
	local counts=$1 code=0
	shift
	"$@" || code=$?
	case $code in
	0) ;;
	2) [ "$counts" != true ] || failed=1 ;;
	*) exit 1 ;;
	esac
}

try "$FAIL_ON_FINDINGS" "$connectperms" lint -o github -- "${files[@]}"

if [ -z "$BASE" ]; then
	echo "::warning::no claim is compared, because there is no base: this is not a pull request, and the input base is empty"
else
	base=$(git merge-base "$BASE" HEAD) || { echo "::error::there is no commit $BASE; check out with fetch-depth: 0" && exit 1; }
	if [ "$base" = "$(git rev-parse HEAD)" ]; then
		echo "::warning::no claim is compared, because the base is the commit that is checked out"
	fi
	for file in "${files[@]}"; do
		# What a renamed file was called before.
		before=$(git diff -M -z --diff-filter=R --name-status "$base" -- "${pathspecs[@]}" | tr '\0' '\n' |
			awk -v file="$file" '/^R[0-9]+$/ { getline old; getline new; if (new == file) print old }')
		if ! git show "$base:${before:-$file}" >"$work/before" 2>/dev/null; then
			echo '{}' >"$work/before" # a new claim, which is compared with one that allows nothing
		fi
		! cmp -s "$work/before" "$file" || continue
		printf '### `%s`\n\n' "$file" >>"$summary"
		try false "$connectperms" diff -o markdown "$work/before" "$file" >>"$summary"
		try true "$connectperms" diff -o github --fail-on "$FAIL_ON" "$work/before" "$file"
	done
fi
exit "$failed"
