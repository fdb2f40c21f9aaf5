#!/bin/sh
# usage: scripts/mutate.sh [FILE...]
#
# Changes the parser, the resolver and the verifier (or the files named) in one small way
# after the other, and runs the tests each time. A change that no test notices must be listed
# in testdata/mutants.txt with the reason why it changes nothing; otherwise the script fails.
# It takes about three seconds of a processor for a mutant, and there are about 1,100.
#
# CONNECTPERMS_WORKERS is how many run at once (2).
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- json.go parse.go plain.go scope.go target.go ruleset.go key.go resolve.go claims.go verifier.go
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
(cd tools && go build -o "$tools/" github.com/go-gremlins/gremlins/cmd/gremlins ./survivors)

# Everything else is excluded, by name.
exclude=""
for file in *.go; do
	case " $* " in
	*" $file "*) ;;
	*) exclude="$exclude --exclude-files ^$(echo "$file" | sed 's/\./\\./g')\$" ;;
	esac
done
for directory in */; do
	exclude="$exclude --exclude-files ^$directory"
done

# Few random claims are enough to notice a change that matters, and the tests with large
# inputs and those of what stands on top of these files only take time. The time that the
# tests may take is a multiple of what they take once, which must not come from a cache; a
# change with which they take longer counts as noticed.
CONNECTPERMS_PAIRS=2000
export CONNECTPERMS_PAIRS
flags="${GOFLAGS:-} -count=1 -failfast -vet=off -skip=Hostile|Select|Explain|Filter|Intersect|Builder|SignRandom|SharedByMany|ShowsNoKey|Readme"
# shellcheck disable=SC2086
GOFLAGS=$flags "$tools/gremlins" unleash $exclude --silent --workers "${CONNECTPERMS_WORKERS:-2}" --timeout-coefficient 5 --output "$tools/report.json" \
	--invert-assignments --invert-bitwise --invert-bwassign --invert-logical --invert-loopctrl --remove-self-assignments . >"$tools/out" 2>&1 || {
	cat "$tools/out" >&2
	exit 1
}
"$tools/survivors" testdata/mutants.txt "$tools/report.json"
