# shellcheck shell=sh
# Source this file at the root of a checkout. Then the go command sees the modules that others install as they will be
# published: from a module proxy in the file system, made of the checkout ($checkout, or the current directory).
# tools/modproxy says which modules and which version these are. Everything else comes from the module cache, and
# otherwise from where it always comes from. The caller's module cache gets none of it.
#
# It sets $modules, with the lines "folder path version", and $scratch, a folder that is removed on exit.

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
(cd tools && go build -o "$scratch/modproxy" ./modproxy)
"$scratch/modproxy" -checkout "${checkout:-.}" "$scratch/proxy"
modules=$("$scratch/modproxy" -checkout "${checkout:-.}" -list)
root=$(echo "$modules" | sed -n '1s/^[^ ]* \([^ ]*\) .*/\1/p')
version=$(echo "$modules" | sed -n '1s/.* //p')
[ -n "$root" ] && [ -n "$version" ]

GOPROXY="file://$scratch/proxy,file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)"
GOMODCACHE="$scratch/modcache"
GONOSUMDB="$root,$root/*"
GOFLAGS="$(go env GOFLAGS) -modcacherw -trimpath" # without -trimpath, cached packages would depend on the path of $scratch
GOWORK=off
export GOPROXY GOMODCACHE GONOSUMDB GOFLAGS GOWORK
