#!/bin/sh
# Installs pglogical for Debian's PostgreSQL servers, unless it is there. A test compares nodes that replicate with it.
set -eu

toolchain=$(dirname "$0")/../toolchain
for initdb in /usr/lib/postgresql/*/bin/initdb; do
	major=$(basename "$(dirname "$(dirname "$initdb")")")
	[ -x "$initdb" ] && [ ! -e "/usr/lib/postgresql/$major/lib/pglogical.so" ] || continue
	"$toolchain/apt-install.sh" "postgresql-$major-pglogical" ||
		echo "pglogical for PostgreSQL $major cannot be installed: the test that uses it will fail" >&2
done
