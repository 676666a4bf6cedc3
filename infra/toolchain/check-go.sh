#!/bin/sh
# Says in plain words when Go is missing or older than go.mod asks for; prints nothing when all is well.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
wanted=$(sed -n 's/^go //p' "$root/go.mod")

if ! command -v go >/dev/null; then
	echo "Go $wanted or newer is needed and there is no go in PATH or /usr/local/go/bin: see https://go.dev/doc/install" >&2
	exit 1
fi
# Asked in the module, Go names the version that would build it: since 1.21 an older Go fetches the one of go.mod. One
# that is told not to fetch, or is too old to read go.mod, gives an error instead.
found=$(cd "$root" && go env GOVERSION 2>/dev/null) || found=
found=${found#devel } # built from source: "devel go1.27-3ac6e5a Mon Jan 5 ..."
found=${found%% *}
if [ -n "$found" ] && printf '%s\n' "$wanted" "${found#go}" | sort -CV; then
	exit 0
fi
[ -n "$found" ] || found=$(cd / && go env GOVERSION)
echo "Go $wanted or newer is needed; $(command -v go) is $found: see https://go.dev/doc/install" >&2
exit 1
