#!/bin/sh
# usage: scripts/rehearse-release.sh
#
# Tests scripts/release. It copies the checkout into a repository of its own, whose remote is a bare one beside it. There
# it shows that each check of scripts/release refuses what it is for. Then it makes a release, does with its tags what
# users do, and compares the hashes of the modules with those from the proxy in the file system.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
clone="$scratch/clone" remote="$scratch/remote.git"
# Settings of whoever runs this change nothing.
GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
GIT_AUTHOR_NAME=Rehearsal GIT_AUTHOR_EMAIL=rehearsal@example.com
GIT_COMMITTER_NAME=Rehearsal GIT_COMMITTER_EMAIL=rehearsal@example.com
export GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL

fail() {
	[ ! -e "$scratch/out" ] || cat "$scratch/out" >&2
	echo "rehearse-release: $*" >&2
	exit 1
}

# save commits all changes in the clone and pushes them.
save() {
	git add -A
	git commit -q --allow-empty -m "$1"
	git push -q -f origin HEAD:main
}

# tags prints the tags at the remote and here.
tags() {
	git ls-remote origin 'refs/tags/*'
	git tag
}

# refused TEXT ARGUMENT... runs scripts/release, which must fail, say TEXT and tag nothing. Then it takes everything back.
refused() {
	text=$1
	shift
	before=$(tags)
	scripts/release "$@" >"$scratch/out" 2>&1 && fail "scripts/release $* did not fail: $text"
	grep -q -F -e "$text" "$scratch/out" || fail "scripts/release $* does not say: $text"
	[ "$(tags)" = "$before" ] || fail "scripts/release $* has tagged something"
	echo "refused: $text"
	back
}

# back makes the clone and its remote what they were at the start.
back() {
	git reset -q --hard "$start"
	git clean -q -f -d
	git push -q -f origin HEAD:main
	git tag | xargs -r git tag -d >/dev/null
	git -C "$remote" tag | xargs -r git -C "$remote" tag -d >/dev/null
}

mkdir "$clone"
git ls-files -z --cached --others --exclude-standard | tar --null -T - --ignore-failed-read -cf - 2>/dev/null | tar -xf - -C "$clone"
git init -q --bare -b main "$remote"
cd "$clone"
git init -q -b main
git remote add origin "$remote"
modules=$(cd tools && go run ./modproxy -checkout .. -check -list) || fail "others cannot install the modules"
version=$(echo "$modules" | sed -n '1s/.* //p')
path=$(echo "$modules" | sed -n '1s/^. \(.*\) .*/\1/p')
nested=$(echo "$modules" | sed -n '2,$s/ .*//p')
[ -n "$nested" ] || fail "there are no nested modules"
heading="## [${version#v}]"
sed -i "/^## \[${version#v}\]/d; 0,/^## \[Unreleased\]/s//&\n\n$heading - 2026-01-02/" CHANGELOG.md
printf '#!/bin/sh\nexit 0\n' >.ci/run # the real one runs this script
save "Start"
start=$(git rev-parse HEAD)

refused "usage:"
refused "usage:" --dryrun "$version"
refused "usage:" "$version" origin more
for wrong in "${version#v}" v1.2 v1.2.3.4 v01.2.3 v1.2.3+build "v1.2.3 " main; do
	refused "not a version: $wrong" "$wrong"
done

touch stray
refused "not committed" "$version"

git commit -q --allow-empty -m "Not pushed"
refused "main at origin is" "$version"

git commit -q --allow-empty -m "Later" && git push -q origin HEAD:main
refused "$start was tested, and what is checked out is" --tested "$start" "$version"

refused "CHANGELOG.md has no heading of 0.9.9 with a date" v0.9.9
sed -i "s/^\(## .${version#v}.\) .*/\1 - unreleased/" CHANGELOG.md && save "No date"
refused "CHANGELOG.md has no heading of ${version#v} with a date" "$version"

