#!/usr/bin/env bash
# console.sh deps|build: fetch what the web console is built and tested with, once for a
# lock file, into console/node_modules; or build console/dist, which is part of ecpd.
set -euo pipefail
cd "$(dirname "$0")/../console"

deps() {
	[[ node_modules/.package-lock.json -nt package-lock.json ]] && return # npm writes it last
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	touch node_modules/.package-lock.json
}

case ${1:-} in
deps)
	deps
	;;
build)
	deps
	npm run --silent check
	npm run --silent lint
	npm run --silent build
	;;
*)
	echo "usage: tools/console.sh deps|build" >&2
	exit 2
	;;
esac
