#!/bin/sh
# Installs the PostgreSQL servers that the tests, the demo and the benchmark start: Debian's `postgresql` package,
# unless a server of any major is installed.
set -eu

ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0

toolchain=$(dirname "$0")/../toolchain
# By default the package starts a server on port 5432, now and at every boot.
"$toolchain/apt-install.sh" postgresql-common
"$toolchain/as-root.sh" sed -i -E 's/^#?(create_main_cluster).*/\1 = false/' /etc/postgresql-common/createcluster.conf
"$toolchain/apt-install.sh" postgresql
