package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// These tests run the built program as its users do: as a process, over HTTP,
// with signals.

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if binary.dir != "" {
			_ = os.RemoveAll(binary.dir)
		}
		os.Exit(code)
	}))
}

// binary is the program under test, built once.
var binary struct {
	once sync.Once
	dir  string
	err  error
}

func built(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "emqxsim-test-"); binary.err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // no test's own: all share it
		defer cancel()
		out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary.dir, ".").CombinedOutput()
		if err != nil {
			binary.err = errors.New(string(out))
		}
	})
	require.NoError(t, binary.err)
	return filepath.Join(binary.dir, "emqxsim")
}

// listener is one line of what the program prints.
type listener struct{ node, what, url, user, password string }

// running is a started program with the lines it printed.
type running struct {
	cmd       *exec.Cmd
	stderr    *strings.Builder
	listeners []listener
}

// start runs the program and reads as many lines.
func start(t *testing.T, lines int, args ...string) *running {
	t.Helper()
	r := &running{cmd: exec.Command(built(t), args...), stderr: &strings.Builder{}}
	r.cmd.Stderr = r.stderr
	stdout, err := r.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it may have ended before
		_ = r.cmd.Wait()
	})
	for in := bufio.NewScanner(stdout); len(r.listeners) < lines; {
		require.True(t, in.Scan(), "it printed %d lines, wanted %d; stderr: %s", len(r.listeners), lines, r.stderr)
		f := strings.Fields(in.Text())
		require.Len(t, f, 4, in.Text())
		user, password, _ := strings.Cut(f[3], ":")
		r.listeners = append(r.listeners, listener{f[0], f[1], f[2], user, password})
	}
	return r
}

// stop sends a signal and gives the exit code.
func (r *running) stop(t *testing.T, s os.Signal) int {
	t.Helper()
	require.NoError(t, r.cmd.Process.Signal(s))
	done := make(chan struct{})
	timer := time.AfterFunc(10*time.Second, func() {
		t.Errorf("it has not ended 10 s after %v", s)
		_ = r.cmd.Process.Kill()
	})
	go func() {
		defer close(done)
		_ = r.cmd.Wait()
	}()
	<-done
	timer.Stop()
	return r.cmd.ProcessState.ExitCode()
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
	require.Zero(t, r.stop(t, syscall.SIGTERM), r.stderr)
	require.Empty(t, r.stderr.String())
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
	require.Zero(t, r.stop(t, os.Interrupt), r.stderr)
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

	out, err := exec.CommandContext(t.Context(), built(t), "--listen", address).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, string(out), "emqxsim: open "+address)
	require.Equal(t, 1, strings.Count(string(out), "\n"), "one line: %s", out)
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
			out, err := exec.CommandContext(t.Context(), built(t), strings.Fields(c.args)...).CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 2, exit.ExitCode(), "%s", out)
			require.Contains(t, string(out), c.says)
			require.Equal(t, 1, strings.Count(string(out), "\n"), "one line: %s", out)
		})
	}
}

func TestHelp(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), built(t), "--help").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, flag := range []string{
		"version", "edition", "nodes", "clients", "license", "boot-time", "real-pace", "latency", "node-down", "listen",
	} {
		require.Regexp(t, "-"+flag+`\s`, string(out))
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
