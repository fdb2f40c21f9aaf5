#!/bin/sh
# usage: scripts/fuzz.sh TIME
#
# Runs every fuzz target of every package for TIME, such as 30s. It fails when a target
# fails, when one of those below does not exist, when a target has no seeds, and when one has
# executed no more than its seeds.
set -eu
cd "$(dirname "$0")/.."
time=${1:?usage: scripts/fuzz.sh TIME, such as 30s}
expected="FuzzClaim FuzzKey FuzzPayload FuzzRecognize FuzzRoundTrip FuzzScope FuzzTarget FuzzToken"

out=$(mktemp)
trap 'rm -f "$out"' EXIT
fail() {
	cat "$out" >&2
	echo "fuzz: $*" >&2
	exit 1
}

directories=$(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u)
[ -n "$directories" ] || fail "there are no targets"
found=""
for directory in $directories; do
	for target in $(cd "$directory" && go test -list '^Fuzz' . | grep '^Fuzz'); do
		found="$found $target"
		(cd "$directory" && go test -count=1 -run "^$target\$" -v .) >"$out" 2>&1 || fail "$target fails on its seeds"
		seeds=$(grep -c "^=== RUN   $target/" "$out" || true)
		[ "$seeds" -gt 0 ] || fail "$target has no seeds"
		if ! (cd "$directory" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10s .) >"$out" 2>&1; then
			# Go sometimes takes the end of the time for a failure. Then it names no input, and says nothing else.
			if [ "$(sed -n '/^--- FAIL/,/^FAIL/p' "$out" | sed 1d | head -n 1 | tr -d ' ')" != contextdeadlineexceeded ] ||
				grep -q 'Failing input' "$out"; then
				fail "$target fails"
			fi
		fi
		execs=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$out" | tail -n 1)
		[ "${execs:-0}" -gt "$seeds" ] || fail "$target has executed ${execs:-nothing}, and has $seeds seeds"
		echo "$directory $target: $seeds seeds, $execs executions in $time"
	done
done
for target in $expected; do
	case "$found " in
	*" $target "*) ;;
	*) fail "there is no $target" ;;
	esac
done
