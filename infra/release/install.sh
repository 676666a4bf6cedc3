#!/bin/sh
# Installs what the deb depends on, which the tests of this directory need. Repeating it does nothing.
set -eu

command -v systemd-sysusers >/dev/null && command -v systemd-tmpfiles >/dev/null && exit 0

exec "$(dirname "$0")/../toolchain/apt-install.sh" systemd-standalone-sysusers systemd-standalone-tmpfiles
