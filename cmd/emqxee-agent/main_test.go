package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

func runs(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	null, openErr := os.Open(os.DevNull)
	require.NoError(t, openErr)
	defer func() { require.NoError(t, null.Close()) }()
	code = run(t.Context(), args, null, &out, &err, environ)
	return code, out.String(), err.String()
}

func TestSecretsInArguments(t *testing.T) {
	for _, row := range []struct {
		args string
		want string
	}{
		{"register --registration-token S1 --url u", "S1"},
		{"register --registration-token=S1 --emqx-dashboard-password=S2", "S1 S2"},
		{"register --emqx-api-secret S1 --emqx-api-key k", "S1"},
		{"register --registration-token-file name", ""},
		{"register --registration-token", ""},
		{"register --registration-token=", ""},
		{"register --registration-token a=b", "a=b"},
		{"register --proxy http://user:S1@proxy:3128 --url u", "http://user:S1@proxy:3128"},
		{"doctor --proxy=http://user:S1@proxy:3128", "http://user:S1@proxy:3128"},
		{"register --proxy http://proxy:3128", ""},
		{"register --url https://user:S1@host --emqx-api-url http://a", "https://user:S1@host"},
		{"register --emqx-dashboard-password --registration-token=x", "--registration-token=x x"},
	} {
		assert.Equal(t, row.want, strings.TrimSpace(strings.Join(secretsIn(strings.Fields(row.args)), " ")), row.args)
	}
}

func TestJoinBooleans(t *testing.T) {
	for _, row := range []struct{ args, want string }{
		{"register --emqx-log-collection-enabled true --url u", "register --emqx-log-collection-enabled=true --url u"},
		{"register --emqx-log-collection-enabled --url u", "register --emqx-log-collection-enabled --url u"},
		{"register --emqx-log-collection-enabled", "register --emqx-log-collection-enabled"},
		{"register --emqx-log-collection-enabled=false true", "register --emqx-log-collection-enabled=false true"},
		{"register --read-only Off --url u", "register --read-only=Off --url u"},
		{"register --read-only --url u", "register --read-only --url u"},
	} {
		assert.Equal(t, strings.Fields(row.want), joinBooleans(strings.Fields(row.args)))
	}
}

// Every flag for a secret is hidden, and has a variable that no child is given.
func TestSecretFlagsAreKnown(t *testing.T) {
	p := &program{}
	cmd := p.registerCommand()
	for _, flag := range secretFlags {
		assert.NotNil(t, cmd.Flags().Lookup(strings.TrimPrefix(flag, "--")), flag)
		assert.NotNil(t, cmd.Flags().Lookup(strings.TrimPrefix(flag, "--")+fileSuffix), flag)
	}
	left := withoutSecrets([]string{"PATH=/bin", "EMQXEE_AGENT_REGISTRATION_TOKEN=a",
		"EMQXEE_AGENT_EMQX_DASHBOARD_PASSWORD=b", "EMQXEE_AGENT_EMQX_API_SECRET=c", "EMQXEE_AGENT_PROXY=d",
		"EMQXEE_AGENT_HOME=/x"})
	assert.Equal(t, []string{"PATH=/bin", "EMQXEE_AGENT_HOME=/x"}, left)
}

func TestChooseHome(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root may write everywhere: what is not writable is a file in place of a directory")
	}
	none := func(string) {}
	dir := func(names ...string) func(string) {
		return func(root string) {
			for _, name := range names {
				require.NoError(t, os.MkdirAll(filepath.Join(root, name), 0o755))
			}
		}
	}
	for name, c := range map[string]struct {
		prepare func(root string)
		uid     int
		moved   bool
	}{
		"a host":                              {dir("opt"), 1000, false},
		"a host, as root":                     {dir("opt/emqx/data"), 0, false},
		"the container":                       {dir("opt-closed", "opt/emqx/data"), 1000, true},
		"the container, but it is there":      {dir("opt-closed", "opt/emqx/data", "opt/emqxee-agent"), 1000, false},
		"neither":                             {none, 1000, false},
		"somebody else's host without volume": {dir("opt-closed"), 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			c.prepare(root)
			closed := exists(filepath.Join(root, "opt-closed"))
			if closed && os.Geteuid() == 0 && c.moved {
				t.Skip("root may write everywhere: TestContainer covers this")
			}
			if closed {
				require.NoError(t, os.MkdirAll(filepath.Join(root, "opt"), 0o755))
				require.NoError(t, os.Chmod(filepath.Join(root, "opt"), 0o555))
			}
			got, moved := chooseHome(root, c.uid)
			assert.Equal(t, c.moved, moved)
			assert.Equal(t, filepath.Join(root, map[bool]string{true: home.Container, false: home.Default}[moved]), got)
		})
	}
}

