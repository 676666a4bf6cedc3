#!/bin/sh
# Builds the MinIO server that the archive tests run against, once, into <root>/.cache/bin/minio.
# Takes 3 to 5 minutes on two cores; does nothing if that version is there. The variable ACE_MINIO, which
# may name another binary, is read by the tests and not by this script.
set -eu

version=v0.0.0-20260212201848-7aac2a2c5b7c
bin=$(cd "$(dirname "$0")/../.." && pwd)/.cache/bin

if [ -x "$bin/minio" ] && go version -m "$bin/minio" | grep -q "github.com/minio/minio[[:space:]]$version"; then
	exit 0
fi
mkdir -p "$bin"
# Outside the module, so that MinIO is built with its own dependencies.
cd "$bin"
GOBIN=$bin GOFLAGS=-trimpath CGO_ENABLED=0 go install "github.com/minio/minio@$version"
