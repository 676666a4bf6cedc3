#!/bin/sh
# Installs curl and jq, which the commands of README.md use, if one is missing. Repeating it does nothing.
set -eu

command -v curl >/dev/null && command -v jq >/dev/null && exit 0

exec "$(dirname "$0")/apt-install.sh" curl jq
