#!/bin/sh
# Runs a command as root, through sudo where that is needed.
set -eu

[ "$(id -u)" -ne 0 ] || exec "$@"
if ! command -v sudo >/dev/null; then
	echo "you are not root and there is no sudo: run this as root: $*" >&2
	exit 1
fi
exec sudo "$@"
