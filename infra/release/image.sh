#!/bin/sh
# image.sh FROM TO writes the root file system of the container image to TO. FROM is the unpacked tar.gz of a release.
# The program is static and contains the time zones. It needs nothing else but the certificates.
set -eu

from=$1
to=$2
umask 022
mkdir -p "$to/usr/bin" "$to/usr/share/doc/ace-postgresql" "$to/etc/ssl/certs" "$to/etc/ace/clusters" "$to/var/lib/ace" "$to/tmp"
chmod 1777 "$to/tmp"
cp "$from/ace" "$to/usr/bin/ace"
cp "$from/LICENSE" "$from/THIRD_PARTY_LICENSES" "$to/usr/share/doc/ace-postgresql"
cp -L /etc/ssl/certs/ca-certificates.crt "$to/etc/ssl/certs/"
echo 'ace:x:65532:65532:ACE:/var/lib/ace:/usr/sbin/nologin' >"$to/etc/passwd"
echo 'ace:x:65532:' >"$to/etc/group"
