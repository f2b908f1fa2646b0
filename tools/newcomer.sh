#!/usr/bin/env bash
# newcomer.sh: go a new user's way through a clean clone of this checkout's last commit, and
# print how many seconds each step takes: clone, make run, the lines that it prints, a cluster,
# an adopted one with an agent of its own, and an upgrade. It takes the port 18180 and 18083.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
run='' sim=''
finish() {
	[[ -z $run ]] || EMQXEE_AGENT_HOME=$dir/agent "$dir/openecp/bin/emqxee-agent" stop >/dev/null 2>&1 || true
	[[ -z $sim ]] || kill "$sim" 2>/dev/null || true
	[[ -z $run ]] || kill -- "-$run" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT

begin=$EPOCHREALTIME last=$EPOCHREALTIME
step() { # says how long it took since the step before
	local now=$EPOCHREALTIME
	awk -v a="$last" -v b="$now" -v all="$begin" -v what="$*" \
		'BEGIN { printf "%7.1f s  %-46s %7.1f s in all\n", b - a, what, b - all }'
	last=$now
}
until_says() { # until_says FILE TEXT
	for _ in {1..6000}; do
		! grep -q -- "$2" "$1" 2>/dev/null || return 0
		[[ -z $run ]] || kill -0 "$run" 2>/dev/null || break
		sleep 0.1
	done
	echo "not in $1: $2" >&2
	cat "$1" >&2
	return 1
}

git clone -q "$root" "$dir/openecp"
cd "$dir/openecp"
step clone

set -m # a process group of its own, so that all of it can be ended
make run >"$dir/run.log" 2>&1 &
run=$!
set +m
until_says "$dir/run.log" '^ecpd ready on http://127.0.0.1:18180$'
step 'make run: built, and the daemon is ready'
until_says "$dir/run.log" '^In a second terminal:$'
until_says "$dir/run.log" '  ecpctl cluster list --watch'
mapfile -t lines < <(sed -n '/^In a second terminal:$/,$ { s/^  //p; }' "$dir/run.log")
[[ ${#lines[@]} = 3 ]] || { printf 'make run prints other lines: %s\n' "${lines[@]}" >&2; exit 1; }
eval "${lines[0]}"
step 'the context of ecpctl, and three lines to go on'

eval "${lines[1]}" 2>"$dir/create.log" || { cat "$dir/create.log" >&2; exit 1; }
step "${lines[1]}"
eval "timeout 5 ${lines[2]}" >"$dir/watch.log" 2>&1 || [[ $? = 124 ]] || { cat "$dir/watch.log" >&2; exit 1; }
grep -q '^sensors .* running ' "$dir/watch.log"
step "${lines[2]}, looked at for 5 s"

go build -o bin/emqxsim ./emqxsim/cmd/emqxsim
bin/emqxsim --listen 127.0.0.1:18083 >"$dir/sim.log" 2>&1 &
sim=$!
step 'a simulated EMQX to adopt'
export EMQXEE_AGENT_HOME=$dir/agent
ecpctl cluster create plant --adopted 2>/dev/null
emqxee-agent start >/dev/null
emqxee-agent register --url http://127.0.0.1:18180 --emqx-dashboard-url http://127.0.0.1:18083 \
	--registration-token "$(ecpctl cluster setup plant -o jsonpath='{.token}')" >"$dir/register.log"
ecpctl wait plant --for running --timeout 2m
ecpctl cluster get plant -o jsonpath='{.status.state}' | grep -q '^running'
step 'adopted, with an agent of its own: running'

ecpctl catalog image create before --set reference=emqx/emqx-enterprise:5.8.8 --set version=5.8.8 2>/dev/null
ecpctl cluster create meters --nodes 3 --image before 2>/dev/null
step 'a cluster of three nodes of EMQX 5.8.8'
ecpctl cluster image meters emqx-ee-5.8.9 --yes >"$dir/upgrade.log" 2>&1 || { cat "$dir/upgrade.log" >&2; exit 1; }
ecpctl cluster list | grep -q '^meters .* running .* 3/3 .* 5\.8\.9 '
step 'upgraded to 5.8.9, node by node'
