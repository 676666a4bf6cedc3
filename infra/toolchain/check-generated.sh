#!/bin/sh
# Runs every go:generate directive and fails if that changes a file: generated files must be committed unchanged.
set -eu

cd "$(dirname "$0")/../.."

sums() {
	find . -type d \( -name '.?*' -o -name bin -o -name dist -o -name ace-data \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
}

before=$(mktemp)
after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
sums >"$before"
go generate ./...
sums >"$after"
if ! diff "$before" "$after" >/dev/null; then
	echo "generated files were not current; they are now, look at them and commit them:" >&2
	diff "$before" "$after" | sed -n 's/^> [0-9a-f]*  /  /p' >&2
	exit 1
fi
