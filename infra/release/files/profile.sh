# The commands of users in the group ace use the service of this machine.
if [ -z "${ACE_SERVER-}" ] && [ -w /run/ace/ace.sock ]; then
	export ACE_SERVER=unix:///run/ace/ace.sock
fi