sed -i "0,/^## \[Unreleased\]/s//&\n\n## [0.9.9] - 2026-01-02/" CHANGELOG.md && save "Another version"
refused "the release is v0.9.9" v0.9.9
for one in $nested; do
	sed -i "s,\($path\) $version,\1 v0.0.1," "$one/go.mod" && save "Another root"
	refused "$one/go.mod requires $path v0.0.1: the release is $version" "$version"
	echo "replace $path => ../" >>"$one/go.mod" && save "Replace"
	refused "$one/go.mod has a replace" "$version"
	sed -i "s,^module .*,module $path/elsewhere," "$one/go.mod" && save "Another path"
	refused "$one/go.mod names the module $path/elsewhere" "$version"
	sed -i "/$(basename "$path") $version/d" "$one/go.mod" && save "No root"
	refused "$one/go.mod does not require $path" "$version"
	echo "$path $version h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" >>"$one/go.sum" && save "Own hash"
	refused "$one/go.sum has a line of $path" "$version"
	sed -i '/^replace/d' "$one/go.work" && save "No replace"
	refused "$one/go.work does not replace $path $version" "$version"
	git tag "$one/$version" && git commit -q --allow-empty -m "Later" && git push -q origin HEAD:main
	refused "the tag $one/$version is on another commit, $start" "$version"
	git push -q origin "$start:refs/tags/$one/$version" && git commit -q --allow-empty -m "Later" && git push -q origin HEAD:main
	refused "the tag $one/$version is on another commit, $start" "$version"
done

sed -i '/testify/d' go.mod && save "Untidy"
refused "scripts/tidy.sh -w ." --tested HEAD "$version"
echo "another text" >examples/quickstart/output.txt && save "No use"
refused "$path@$version cannot be used" --tested HEAD "$version"
printf '#!/bin/sh\nexit 1\n' >.ci/run && save "Failing"
refused ".ci/run has failed" "$version"
printf '#!/bin/sh\ntouch stray\n' >.ci/run && save "Writing"
refused ".ci/run has changed the work tree" "$version"

# Nothing is wrong. The remote notes each tag that it gets, and refuses the last one.
expected="refs/tags/$version$(printf "\nrefs/tags/%s/$version" $nested)"
last=$(echo "$expected" | tail -n 1)
printf '#!/bin/sh\n[ "$1" != "%s" ] || [ -e allowed ] || exit 1\necho "$1" >>tags\n' "$last" >"$remote/hooks/update"
chmod +x "$remote/hooks/update"

before=$(tags)
scripts/release --dry-run "$version" >"$scratch/out" 2>&1 || fail "the dry run has failed"
[ "$(tags)" = "$before" ] || fail "the dry run has tagged something"
[ "$(sed -n 's/^would tag /refs\/tags\//p' "$scratch/out")" = "$expected" ] || fail "the dry run prints other tags than $expected"

scripts/release "$version" >"$scratch/out" 2>&1 && fail "scripts/release did not fail, although the remote refused a tag"
touch "$remote/allowed"
scripts/release --tested HEAD "$version" >"$scratch/out" 2>&1 || fail "scripts/release cannot be run again"
grep -q -x "kept $version" "$scratch/out" || fail "scripts/release does not say which tags there were"
[ "$(cat "$remote/tags")" = "$expected" ] || fail "the remote got $(cat "$remote/tags")"
for tag in $expected; do
	[ "$(git -C "$remote" rev-parse "$tag^{commit}")" = "$start" ] || fail "$tag is on another commit"
	[ "$(git -C "$remote" cat-file -t "$tag")" = tag ] || fail "$tag is not an annotated tag"
done
echo "released: $expected" | xargs

grep '^installs:' "$scratch/out" >"$scratch/expected"
scripts/installs.sh "$remote" | tee "$scratch/tagged"
diff "$scratch/expected" "$scratch/tagged" || fail "the tags have other modules than the proxy in the file system"
