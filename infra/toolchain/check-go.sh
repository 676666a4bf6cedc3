#!/bin/sh
# Reports that Go is missing or older than go.mod requires. Prints nothing otherwise.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
wanted=$(sed -n 's/^go //p' "$root/go.mod")

if ! command -v go >/dev/null; then
	echo "Go $wanted or newer is needed and there is no go in PATH or /usr/local/go/bin: see https://go.dev/doc/install" >&2
	exit 1
fi
# In the module, Go prints the version that would build it: since 1.21 an older Go downloads that of go.mod. A Go that
# may not download, or is too old to read go.mod, prints an error instead.
found=$(cd "$root" && go env GOVERSION 2>/dev/null) || found=
found=${found#devel } # built from source: "devel go1.27-3ac6e5a Mon Jan 5 ..."
found=${found%% *}
if [ -n "$found" ] && printf '%s\n' "$wanted" "${found#go}" | sort -CV; then
	exit 0
fi
[ -n "$found" ] || found=$(cd / && go env GOVERSION)
echo "Go $wanted or newer is needed; $(command -v go) is $found: see https://go.dev/doc/install" >&2
exit 1
