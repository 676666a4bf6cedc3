#!/bin/sh
# Installs the C compiler that Go's race detector needs, if there is none. Repeating it does nothing.
set -eu

echo '#include <stdlib.h>' | "${CC:-gcc}" -E - >/dev/null 2>&1 && exit 0

if ! command -v apt-get >/dev/null; then
	echo "install a C compiler with its headers first (go test -race needs one): apt-get is not available here" >&2
	exit 1
fi
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev
