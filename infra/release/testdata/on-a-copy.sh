#!/bin/sh
# on-a-copy.sh INPUT SCRIPT runs a script of the directory INPUT, which is /mnt there, as root on a copy of this machine.
# The copy's changes are in memory. They end with the script, and so do its processes. The network is this machine's.
set -eu

if [ "${3-}" != inside ]; then
	exec unshare --mount --pid --fork --kill-child "$0" "$1" "$2" inside
fi

# An empty directory that exists everywhere; the mount is invisible outside of this script.
mount -t tmpfs -o mode=0755 copy /media
mkdir /media/changes /media/work /media/root
mount -t overlay -o lowerdir=/,upperdir=/media/changes,workdir=/media/work copy /media/root
cd /media/root
mount --bind /dev dev
mount -t tmpfs run run
mount -t tmpfs -o mode=1777 tmp tmp
mount -t proc proc proc
mount --bind "$1" mnt
exec chroot . /bin/sh -eu "/mnt/$2"