func TestUsage(t *testing.T) {
	code, stdout, _ := runs(t, nil, "--help")
	require.Equal(t, exitDone, code)
	for _, word := range []string{"install", "register", "doctor", "data/identity.json", "Exit codes:",
		"/opt/emqx/data/emqxee-agent"} {
		require.Contains(t, stdout, word)
	}
	require.NotContains(t, stdout, "supervise")
	for _, row := range []struct{ args, says string }{
		{"", "a command is missing"},
		{"", "doctor      check each step"},
		{"regster", `there is no command "regster"`},
		{"regster", "Is emqxee-agent register meant?"},
		{"un-install", "Is emqxee-agent uninstall meant?"},
		{"stat", "Is emqxee-agent status meant?"},
		{"supervice", "--help lists the commands."},
		{"register --registation-token a", "Is --registration-token meant?"},
		{"register --token a", "Is --registration-token meant?"},
		{"register --emqx-log-collection-dri /x", "Is --emqx-log-collection-dir meant?"},
		{"status --jsn", "Is --json meant?"},
		{"register --emqx-log-collection-enabled=perhaps",
			`--emqx-log-collection-enabled is "perhaps": true or false is wanted`},
		{"run --log-level loud", `--log-level is "loud": has to be debug, info, warn or error`},
		{"status now", "takes flags only, and 1 word stands there besides"},
		{"register --nonsense", "unknown flag: --nonsense"},
		{"register", "--url is missing"},
		{"register --url http://example.com --registration-token a", "--url"},
		{"register --url https://example.com", "a registration token is missing"},
		{"register --url https://example.com --registration-token a --registration-token-file b",
			"one of them is enough"},
		{"register --url https://example.com --registration-token-file /nowhere", "/nowhere"},
		{"register --url https://example.com --registration-token a --ca-sha256 12", "64 hexadecimal digits"},
		{"register --url https://example.com --registration-token a --tunnel udp", "auto, direct or websocket"},
		{"register --url https://example.com --registration-token a --proxy socks5://x:1", "--proxy"},
		{"register --url https://example.com --registration-token a --emqx-dashboard-password b",
			"--emqx-dashboard-username"},
		{"register --url https://example.com --registration-token a --emqx-log-collection-dir logs",
			"not an absolute path"},
	} {
		code, _, stderr := runs(t, nil, strings.Fields(row.args)...)
		assert.Equal(t, exitUsage, code, "%s: %s", row.args, stderr)
		assert.Contains(t, stderr, row.says, row.args)
	}
}

// The version is printed where people ask for it first.
func TestVersionFlag(t *testing.T) {
	code, stdout, _ := runs(t, nil, "--version")
	require.Equal(t, exitDone, code)
	_, long, _ := runs(t, nil, "version")
	require.Equal(t, long, stdout)
}

// Every command says what it does and what its exit codes are.
func TestHelpTeaches(t *testing.T) {
	root := (&program{}).command()
	for _, cmd := range root.Commands() {
		if !cmd.IsAvailableCommand() {
			continue
		}
		assert.Contains(t, cmd.Long, "Exit codes:", cmd.Name())
		assert.Contains(t, cmd.Example, "emqxee-agent "+cmd.Name(), cmd.Name())
		assert.NotContains(t, cmd.Short, ".", cmd.Name())
	}
}

