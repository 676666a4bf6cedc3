#!/bin/sh
# Unpacks the Prometheus server and promtool of Debian's package into <root>/.cache/prometheus, unless they are
# there. The package is not installed: its service would start, now and at every boot.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache
[ ! -x "$cache/prometheus/usr/bin/promtool" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "there is no apt-get here: put prometheus and promtool into $cache/prometheus/usr/bin yourself, then try again" >&2
	exit 1
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/prometheus.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$here/../toolchain/as-root.sh" apt-get update
(cd "$work" && apt-get -o APT::Sandbox::User=root download prometheus)
dpkg-deb -x "$work"/prometheus_*.deb "$work/unpacked"
chmod 755 "$work/unpacked"
rm -rf "$cache/prometheus"
mv "$work/unpacked" "$cache/prometheus"
