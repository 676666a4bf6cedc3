#!/bin/sh
# Installs the PostgreSQL majors that the tests need in addition to Debian's version, as npm packages under
# <root>/.cache/pg, unless they are there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/pg

# The lock file is written last: it marks a complete installation of exactly these versions.
cmp -s "$here/package-lock.json" "$cache/installed-lock.json" && exit 0
command -v npm >/dev/null || "$here/../toolchain/apt-install.sh" npm

rm -f "$cache/installed-lock.json"
mkdir -p "$cache"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$cache/"
(cd "$cache" && npm ci --ignore-scripts)

# npm takes the packages for this machine's architecture: there is one of each major, but none of 14 for arm64.
for major in 16 17 18; do
	if [ ! -d "$(echo "$cache"/node_modules/pg$major-*)" ]; then
		echo "there is no PostgreSQL $major for this machine ($(uname -m)) among the npm packages of $here/package.json" >&2
		exit 1
	fi
done
for package in "$cache"/node_modules/pg*; do
	# Packages cannot contain symbolic links: the package's script creates those of its shared libraries.
	(cd "$package" && node scripts/hydrate-symlinks.js)
	chmod -R u+rwX,go+rX "$cache" # the servers run as another user when the tests run as root
	"$package/native/bin/postgres" --version
done
cp "$here/package-lock.json" "$cache/installed-lock.json"