// What stands in the wrong place may be a secret: it is not repeated.
func TestUsageRepeatsNoSecret(t *testing.T) {
	for _, args := range [][]string{
		{"register", "canary-1"}, {"register", "--registration-token", "canary 1", "--url", "https://example.com"},
		{"register", "--url", "https://user:canary@example.com", "--registration-token", "a"},
		{"register", "--url", "https://example.com", "--registration-token", "a", "--proxy", "ftp://user:canary@proxy"},
		{"register", "--url", "https://example.com", "--registration-token", "a", "--emqx-dashboard-url",
			"http://user:canary@emqx"},
	} {
		code, stdout, stderr := runs(t, []string{"EMQXEE_AGENT_HOME=" + t.TempDir()}, args...)
		require.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		require.NotContains(t, stdout+stderr, "canary")
	}
}

func TestVariablesStandForFlags(t *testing.T) {
	_, _, stderr := runs(t, []string{"EMQXEE_AGENT_URL=https://example.com"}, "register")
	require.Contains(t, stderr, "a registration token is missing")
	_, _, stderr = runs(t, []string{"EMQXEE_AGENT_URL=https://example.com", "EMQXEE_AGENT_TUNNEL=udp",
		"EMQXEE_AGENT_REGISTRATION_TOKEN=a"}, "register")
	require.Contains(t, stderr, "auto, direct or websocket")
	_, _, stderr = runs(t, []string{"EMQXEE_AGENT_EMQX_LOG_COLLECTION_ENABLED=perhaps"}, "register")
	require.Contains(t, stderr,
		"EMQXEE_AGENT_EMQX_LOG_COLLECTION_ENABLED does not fit --emqx-log-collection-enabled: true or false is wanted")
	_, _, stderr = runs(t, []string{"EMQXEE_AGENT_REGISTRATION_TOKEN=a", "EMQXEE_AGENT_URL="}, "register",
		"--registration-token-file", "/nowhere", "--url", "https://example.com")
	require.Contains(t, stderr, "/nowhere", "a file that was named comes before the variable")
}

func TestExitCodeOfErrors(t *testing.T) {
	for _, row := range []struct {
		err  error
		code int
	}{
		{nil, exitDone},
		{errors.New("x"), exitFailed},
		{fmt.Errorf("x: %w", fs.ErrPermission), exitNotAllowed},
		{fmt.Errorf("x: %w", syscall.ENOSPC), exitFailed},
		{fmt.Errorf("x: %w", fail(exitUsage, "", "y")), exitUsage},
		{silent(exitNotRunning), exitNotRunning},
	} {
		var stderr bytes.Buffer
		assert.Equal(t, row.code, report(&stderr, row.err), "%v", row.err)
		assert.Equal(t, row.err == nil || errors.Is(row.err, errSilent), stderr.Len() == 0, stderr.String())
	}
}

func TestLogFileIsBounded(t *testing.T) {
	dir := home.Dir(t.TempDir())
	require.NoError(t, os.Mkdir(filepath.Join(string(dir), "log"), 0o700))
	l := newLogFile(dir)
	line := strings.Repeat("x", 1000)
	for range 3 * maxLog / len(line) {
		l.writeLine(line)
	}
	l.close()
	for _, name := range []string{dir.Log(), dir.Log() + ".1"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(maxLog))
	}
}

// Lines that could not be written are counted, and told when there is room again.
func TestLogFileCountsWhatIsLost(t *testing.T) {
	dir := home.Dir(t.TempDir())
	l := newLogFile(dir) // its directory is missing
	l.writeLine("one")
	l.writeLine("two")
	require.NoError(t, os.Mkdir(filepath.Join(string(dir), "log"), 0o700))
	l.writeLine("three")
	l.close()
	content, err := os.ReadFile(dir.Log())
	require.NoError(t, err)
	require.Equal(t, "(2 lines before this could not be written)\nthree\n", string(content))
}

