package main_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/processtest"
)

// These tests run the built program as its users do: as a process, over HTTP,
// with signals.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(processtest.Exit)) }

// command prepares a call of the program.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(processtest.Program(t, "./emqxsim/cmd/emqxsim"), args...)
}

// listener is one line of what the program prints.
type listener struct{ node, what, url, user, password string }

// running is a started program with the lines it printed.
type running struct {
	*processtest.Process
	listeners []listener
}

// start runs the program and reads as many lines.
func start(t *testing.T, lines int, args ...string) *running {
	t.Helper()
	r := &running{Process: processtest.Start(t, command(t, args...))}
	for _, line := range r.Lines(t, lines) {
		f := strings.Fields(line)
		require.Len(t, f, 4, line)
		user, password, _ := strings.Cut(f[3], ":")
		r.listeners = append(r.listeners, listener{f[0], f[1], f[2], user, password})
	}
	return r
}

// stop sends a signal and returns the exit code.
func (r *running) stop(t *testing.T, s syscall.Signal) int {
	t.Helper()
	r.Signal(t, s)
	return r.Wait(t, 10*time.Second)
}

// get asks a listener with its credentials.
func (l listener) get(t *testing.T, path string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url+path, http.NoBody)
	require.NoError(t, err)
	req.SetBasicAuth(l.user, l.password)
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func TestClusterOfEMQX5(t *testing.T) {
	r := start(t, 2, "--nodes", "3", "--clients", "10", "--node-down", "emqx@sim-2", "--license", "1000")
	require.Equal(t, "emqx@sim-1 api", r.listeners[0].node+" "+r.listeners[0].what)
	require.Equal(t, "emqx@sim-3", r.listeners[1].node)
	status, body := r.listeners[1].get(t, "/api/v5/nodes")
	require.Equal(t, http.StatusOK, status)
	var nodes []struct {
		Node        string
		NodeStatus  string `json:"node_status"`
		Version     string
		Connections int
	}
	require.NoError(t, json.Unmarshal([]byte(body), &nodes), body)
	require.Len(t, nodes, 3)
	for _, n := range nodes {
		switch n.Node {
		case "emqx@sim-1":
			require.Equal(t, 4, n.Connections)
			require.Equal(t, "5.8.9", n.Version)
		case "emqx@sim-2":
			require.Equal(t, "stopped", n.NodeStatus)
		}
	}
	_, body = r.listeners[0].get(t, "/api/v5/license")
	require.Contains(t, body, `"max_connections":1000`)
	require.Zero(t, r.stop(t, syscall.SIGTERM), r.Stderr)
	require.Empty(t, r.Stderr.String())
}

func TestClusterOfEMQX4(t *testing.T) {
	r := start(t, 4, "--version", "4.4.24", "--nodes", "2")
	for i, what := range []string{"api", "dashboard", "api", "dashboard"} {
		require.Equal(t, what, r.listeners[i].what)
		status, body := r.listeners[i].get(t, "/api/v4/brokers")
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, "emqx@sim-2")
	}
	status, body := r.listeners[1].get(t, "/")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "./static/app.js")
	require.Zero(t, r.stop(t, syscall.SIGINT), r.Stderr)
}

// TestOpenSource: that edition lacks the license.
func TestOpenSource(t *testing.T) {
	r := start(t, 2, "--version", "4.4.19", "--edition", "opensource")
	status, _ := r.listeners[0].get(t, "/api/v4/license")
	require.Equal(t, http.StatusNotFound, status)
	require.Zero(t, r.stop(t, syscall.SIGTERM))
}

// TestEndsThoughSomebodyWaits: a slow answer does not hold the end up.
func TestEndsThoughSomebodyWaits(t *testing.T) {
	r := start(t, 1, "--latency", "1h")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.listeners[0].url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.Zero(t, r.stop(t, syscall.SIGTERM))
}

// TestPortsInTurn: with a port of its own the listeners take those that follow.
func TestPortsInTurn(t *testing.T) {
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	r := start(t, 1, "--listen", address)
	require.Equal(t, "http://"+address, r.listeners[0].url)

	second := processtest.Run(t, command(t, "--listen", address))
	require.Equal(t, 1, second.Code)
	require.Contains(t, second.Stderr, "emqxsim: open "+address)
	require.Equal(t, 1, strings.Count(second.Stdout+second.Stderr, "\n"), "one line: %s", second)
}

func TestWrongCalls(t *testing.T) {
	for _, c := range []struct {
		args string
		says string
	}{
		{"--version 3.1.0", "--version 3.1.0: give one of EMQX 4.4 or 5"},
		{"--version five", "--version five"},
		{"--edition gold", "--edition gold: give enterprise or opensource"},
		{"--nodes 8", "--nodes 8: give 1 to 7"},
		{"--clients -1", "--clients -1"},
		{"--license -1", "--license -1"},
		{"--latency -1s", "--latency"},
		{"--node-down emqx@sim-2", "no such node; the nodes are emqx@sim-1"},
		{"--listen here", "--listen here: not an address"},
		{"--listen 127.0.0.1:99999", "not an address"},
		{"--nope", "-nope"},
		{"more", `it takes no arguments, and was given "more"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			r := processtest.Run(t, command(t, strings.Fields(c.args)...))
			require.Equal(t, 2, r.Code, "%s", r)
			require.Contains(t, r.Stderr, c.says)
			require.Equal(t, 1, strings.Count(r.Stdout+r.Stderr, "\n"), "one line: %s", r)
		})
	}
}

func TestHelp(t *testing.T) {
	r := processtest.Run(t, command(t, "--help"))
	require.Zero(t, r.Code, "%s", r)
	for _, flag := range []string{
		"version", "edition", "nodes", "clients", "license", "boot-time", "real-pace", "latency", "node-down", "listen",
	} {
		require.Regexp(t, "-"+flag+`\s`, r.Stdout+r.Stderr)
	}
}

// TestBoots: a node that starts answers nobody.
func TestBoots(t *testing.T) {
	r := start(t, 1, "--boot-time", "1h", "--real-pace")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.listeners[0].url+"/status", http.NoBody)
	require.NoError(t, err)
	res, err := client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, r.stop(t, syscall.SIGTERM))
}
