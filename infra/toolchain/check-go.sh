#!/bin/sh
# Says in plain words when Go is missing or older than go.mod asks for; prints nothing when all is well.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
wanted=$(sed -n 's/^go //p' "$root/go.mod")

if ! command -v go >/dev/null; then
	echo "Go $wanted or newer is needed and there is no go in PATH or /usr/local/go/bin: see https://go.dev/doc/install" >&2
	exit 1
fi
# In a directory without go.mod: an old Go gives up on a go.mod that it is too old to read, before it tells its version.
found=$(cd / && go env GOVERSION)
found=${found%% *}
if printf '%s\n' "$wanted" "${found#go}" | sort -CV; then
	exit 0
fi
# Since 1.21 an older Go fetches the one that go.mod names, unless it is told not to.
if (cd "$root" && go version) >/dev/null 2>&1; then
	exit 0
fi
echo "Go $wanted or newer is needed; $(command -v go) is $found: see https://go.dev/doc/install" >&2
exit 1
