#!/usr/bin/env bash
# run.sh ARG...: run golangci-lint at the version tools/lint/go.mod pins. It is
# built once for that version and this Go, into the cache outside the tree.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${OPENECP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openecp}
key=$( (go env GOVERSION GOOS GOARCH && cat "$here/go.mod" "$here/go.sum") | sha256sum | cut -c1-16)
bin=$cache/golangci-lint-$key

if [[ ! -x $bin ]]; then
	echo "lint: building golangci-lint into $bin; once, for a few minutes" >&2
	mkdir -p "$cache"
	CGO_ENABLED=0 GOFLAGS= GOWORK=off go -C "$here" build -trimpath -ldflags='-s -w' -o "$bin.$$" \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	mv "$bin.$$" "$bin"
fi
exec "$bin" "$@"
