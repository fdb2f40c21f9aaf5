#!/bin/sh
# usage: scripts/soak.sh DURATION [SEED]
#
# Runs the differential tests with new random claims and questions for DURATION, which is a
# number with s, m, h or d. They compare the library with internal/reference. A failure names
# the seed that repeats it: CONNECTPERMS_SEED=... go test -run Differential .
set -eu
cd "$(dirname "$0")/.."
duration=${1:?usage: scripts/soak.sh DURATION [SEED], such as 10m}
seed=${2:-$(date +%s)000000}
number=${duration%[smhd]}
case "$number" in '' | *[!0-9]*) echo "soak: not a duration: $duration" >&2 && exit 2 ;; esac
case "$duration" in
*m) number=$((number * 60)) ;;
*h) number=$((number * 3600)) ;;
*d) number=$((number * 86400)) ;;
esac

binary=$(mktemp -d)
trap 'rm -rf "$binary"' EXIT
go test -c -o "$binary/soak.test" .
end=$(($(date +%s) + number))
pairs=200000
rounds=0
while [ "$(date +%s)" -lt "$end" ]; do
	CONNECTPERMS_SEED=$seed CONNECTPERMS_PAIRS=$pairs "$binary/soak.test" -test.run '^TestDifferential' -test.count 1 >"$binary/out" 2>&1 || {
		cat "$binary/out" >&2
		echo "soak: a disagreement; the first seed was $seed" >&2
		exit 1
	}
	grep -q '^PASS' "$binary/out" || { cat "$binary/out" >&2 && exit 1; }
	seed=$((seed + pairs)) # a round uses fewer seeds
	rounds=$((rounds + 1))
done
[ "$rounds" -gt 0 ] || { echo "soak: nothing was run" >&2 && exit 1; }
echo "soak: $((rounds * pairs)) questions and $((rounds * pairs / 4)) hostile claims in $duration; the next seed is $seed"
