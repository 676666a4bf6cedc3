#!/bin/sh
# Installs the PostgreSQL servers that the tests, the demo and the benchmark start: Debian's `postgresql` package and
# PostgreSQL 18 as an npm package under <root>/.cache/pg18. Repeating it does nothing once both are there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/pg18
package=$cache/node_modules/pg18

apt_install() {
	if ! command -v apt-get >/dev/null; then
		echo "install $1 first: apt-get is not available here" >&2
		exit 1
	fi
	as_root=
	[ "$(id -u)" -eq 0 ] || as_root=sudo
	$as_root apt-get update
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"
}

ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || apt_install postgresql

# The installed lock file is written last: it stands for a complete installation of exactly these versions.
cmp -s "$here/package-lock.json" "$cache/installed-lock.json" && exit 0
command -v npm >/dev/null || apt_install npm

rm -f "$cache/installed-lock.json"
mkdir -p "$cache"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$cache/"
(cd "$cache" && npm ci --ignore-scripts)
# Packages cannot carry symbolic links: the package's own script makes those of its shared libraries.
(cd "$package" && node scripts/hydrate-symlinks.js)
# The servers run as another user when the tests run as root.
chmod -R u+rwX,go+rX "$cache"
"$package/native/bin/postgres" --version
cp "$here/package-lock.json" "$cache/installed-lock.json"
