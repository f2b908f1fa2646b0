#!/usr/bin/env bash
# dev-context.sh DIR: when the daemon of `make run` answers, whose data is in DIR, make a
# context of it for ecpctl and say how to go on. Says nothing if it does not come to that.
set -euo pipefail

dir=$(mkdir -p "$1" && cd "$1" && pwd)
bin=$(cd "$(dirname "$0")/../bin" && pwd)
export ECPCTL_CONFIG=$dir/ecpctl.yaml
"$bin/ecpctl" context set dev --server http://127.0.0.1:18180 --token-file "$dir/token" 2>/dev/null || exit 0
for _ in {1..50}; do
	if "$bin/ecpctl" whoami >/dev/null 2>&1; then
		printf '\nIn a second terminal:\n  export ECPCTL_CONFIG=%q PATH=%q:$PATH\n' "$ECPCTL_CONFIG" "$bin"
		printf '  ecpctl cluster create sensors --nodes 3\n  ecpctl cluster list --watch\n\n'
		exit 0
	fi
	sleep 0.2
done
