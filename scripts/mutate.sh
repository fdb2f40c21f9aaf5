#!/bin/sh
# usage: scripts/mutate.sh [--changed REVISION] [--within SECONDS] [FILE...]
#
# Changes the code that a decision depends on in one small way after the other, and runs the tests of
# the package each time. A change that no test notices must be listed in testdata/mutants.txt with the
# reason why it changes no answer. Otherwise the script fails.
#
# Without files it tries all of the root package, internal/strictjson, internal/text, usertoken, httpauth and
# forwardauth. With --changed it tries only the lines that differ from a revision. With --within it begins no try
# after that many seconds, and says how many changes it has left out. It takes some seconds of a processor for a
# change. CONNECTPERMS_WORKERS is how many run at once (2).
set -eu
cd "$(dirname "$0")/.."
diff="" changed="" within=""
while :; do
	case "${1:-}" in
	--changed) changed=${2:?a revision} && diff="--diff $2" ;;
	--within) within=${2:?a number of seconds} ;;
	*) break ;;
	esac
	shift 2
done
if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046
	set -- $(git ls-files '*.go' 'internal/strictjson/*.go' 'internal/text/*.go' 'usertoken/*.go' 'httpauth/*.go' 'forwardauth/*.go' |
		grep -E '^([^/]*|internal/(strictjson|text)/[^/]*|(usertoken|httpauth|forwardauth)/[^/]*)$' |
		grep -v -E '(_test|(^|/)doc|work_on|work_off|_table)\.go$')
fi
if [ -n "$changed" ] && git diff --quiet "$changed" -- "$@"; then
	echo "nothing differs from $changed"
	exit
fi
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
(cd tools && go build -o "$tools/" github.com/go-gremlins/gremlins/cmd/gremlins ./survivors)

# Everything else is excluded, by name.
exclude=""
for file in $(git ls-files '*.go'); do
	case " $* " in
	*" $file "*) ;;
	*) exclude="$exclude --exclude-files ^$(echo "$file" | sed 's/\./\\./g')\$" ;;
	esac
done

# Few random claims are enough to notice a change that matters, and the tests with large inputs only take
# time. The time that the tests may take is a multiple of what they take once, which must not come from a
# cache. A change with which they take longer counts as noticed. With --within, gremlins only finds the changes, and
# survivors tries them, since gremlins reports nothing if it is stopped.
CONNECTPERMS_PAIRS=2000
export CONNECTPERMS_PAIRS
flags="${GOFLAGS:-} -count=1 -failfast -vet=off -skip=Hostile|Race|README|Pages|Links|Architecture|GettingStarted|TESTING"
# shellcheck disable=SC2086
GOFLAGS=$flags "$tools/gremlins" unleash ${within:+--dry-run} $diff $exclude --silent --workers "${CONNECTPERMS_WORKERS:-2}" --timeout-coefficient 5 --output "$tools/report.json" \
	--invert-assignments --invert-bitwise --invert-bwassign --invert-logical --invert-loopctrl --remove-self-assignments . >"$tools/out" 2>&1 || {
	cat "$tools/out" >&2
	exit 1
}
"$tools/survivors" ${within:+-within "${within}s"} testdata/mutants.txt "$tools/report.json"
