#!/usr/bin/env bash
# agents.sh DIR [ARCH...]: build the agent for these architectures (amd64, arm,
# arm64 when none is named) into DIR, with SHA256SUMS. Static, and the same source
# makes the same bytes, wherever and whenever it is built with one version of Go.
set -euo pipefail

dir=${1:?agents.sh DIR [ARCH...]}
shift
arches=("$@")
((${#arches[@]})) || arches=(amd64 arm arm64)

# What the program says of itself comes from the commit, not from the clock. A tree
# that is no checkout has neither.
version=$(git describe --tags --always --dirty 2>/dev/null || true)
built=$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null || true)

mkdir -p "$dir"
for arch in "${arches[@]}"; do
	name=emqxee-agent-linux-$arch
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=6 GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false \
		-ldflags="-s -w -buildid= -X main.version=${version:-unknown} -X main.built=$built" -o "$dir/$name.new" ./cmd/emqxee-agent
	mv "$dir/$name.new" "$dir/$name" # never half a program under its name: it may be served meanwhile
done
cd "$dir"
sha256sum emqxee-agent-linux-{amd64,arm,arm64} 2>/dev/null >SHA256SUMS.new || [[ -s SHA256SUMS.new ]]
mv SHA256SUMS.new SHA256SUMS
cat SHA256SUMS
