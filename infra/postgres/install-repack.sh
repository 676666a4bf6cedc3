#!/bin/sh
# Installs pg_repack for Debian's PostgreSQL servers, unless it is there. A test runs it while tables are compared.
set -eu

toolchain=$(dirname "$0")/../toolchain
for initdb in /usr/lib/postgresql/*/bin/initdb; do
	bin=$(dirname "$initdb")
	[ -x "$initdb" ] && [ ! -x "$bin/pg_repack" ] || continue
	major=$(basename "$(dirname "$bin")")
	"$toolchain/apt-install.sh" "postgresql-$major-repack" ||
		echo "pg_repack for PostgreSQL $major cannot be installed: the tests that run it will fail" >&2
done
