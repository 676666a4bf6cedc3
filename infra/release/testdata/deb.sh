# Installs the deb, runs the service as its unit does, compares a table as a user of the group, and removes it again.
# A line "## NAME" begins what a step prints; the test compares it.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec 2>&1
rm -f /var/lib/man-db/auto-update # indexing all manual pages takes seconds

echo "## install"
dpkg -i /mnt/ace.deb

echo "## modes"
stat -c '%n %a %U:%G' /etc/ace /etc/ace/clusters /etc/ace/environment /var/lib/ace /usr/bin/ace
echo "## user"
getent passwd ace | cut -d: -f1,6,7
echo "## version"
ace --version
echo "## files"
dpkg --verify ace-postgresql
bash -n /usr/share/bash-completion/completions/ace
gzip -cd /usr/share/man/man1/ace.1.gz | grep -c '^\.SS "ace '

install -m 0640 -g ace /mnt/demo.json /etc/ace/clusters/demo.json
echo ACE_RETENTION_DAYS=30 >>/etc/ace/environment
useradd --create-home --shell /bin/bash --groups ace alice

# What systemd does with the unit.
unit=/usr/lib/systemd/system/ace.service
setting() { sed -n "s/^$1=//p" $unit; }
install -d -o "$(setting User)" -g "$(setting Group)" -m "$(setting RuntimeDirectoryMode)" "/run/$(setting RuntimeDirectory)"
serve() {
	(
		umask "$(setting UMask)"
		cd /
		# shellcheck disable=SC2046 # the values contain no spaces
		exec setpriv --reuid "$(setting User)" --regid "$(setting Group)" --clear-groups --no-new-privs --bounding-set=-all \
			env -i $(setting Environment) $(grep -v '^#' /etc/ace/environment) $(setting ExecStart)
	) >/tmp/service.log 2>&1 &
	service=$!
	for _ in $(seq 200); do
		! curl -sf --unix-socket /run/ace/ace.sock http://localhost/readyz >/dev/null || return 0
		sleep 0.05
	done
	echo "the service is not ready" && cat /tmp/service.log && exit 1
}
serve

echo "## compare"
runuser -l alice -c 'ace table-diff demo public.users' || echo "status $?"
echo "## others"
runuser -u nobody -- ace tasks --server unix:///run/ace/ace.sock || echo "status $?"

echo "## again"
kill $service
wait $service || true
dpkg -i /mnt/ace.deb 2>&1 | grep -c 'write the definitions' || true
grep -c RETENTION_DAYS=30 /etc/ace/environment
serve
runuser -l alice -c 'ace diffs --json' | jq -r '.diffs[].verdict'
kill $service
wait $service || true

echo "## remove"
dpkg --remove ace-postgresql
echo "## purge"
dpkg --purge ace-postgresql
echo "## left"
find /etc/ace /var/lib/ace -type f | sed 's/[0-9]\{6,\}/N/g' | grep -E 'etc|diffs/.*json' | grep -v /sums/ | sort || true
ls -d /usr/bin/ace /usr/share/doc/ace-postgresql /etc/profile.d/ace.sh || true
