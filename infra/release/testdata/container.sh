# Makes the root file system of the image with image.sh, as the Dockerfile does, and runs the service in it with the user,
# the variables and the command of the Dockerfile.
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec 2>&1

echo "## dockerfile"
grep -e ^ADD -e '^RUN /src' /mnt/Dockerfile

mkdir /tmp/src
tar -xzf /mnt/ace.tar.gz -C /tmp/src
sh /mnt/image.sh /tmp/src/ace-* /tmp/image

user=$(sed -n 's/^USER //p' /mnt/Dockerfile)
variables=$(sed -n 's/^ENV //p' /mnt/Dockerfile)
words() { sed -n "s/^$1 \[\"\(.*\)\"\]$/\1/p" /mnt/Dockerfile | sed 's/", "/ /g'; }
entrypoint=$(words ENTRYPOINT)
chown "$user" /tmp/image/var/lib/ace
mkdir /tmp/image/proc /tmp/image/run
mount -t proc proc /tmp/image/proc
# shellcheck disable=SC2086 # the values contain no spaces
container() { env -i $variables /usr/sbin/chroot --userspec="$user" --groups= /tmp/image $entrypoint "$@"; }

echo "## version"
container version
echo "## refused"
container $(words CMD) || echo "status $?"

mkdir /tmp/image/run/secrets
echo 0123456789abcdef0123456789abcdef >/tmp/token
install -m 0600 -o "${user%:*}" /tmp/token /tmp/image/run/secrets/ace_token
install -m 0644 /mnt/demo.json /tmp/image/etc/ace/clusters/demo.json
# Another service may use the port of the image on this machine.
variables=$(echo "$variables" | sed 's/0.0.0.0:5000/127.0.0.1:0/')
: >/tmp/service.log
container $(words CMD) >/tmp/service.log 2>&1 &
for _ in $(seq 200); do
	port=$(sed -n 's/.*"serving","address":"127.0.0.1:\([0-9]*\)".*/\1/p' /tmp/service.log)
	[ -z "$port" ] || break
	sleep 0.05
done
[ -n "$port" ] || { cat /tmp/service.log && exit 1; }

echo "## compare"
container table-diff demo public.users --server "http://127.0.0.1:$port" || echo "status $?"
echo "## user"
stat -c %u:%g /tmp/image/var/lib/ace/archive
