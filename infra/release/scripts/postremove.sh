#!/bin/sh
# Runs after the files were removed: dpkg calls it with "remove", later perhaps "purge", rpm with the number of versions
# that remain. It never removes the archive: documents and before-images exist only there.
set -e

case "${1-}" in
remove | purge | 0)
	if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	;;
esac
case "${1-}" in
purge | 0)
	for dir in /etc/ace/clusters /etc/ace; do
		if [ -d $dir ]; then rmdir --ignore-fail-on-non-empty $dir; fi
	done
	if [ -d /var/lib/ace ]; then
		echo "ace: the archive in /var/lib/ace, your files in /etc/ace and the user ace remain;" \
			"to delete them: rm -r /var/lib/ace /etc/ace && userdel ace"
	fi
	;;
esac
