#!/usr/bin/env bash
# test.sh FLAG...: run every test of the module, and of the test-only modules
# within, with the flags of go test. The suites on the test control plane need
# the right to route pod addresses: as root, else in a namespace of our own.
# Where neither goes, they are skipped and named; where one does, a skipped suite
# is a failure. What go test says of each package comes last.
set -euo pipefail
cd "$(dirname "$0")/.."

# Tests and tools alone need what these require, so the module does not.
modules=(. agentproto/bench emqxsim/contract httpapi/clienttest)
if [[ -n ${OPENECP_LONG:-} ]]; then
	modules+=(tools/dist)  # builds a whole release
	modules+=(tools/chart) # compiles Helm, which takes minutes, and installs the chart
fi

mkdir -p .cache
summary=$PWD/.cache/testsum
go build -buildvcs=false -o "$summary" ./tools/testsum

# make has seen to a browser where the whole is tested. What the console is tested with
# comes over the network, which there may not be any more below; Debian 12 has no node that
# is new enough, so the rest is tested without it.
if [[ " $* " != *" -short "* ]]; then
	export OPENECP_REQUIRE_BROWSER=1
	if tools/need.sh node && tools/console.sh deps; then
		export OPENECP_REQUIRE_NODE=1
	else
		echo "test: without node 20.19 or newer and npm's registry the tests of the web console are skipped" >&2
		export OPENECP_WITHOUT_NODE=1
	fi
fi

# Likewise the databases that Debian has.
if [[ " $* " != *" -short "* ]]; then
	if tools/need.sh postgres pgbouncer; then
		export OPENECP_REQUIRE_POSTGRES=1
	else
		echo "test: without PostgreSQL and PgBouncer the tests on them are skipped" >&2
	fi
fi

within=()
if [[ " $* " != *" -short "* ]]; then
	if ip link set dev lo up 2>/dev/null; then
		export OPENECP_REQUIRE_KUBELAB=1
	elif unshare -Urn ip link set dev lo up 2>/dev/null; then
		export OPENECP_REQUIRE_KUBELAB=1
		# No network in there: fetch and build first. What fails now fails again.
		# Its loopback is down at first; tests with servers need it.
		within=(unshare -Urn bash -c 'ip link set dev lo up && exec "$@"' within)
		for m in "${modules[@]}"; do
			go -C "$m" test "$@" -run '^$' ./... >/dev/null 2>&1 || true
		done
	else
		echo "test: neither root with CAP_NET_ADMIN nor unshare -Urn: the suites on the test control plane are skipped" >&2
	fi
	if [[ -n ${OPENECP_REQUIRE_KUBELAB:-} ]]; then
		# Alone: it takes both cores for minutes when nothing is cached.
		go run ./tools/kubebuild
	fi
fi

# The longest of all waits most of the time: it begins first, beside the others.
tests() {
	local failed=0 first
	for m in "${modules[@]}"; do
		first=()
		[[ $m != . ]] || first=(./k8sprovisioner)
		"${within[@]}" go -C "$m" test "$@" -json -shuffle=on -count=1 "${first[@]}" ./... || failed=1
	done
	return $failed
}
tests "$@" | "$summary"
