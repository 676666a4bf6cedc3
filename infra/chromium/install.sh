#!/bin/sh
# Installs the browser that the tests of HTML renderings use, and fonts for it, unless it is there.
set -eu

command -v chromium >/dev/null && exit 0

if ! command -v apt-get >/dev/null; then
	echo "install chromium first: apt-get is not available here" >&2
	exit 1
fi
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-liberation
