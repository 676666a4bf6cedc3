#!/bin/sh
# Builds the packages of a release into a directory (dist/release): for each architecture a tar.gz, a deb, an rpm and a
# list of what the program is made of (SBOM), and SHA256SUMS over all. The same commit gives the same bytes.
#
#   VERSION            such as v1.2.0; the default is that of the commit, see version.sh
#   ARCHES             "amd64 arm64"
#   SOURCE_DATE_EPOCH  the time in the packages, in seconds since 1970; the default is that of the commit
#   MAINTAINER         the maintainer in the packages, as "Name <address>"
set -eu

cd "$(dirname "$0")/../.."
mkdir -p "${1:-dist/release}"
out=$(cd "${1:-dist/release}" && pwd)
export VERSION="${VERSION:-$(infra/release/version.sh)}"
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
export CGO_ENABLED=0 GOOS=linux GOFLAGS='-trimpath -tags=urfave_cli_no_template' LC_ALL=C TZ=UTC
export MAINTAINER="${MAINTAINER:-ACE maintainers <maintainers@example.org>}"
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
host=$(go env GOHOSTARCH)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

build() { # ARCH FILE
	if [ "$1" = "$host" ] && [ -e "$work/ace" ]; then
		cp "$work/ace" "$2"
		return
	fi
	GOARCH=$1 go build -buildvcs=false -ldflags "-s -w -X main.release=$VERSION -X main.releaseCommit=$commit" -o "$2" ./local
}

# The parts that are the same for all architectures are made by the program itself, without a variable of this shell.
build "$host" "$work/ace"
ace() { env -i "$work/ace" "$@"; }
common=$work/common
mkdir -p "$common/completions" "$common/docs"
ace man >"$common/ace.1"
for shell in bash zsh fish; do ace completion $shell >"$common/completions/ace.$shell"; done
cp README.md CHANGELOG.md LICENSE infra/roles.sql testdata/clusters/demo.json infra/systemd/* "$common"
cp infra/monitoring/alerts.yml infra/monitoring/dashboard.json "$common"
find docs -maxdepth 1 -type f -exec cp -t "$common/docs" {} +
cp -r infra/release/files infra/release/scripts "$common"
gzip -9n <"$common/ace.1" >"$common/ace.1.gz"
gzip -9n >"$common/changelog.gz" <<END # Debian's own format; CHANGELOG.md is in the package too
ace-postgresql ($(echo "${VERSION#v}" | sed 's/-/~/')) unstable; urgency=medium

  * See /usr/share/doc/ace-postgresql/CHANGELOG.md.

 -- $MAINTAINER  $(date -Rud "@$SOURCE_DATE_EPOCH")
END

go build -modfile=tools/release.mod -o "$work/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm
go build -o "$work/components" ./infra/release/components
rm -f "$out"/ace-* "$out/SHA256SUMS"
for ARCH in ${ARCHES:-amd64 arm64}; do
	export ARCH
	name=ace-$VERSION-linux-$ARCH
	dir=$work/$name
	cp -r "$common" "$dir"
	build "$ARCH" "$dir/ace"
	"$work/components" "$dir/ace" "$VERSION" "$out/$name.cdx.json" "$dir/THIRD_PARTY_LICENSES"
	gzip -nk "$dir/THIRD_PARTY_LICENSES"

	chmod -R u=rwX,go=rX "$dir"
	find "$dir" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	for format in deb rpm; do
		(cd "$dir" && "$work/nfpm" package -f "$OLDPWD/infra/release/nfpm.yaml" -p $format -t "$out/$name.$format")
	done
	rm -r "$dir"/*.gz "$dir/scripts"
	touch -d "@$SOURCE_DATE_EPOCH" "$dir"
	tar -C "$work" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner -cf "$out/$name.tar" "$name"
	gzip -n "$out/$name.tar"
done
cd "$out" && sha256sum ace-* >SHA256SUMS && cat SHA256SUMS
