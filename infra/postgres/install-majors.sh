#!/bin/sh
# Installs the PostgreSQL majors that the tests need in addition to Debian's version, as npm packages under
# <root>/.cache/pg, unless they are there. The packages are required, not optional, and there is a list for each
# architecture: npm does not report an optional package that it cannot download.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/pg

case $(uname -m) in
x86_64) list=$here/x64 ;;
aarch64) list=$here/arm64 ;; # there is no PostgreSQL 14 for it
*)
	echo "there are no npm packages of PostgreSQL for this machine ($(uname -m)): name your installations in ACE_PG_BINDIRS" >&2
	exit 1
	;;
esac

# The lock file is written last: it marks a complete installation of exactly these versions.
cmp -s "$list/package-lock.json" "$cache/installed-lock.json" && exit 0
command -v npm >/dev/null || "$here/../toolchain/apt-install.sh" npm

rm -f "$cache/installed-lock.json"
mkdir -p "$cache"
cp "$list/package.json" "$list/package-lock.json" "$here/.npmrc" "$cache/"

attempts=3
attempt=1
until (cd "$cache" && npm ci --ignore-scripts); do
	if [ "$attempt" -eq "$attempts" ]; then
		echo "the packages of $list/package.json cannot be installed after $attempts attempts: npm states the reason above" >&2
		exit 1
	fi
	attempt=$((attempt + 1))
	echo "attempt $attempt of $attempts to install the packages of $list/package.json follows" >&2
	sleep 5
done

for package in "$cache"/node_modules/pg*; do
	# Packages cannot contain symbolic links: the package's script creates those of its shared libraries.
	(cd "$package" && node scripts/hydrate-symlinks.js)
	chmod -R u+rwX,go+rX "$cache" # the servers run as another user when the tests run as root
	"$package/native/bin/postgres" --version
done
cp "$list/package-lock.json" "$cache/installed-lock.json"
