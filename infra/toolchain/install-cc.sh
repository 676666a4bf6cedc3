#!/bin/sh
# Installs the C compiler that Go's race detector needs, unless there is one.
set -eu

echo '#include <stdlib.h>' | "${CC:-gcc}" -E - >/dev/null 2>&1 && exit 0

exec "$(dirname "$0")/apt-install.sh" gcc libc6-dev
