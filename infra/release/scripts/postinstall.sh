#!/bin/sh
# Runs after an installation or upgrade: dpkg calls it with "configure", rpm with the number of installed versions.
set -e

# The user may be on a host without a running systemd, such as an image that is being built.
systemd-sysusers ace.conf
systemd-tmpfiles --create ace.conf

upgrade=no
case "${1-}" in
configure) [ -z "${2-}" ] || upgrade=yes ;;
[2-9]*) upgrade=yes ;;
esac

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# A running service resumes its tasks with the new version.
	[ "$upgrade" = no ] || systemctl try-restart ace.service
fi
if [ "$upgrade" = no ]; then
	echo "ace: write the definitions of your clusters to /etc/ace/clusters (examples: /usr/share/doc/ace-postgresql/examples)," \
		"then: systemctl enable --now ace"
fi
