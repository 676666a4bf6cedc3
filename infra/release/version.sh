#!/bin/sh
# Prints the version of a commit, as the packages have it: that of its tag (v1.2.0), or the version before it with the
# number of commits since (v1.2.0+5.g0123456789ab; v0.0.0 if there is no tag). Packages order these by age.
set -eu

cd "$(dirname "$0")/../.."
if tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
	commits=$(git rev-list --count "$tag..HEAD")
else
	tag=v0.0.0
	commits=$(git rev-list --count HEAD)
fi
[ "$commits" -eq 0 ] || tag=$tag+$commits.g$(git rev-parse --short=12 HEAD)
[ -z "$(git status --porcelain --untracked-files=no)" ] || case $tag in
*+*) tag=$tag.changed ;;
*) tag=$tag+changed ;;
esac
echo "$tag"