func TestStatusInWords(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := agent.Status{
		Version: "v1.2.3", Home: "/opt/emqxee-agent", PID: 42, Started: now.Add(-3 * time.Hour),
		Phase: agent.PhaseConnected,
		Server: agent.ServerStatus{
			URL: "https://ecp.example.com", Agent: "a-1", Cluster: "site one", Carrier: agentproto.CarrierWebSocket,
			CarrierWhy: "TLS ends on the way", ClockSkewMS: -3600_000,
			TLS: agent.TLSStatus{Subject: "ecp.example.com", Issuer: "Example CA", NotAfter: now.AddDate(1, 0, 0)},
		},
		Broker: agent.BrokerStatus{DashboardURL: "http://127.0.0.1:18083", Version: "5.8.1", Edition: "enterprise",
			Node: "emqx@a", Credentials: `dashboard user "admin"`, RefusedSince: now.Add(-10 * time.Minute),
			NextTry: now.Add(5 * time.Minute)},
		Logs: agent.LogsStatus{Collect: true, Dir: "/opt/emqx/log"},
		Report: agent.ReportStatus{At: now.Add(-7 * time.Second),
			Errors: []agentproto.ReportError{{Stage: agentproto.StageNodeConnect, Code: agentproto.CodeAuthFailed,
				Message: "EMQX refuses the password"}}},
		Todo: []string{"run `emqxee-agent register …`"},
	}
	var out bytes.Buffer
	require.NoError(t, printStatus(&out, s, now))
	require.Equal(t, `Agent          runs, and is connected to its server (process 42, version v1.2.3, for 3 h 0 min)
Directory      /opt/emqxee-agent
Server         https://ecp.example.com
Registered as  a-1 for site one
Carrier        websocket, because TLS ends on the way
Certificate    ecp.example.com, from Example CA, until 2027-03-04
Clock          1 h 0 min behind the server's
EMQX           5.8.1, enterprise, node emqx@a, at http://127.0.0.1:18083
Credentials    dashboard user "admin", refused by EMQX for 10 min, tried again in 5 min
Dashboard      does not answer
Logs           collected from /opt/emqx/log
Last report    7s ago, not complete
Wrong:
  - nodeConnect: EMQX refuses the password
To do:
  - run `+"`emqxee-agent register …`"+`
`, out.String())
}

// What is to be done says what is wrong: it is not printed twice.
func TestStatusSaysItOnce(t *testing.T) {
	s := agent.Status{
		Phase:  agent.PhaseConnected,
		Server: agent.ServerStatus{Error: "no route"},
		Report: agent.ReportStatus{Errors: []agentproto.ReportError{{Stage: agentproto.StageNodeConnect,
			Message: "connection refused"}}},
		Problems: []string{"the log cannot be written"},
		Todo:     []string{"let EMQX run: connection refused", "the log cannot be written"},
	}
	require.Equal(t, []string{"server: no route"}, problems(s))
}

// Before an agent is registered nobody has given it credentials: that is no fault.
func TestDoctorBeforeRegistration(t *testing.T) {
	steps := []agentproto.CheckStep{{Name: "broker tcp", Err: "refused"},
		{Name: agent.StepLogin, Err: "no credentials", Hint: "register"}}
	notAskedForYet(steps)
	require.False(t, steps[0].OK)
	require.True(t, steps[1].OK)
	require.Contains(t, steps[1].Detail, "not tried")
}

func TestStatusCode(t *testing.T) {
	for _, row := range []struct {
		status agent.Status
		code   int
	}{
		{agent.Status{Phase: agent.PhaseConnected}, exitDone},
		{agent.Status{Phase: agent.PhaseConnected, Todo: []string{"x"}}, exitFailed},
		{agent.Status{Phase: agent.PhaseConnected, Report: agent.ReportStatus{Errors: make([]agentproto.ReportError,
			1)}},
			exitFailed},
		{agent.Status{Phase: agent.PhaseWaiting}, exitFailed},
		{agent.Status{Phase: agent.PhaseStopped}, exitNotRunning},
		{agent.Status{Phase: agent.PhaseUnregistered, Todo: []string{"x"}}, exitNotRunning},
	} {
		assert.Equal(t, row.code, statusCode(row.status), "%+v", row.status)
	}
}
