#!/bin/sh
# Installs Debian packages.
set -eu

if ! command -v apt-get >/dev/null; then
	echo "there is no apt-get here: install $* yourself, then try again" >&2
	exit 1
fi
as_root=$(dirname "$0")/as-root.sh
"$as_root" apt-get update
"$as_root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
