#!/bin/sh
# usage: scripts/mutate.sh [--changed REVISION] [FILE...]
#
# Changes the code that a decision depends on in one small way after the other, and runs the tests of
# the package each time. A change that no test notices must be listed in testdata/mutants.txt with the
# reason why it changes no answer. Otherwise the script fails.
#
# Without files it tries all of the root package, internal/strictjson, internal/text, usertoken, httpauth and
# forwardauth. With --changed it tries only the lines that differ from a revision. It takes some seconds of
# a processor for a change. CONNECTPERMS_WORKERS is how many run at once (2).
set -eu
cd "$(dirname "$0")/.."
diff=""
if [ "${1:-}" = --changed ]; then
	diff="--diff ${2:?usage: scripts/mutate.sh --changed REVISION}"
	shift 2
fi
if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046
	set -- $(git ls-files '*.go' 'internal/strictjson/*.go' 'internal/text/*.go' 'usertoken/*.go' 'httpauth/*.go' 'forwardauth/*.go' |
		grep -E '^([^/]*|internal/(strictjson|text)/[^/]*|(usertoken|httpauth|forwardauth)/[^/]*)$' |
		grep -v -E '(_test|(^|/)doc|work_on|work_off|_table)\.go$')
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
# cache. A change with which they take longer counts as noticed.
CONNECTPERMS_PAIRS=2000
export CONNECTPERMS_PAIRS
flags="${GOFLAGS:-} -count=1 -failfast -vet=off -skip=Hostile|Race|README|Pages|Links|Architecture"
# shellcheck disable=SC2086
GOFLAGS=$flags "$tools/gremlins" unleash $diff $exclude --silent --workers "${CONNECTPERMS_WORKERS:-2}" --timeout-coefficient 5 --output "$tools/report.json" \
	--invert-assignments --invert-bitwise --invert-bwassign --invert-logical --invert-loopctrl --remove-self-assignments . >"$tools/out" 2>&1 || {
	cat "$tools/out" >&2
	exit 1
}
"$tools/survivors" testdata/mutants.txt "$tools/report.json"
