#!/bin/sh
# Runs before the files are removed: dpkg calls it with "remove" or "upgrade", rpm with the number of versions that remain.
set -e

case "${1-}" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl --no-reload disable --now ace.service
	elif command -v systemctl >/dev/null; then
		systemctl disable ace.service >/dev/null 2>&1 || true
	fi
	;;
esac
