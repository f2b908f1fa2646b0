#!/usr/bin/env bash
# need.sh [--if-possible] TOOL...: check that what a make target calls is there. Missing
# Debian packages are installed when we are root on Debian, else one line names them, and
# it fails. With --if-possible it does not: then tests are skipped and say so.
set -euo pipefail

optional=
if [[ ${1:-} == --if-possible ]]; then
	optional=1
	shift
fi
declare -A package=([gcc]="gcc libc6-dev" [ip]="iproute2" [curl]="curl" [chromium]="chromium" [iptables]="iptables" [node]="nodejs npm" [debootstrap]="debootstrap" [rpm]="rpm" [nginx]="nginx-light" [haproxy]="haproxy" [postgres]="postgresql" [pgbouncer]="pgbouncer")
declare -A reason=([gcc]="the race detector is linked with it" [ip]="routes pods of the test control plane" [curl]="a test runs README's session" [chromium]="a test opens the page of the API in it" [iptables]="hosts of tests let nothing in" [node]="the web console is built and tested with it" [debootstrap]="packages are installed in a fresh Debian" [rpm]="packages of RPM are looked into and installed" [nginx]="a daemon is tested behind it" [haproxy]="a daemon is tested behind it" [postgres]="tests keep databases on it" [pgbouncer]="tests reach databases through it")

node_new_enough() {
	local major minor
	IFS=. read -r major minor _ < <(node --version | tr -d v)
	((major > 20 || major == 20 && minor >= 19))
}

# present TOOL: it is there, and new enough to be of use.
present() {
	if [[ $1 == postgres ]]; then # Debian's is on no PATH
		compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || command -v postgres >/dev/null
		return
	fi
	PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || return 1
	[[ $1 == node ]] || return 0
	command -v npm >/dev/null || return 1
	node_new_enough && return 0
	echo "need: node is $(node --version), and the console needs 20.19 or newer: https://nodejs.org" >&2
	exit 1
}

missing=()
for tool in "$@"; do
	if present "$tool"; then
		continue
	fi
	if [[ $tool == go ]]; then
		echo "need: go is missing; install Go 1.26 or newer (https://go.dev/dl/) and put it on PATH" >&2
		exit 1
	fi
	echo "need: $tool is missing (${reason[$tool]})" >&2
	read -ra names <<<"${package[$tool]}"
	missing+=("${names[@]}")
done
if ((${#missing[@]} == 0)); then
	exit 0
fi
if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
	echo "need: install it, on Debian: sudo apt-get install ${missing[*]}" >&2
	[[ -n $optional ]] || exit 1
	exit 0
fi
echo "need: installing ${missing[*]}" >&2
apt-get update -qq >&2
# RUNLEVEL keeps servers among them from being started.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
for tool in "$@"; do
	present "$tool" || exit 1 # Debian's own may be too old
done
