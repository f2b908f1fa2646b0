package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// ownHost returns the flags with which unshare runs a program as if on a host of
// its own: mounts, network and processes, which end with it.
func ownHost(t *testing.T) []string {
	t.Helper()
	flags := []string{"-mnpf", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		flags = append([]string{"-Ur"}, flags...)
	}
	if out, err := exec.Command("unshare",
		append(flags, "ip", "link", "set", "lo", "up")...).CombinedOutput(); err != nil {
		t.Skipf("no namespaces of our own: %v %s", err, out)
	}
	return flags
}

// hostSetup makes a host without EMQX, systemd or anything installed, on which the
// daemon and a simulated EMQX run. Its variables are sim, agents and ecpd; args
// holds what the daemon is started with.
const hostSetup = `set -eu
ip link set lo up
mount -t tmpfs none /run
mkdir -p /opt && mount -t tmpfs none /opt
mount -t tmpfs none /usr/local/bin
daemon() { "$ecpd" serve --dev --agents-dir "$agents" $args >ecpd.out 2>>ecpd.err & pid=$!; }
daemon
"$sim" --listen 127.0.0.1:18083 >sim.out 2>sim.err &
n=0
until grep -q '^ecpd ready on ' ecpd.out && grep -q 18083 sim.out; do
	n=$((n+1)); if [ $n -gt 300 ]; then cat ecpd.out ecpd.err sim.out sim.err >&2; exit 1; fi; sleep 0.1
done
sudo() { "$@"; }
go() { echo "$goarch"; }
set +e
`

// onOwnHost runs a script of bash on a host of its own and returns what it printed.
func onOwnHost(t *testing.T, args, script string) string {
	t.Helper()
	flags := ownHost(t)
	agents, sim := processtest.Agents(t), processtest.Program(t, "./emqxsim/cmd/emqxsim")
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", append(flags, "bash", "-u")...)
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(hostSetup+script)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "ecpd=" + built(t), "agents=" + agents,
		"sim=" + sim, "args=" + args, "goarch=" + runtime.GOARCH, "self=" + self}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	daemon, _ := os.ReadFile(filepath.Join(cmd.Dir, "ecpd.err")) // for whoever looks for a cause
	t.Logf("%s%s\necpd:\n%s", &stdout, &stderr, daemon)
	require.NoError(t, err)
	return stdout.String()
}

// TestAdoptDocument runs the session of docs/adopt.md as it stands there: a
// newcomer's way from nothing to running, and back.
func TestAdoptDocument(t *testing.T) {
	const document = "docs/adopt.md"
	session := sessionOf(t, document)
	t.Parallel()
	printed := onOwnHost(t, "", session+"\n")
	keepsPromises(t, document, session, printed)
	require.Contains(t, printed, "emqxee-agent: OK", "the checksum was compared")
}

// adoptSession is what a person does who has nothing but the guide, over TLS with
// an authority that no host knows; the guide's commands are run by the shell of
// EMQX's container, as its user.
const adoptSession = `
api=https://127.0.0.1:18180/api/v1
call() { curl -sS --fail-with-body --cacert .cache/dev/tls/ca.pem -H "Authorization: Bearer $(cat .cache/dev/token)" "$@"; }
commands() { sed -n 's/^ *"command": "\(.*\)"$/\1/p' | sed 's/\\"/"/g' | while IFS= read -r c; do printf '%b\n' "$c"; done; }
state() { call $api/clusters/$id | sed -n 's/^ *"state": "\(.*\)",$/\1/p' | sed -n 1p; }
await() { n=0; until [ "$(state)" = "$1" ]; do n=$((n+1)); if [ $n -gt 60 ]; then echo "it is not $1:"; call $api/clusters/$id/explain; call $api/clusters/$id/agents; exit 1; fi; sleep 0.5; done; echo "state $1"; }
as() { if [ "$(id -u)" = 0 ] && setpriv --reuid 1000 --regid 1000 --clear-groups true 2>/dev/null; then setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; else "$@"; fi; }
mkdir -p /opt/emqx/data && chmod 777 /opt/emqx/data
id=$(call $api/clusters --json '{"mode": "adopted", "name": "plant"}' | grep -o 'emqx-[0-9a-f]\{8\}' | sed -n 1p)
await created
call $api/clusters/$id/setup --json '{"method": "container", "arch": "'$goarch'"}' >guide.json || exit 1
commands <guide.json >guide.sh
chmod 644 guide.sh
as dash guide.sh || exit 1
await running
call $api/clusters/$id/agents
agent=$(call $api/clusters/$id/agents | grep -o 'agt-[0-9a-f]\{16\}' | sed -n 1p)
call -X PATCH $api/clusters/$id --json '{"name": "plant two", "description": "while an agent is connected"}' >/dev/null
await running
call -o /dev/null -w 'HTTP %{http_version} for people\n' $api/clusters

# A restart: agents are told, the end is quick, and they are back by themselves.
began=$(date +%s); kill -TERM $pid; wait $pid; echo "ended with $? $(( $(date +%s) - began < 15 ))"
daemon
n=0; until call $api/clusters/$id/agents 2>/dev/null | grep -q '"connected": true'; do n=$((n+1)); [ $n -lt 80 ] || exit 1; sleep 0.5; done
echo "connected again"
await running

call -X DELETE $api/clusters/$id/agents/$agent
await created
as dash -c 'cd /opt/emqx/data/emqxee-agent && EMQXEE_AGENT_HOME=$PWD ./emqxee-agent status'
echo "status $?"
call -X DELETE $api/clusters/$id >/dev/null
n=0; while call -o /dev/null $api/clusters/$id 2>/dev/null; do n=$((n+1)); [ $n -lt 60 ] || exit 1; sleep 0.5; done
echo "deleted"
token=$(sed -n 's/^ *"token": "\(.*\)",$/\1/p' guide.json)
[ -n "$token" ] || exit 1
grep -r "$token" ecpd.out ecpd.err .cache /opt/emqx/data && echo "the token is stored"
echo "end"
`

// TestAdopt is the product's main promise for clusters that are there already.
func TestAdopt(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the agent; run without -short")
	}
	t.Parallel()
	printed := onOwnHost(t, "--tls-auto", adoptSession)
	at := 0
	for _, want := range []string{
		"state created\n", "emqxee-agent: OK\n", "Registered as agent", "state running\n", `"node": "emqx@sim-1"`,
		`"connected": true`, `"carrier": "direct"`,
		"state running\n", "HTTP 2 for people\n", "ended with 0 1\n", "connected again\n", "state running\n",
		"state created\n", "status 1\n", "deleted\n", "end\n",
	} {
		i := strings.Index(printed[at:], want)
		require.GreaterOrEqual(t, i, 0, "%q does not come after\n%s", want, printed[:at])
		at += i + len(want)
	}
	require.NotContains(t, printed, "the token is stored")
}
