package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// guideHost is one host of TestGuideOnEveryHost: a script of testdata/hosts, and what
// has to be printed there, in this order.
type guideHost struct {
	name     string
	alone    bool   // its network has no way out but a proxy's
	script   string // "" = its name
	emulator string // that its agent needs
	prints   []string
}

var guideHosts = []guideHost{
	{name: "v5", prints: []string{
		"closed from outside", "emqxee-agent: OK", "nothing starts it after a reboot", "waits to be registered",
		"Registered as agent", "The agent is connected (direct).", "state running",
		`"node":"emqx@sim-1" "connected":true "carrier":"direct"`, "The agent is stopped.", "does not run",
		"The agent does not run.", "The agent runs as process", `"connected":true`, "state created", "end",
	}},
	{name: "v44", prints: []string{"read /opt/emqx/etc/plugins/emqx_dashboard.conf", "Registered as agent",
		"state running", `"connected":true`, "4.4.24", "end"}},
	{name: "short", prints: []string{
		"is signed by nobody that this host trusts", "--ca-sha256 that the cluster's setup page shows",
		"the user that EMQX comes with", "Registered as agent", "The agent is connected (direct).", "state running",
		"end",
	}},
	{name: "container", prints: []string{"emqxee-agent: OK", "The agent runs as process", "Registered as agent",
		"state running", `"connected":true`, "/opt/emqx/data/emqxee-agent", "The agent runs as process",
		`"connected":true`, "end"}},
	{name: "nocurl", prints: []string{"emqxee-agent: OK", "Registered as agent", "state running", `"connected":true`,
		"end"}},
	{name: "site", alone: true, prints: []string{
		"unreachable", "The proxy of this shell's environment is kept", "Registered as agent", "state running",
		`"connected":true`, "--proxy", "Registered as agent", "connected by --proxy", "settings 600",
		"settings 600",
		"It does not accept the user and password", "It wants a user and a password", "end",
	}},
	{name: "front", prints: []string{
		"Registered as agent", "The agent is connected (websocket).", "state running", `"carrier":"websocket"`,
		"websocket, because TLS did not select openecp/1: something between agent and server ends TLS",
		"FAIL  alpn", "end",
	}},
	{name: "arm", script: "emulated", emulator: "qemu-arm",
		prints: []string{"emqxee-agent: OK", "linux/arm", "Registered as agent", "state running", `"connected":true`,
			"end"}},
	{name: "arm64", script: "emulated", emulator: "qemu-aarch64",
		prints: []string{"emqxee-agent: OK", "linux/arm64", "Registered as agent", "state running", `"connected":true`,
			"end"}},
}

// available reports whether a host's agent can run here.
func (h guideHost) available() bool {
	_, err := exec.LookPath(h.emulator)
	return h.emulator == "" || err == nil
}

// networkOf is the script that runs these hosts side by side.
func networkOf(hosts []guideHost) string {
	var b strings.Builder
	b.WriteString(". \"$here/net.sh\"\n")
	for i, h := range hosts {
		alone := map[bool]string{true: " alone"}[h.alone]
		fmt.Fprintf(&b, "host %s %d%s\n", h.name, i+10, alone)
	}
	b.WriteString("jobs=\n")
	for _, h := range hosts {
		fmt.Fprintf(&b, "run %s %s & jobs=\"$jobs $!\"\n", h.name, h.script)
	}
	return b.String() + "wait $jobs\n"
}

// TestGuideOnEveryHost pastes the guide on hosts that can only dial out: with EMQX 5
// and 4.4, in EMQX's own container, behind a proxy that wants a password, before a
// server whose TLS ends at a proxy, and on other machines.
func TestGuideOnEveryHost(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the agent; run without -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("hosts with networks of their own need root's rights; run the tests as root")
	}
	t.Parallel()
	flags := ownHost(t)
	if out, err := exec.Command("unshare", "-n", "iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate",
		"ESTABLISHED", "-j", "ACCEPT").CombinedOutput(); err != nil {
		t.Skipf("hosts that let nothing in need iptables (apt-get install iptables) and its conntrack: %v %s", err, out)
	}
	agents, sim := processtest.Agents(t), processtest.Program(t, "./emqxsim/cmd/emqxsim")
	var hosts []guideHost
	for _, h := range guideHosts {
		if h.available() {
			hosts = append(hosts, h)
		}
		if h.available() && h.emulator != "" {
			processtest.Agents(t, h.name) // in the same directory
		}
	}
	here, err := filepath.Abs("testdata/hosts")
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", append(flags, "bash", "-u")...)
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(networkOf(hosts))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "ecpd=" + built(t), "agents=" + agents,
		"sim=" + sim, "way=" + self, "here=" + here, "program=" + runtime.GOARCH}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, 5*time.Second
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	for _, h := range guideHosts {
		t.Run(h.name, func(t *testing.T) {
			if !h.available() {
				t.Skipf("%s is not here: apt-get install qemu-user", h.emulator)
			}
			h.check(t, cmd.Dir)
		})
	}
	if t.Failed() {
		for _, name := range []string{"direct.log", "behind.log"} {
			log, _ := os.ReadFile(filepath.Join(cmd.Dir, name))
			t.Logf("%s:\n%s", name, log)
		}
	}
}

// check compares what a host printed.
func (h guideHost) check(t *testing.T, dir string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, h.name+".out"))
	require.NoError(t, err)
	printed, at := string(content), 0
	for _, want := range h.prints {
		i := strings.Index(printed[at:], want)
		if i < 0 {
			t.Logf("%s", printed)
		}
		require.GreaterOrEqual(t, i, 0, "%q does not come after\n%s", want, printed[:at])
		at += i + len(want)
	}
	assert.NotContains(t, printed, "FAILED")
	assert.NotContains(t, printed, "canary-proxy", "the proxy's password")
}
