package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// status returns what status --json prints.
func (p *place) status() (s struct {
	PID    int    `json:"pid"`
	Phase  string `json:"phase"`
	Server struct {
		Agent, Carrier, Cluster, Error string
	} `json:"server"`
	Todo []string `json:"todo"`
}) {
	p.t.Helper()
	r := p.run("status", "--json")
	if r.Stdout == "" { // it starts or ends just now
		return s
	}
	require.NoError(p.t, json.Unmarshal([]byte(r.Stdout), &s), "%s", r)
	return s
}

// processes returns the ids of the processes whose command line has the home in it.
func (p *place) processes() (pids []int) {
	p.t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(p.t, err)
	for _, file := range lines {
		line, err := os.ReadFile(file) // it may be gone by now
		if err == nil && strings.Contains(string(line), p.home+"\x00") {
			pid, err := strconv.Atoi(strings.Split(file, "/")[2])
			require.NoError(p.t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestStartStop(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.fails(3, "does not run", "status")
	assert.Contains(t, p.ok("stop").Stdout, "does not run", "stopping what does not run is no error")
	assert.NoDirExists(t, p.home, "asking makes nothing")

	r := p.ok("start")
	assert.Contains(t, r.Stdout, "waits to be registered")
	first := p.status()
	assert.Contains(t, r.Stdout, "process "+strconv.Itoa(first.PID))
	p.fails(3, "waits to be registered", "status")

	assert.Contains(t, p.ok("start").Stdout, "runs already")
	assert.Equal(t, first.PID, p.status().PID)

	p.ok("restart")
	second := p.status()
	assert.NotEqual(t, first.PID, second.PID)

	assert.Contains(t, p.ok("stop").Stdout, "stopped")
	p.fails(3, "does not run", "status")
	assert.Empty(t, p.processes())
	p.ok("restart")
	assert.NotZero(t, p.status().PID, "restart starts what does not run")
}

// The directory is its owner's alone.
func TestHomeIsPrivate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.NoError(t, os.MkdirAll(p.home, 0o755))
	p.ok("start")
	require.NoError(t, filepath.WalkDir(p.home, func(name string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, "%s has mode %v", name, info.Mode())
		return nil
	}))
}

// Two starts at once make one agent, and both succeed.
func TestStartsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var starts sync.WaitGroup
	results := make([]processtest.Result, 6)
	for i := range results {
		starts.Go(func() { results[i] = p.run("start") })
	}
	starts.Wait()
	for _, r := range results {
		assert.Zero(t, r.Code, "%s", r)
	}
	assert.Len(t, p.processes(), 2, "a supervisor and an agent")
}

// A crashed agent comes back; a supervisor that was killed takes its agent along.
func TestCrash(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.ok("start")
	first := p.status().PID
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	processtest.Eventually(t, 15*time.Second, func() (bool, any) {
		s := p.status()
		return s.PID != 0 && s.PID != first, s
	})
	log, err := os.ReadFile(p.file("log/agent.log"))
	require.NoError(t, err)
	assert.Contains(t, string(log), "the agent ended (signal: killed); starting it again in 1s")

	agent := p.status().PID
	for _, pid := range p.processes() {
		if pid != agent {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	processtest.Eventually(t, 10*time.Second, func() (bool, any) {
		left := p.processes()
		return len(left) == 0, left
	})
	p.ok("start")
}

// An agent that does not end by SIGTERM is killed.
func TestStopKills(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.ok("start")
	all := p.processes()
	for _, pid := range all {
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	began := time.Now()
	p.ok("stop")
	assert.Greater(t, time.Since(began), 9*time.Second)
	assert.Empty(t, p.processes())
}

// What a crash has left, a process id of somebody else among it, is in nobody's
// way, and that process is left alone.
func TestStaleFiles(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.NoError(t, os.MkdirAll(p.file("run"), 0o700))
	require.NoError(t, os.WriteFile(p.file("run/agent.pid"), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600))
	require.NoError(t, os.WriteFile(p.file("run/supervisor.lock"), []byte("1\n"), 0o600))
	require.NoError(t, os.WriteFile(p.file("run/agent.sock"), nil, 0o600))
	assert.Contains(t, p.ok("stop").Stdout, "does not run")
	p.fails(3, "does not run", "status")
	p.ok("start")
	p.ok("stop")
}

// Where the agent cannot start, start says why and leaves nothing behind.
func TestStartSaysWhyNot(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.NoError(t, os.MkdirAll(p.file("run/agent.sock/in-the-way"), 0o700))
	p.fails(1, "agent.sock", "start")
	assert.Empty(t, p.processes())
	require.NoError(t, os.RemoveAll(p.file("run/agent.sock")))
	p.ok("start")
}

// An agent in the foreground is one like any other to the commands.
func TestForeground(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	running := processtest.Start(t, p.command("run"))
	processtest.Eventually(t, 10*time.Second, func() (bool, any) {
		s := p.status()
		return s.PID == running.PID(), s
	})
	assert.Contains(t, p.ok("start").Stdout, "runs already")
	p.fails(1, "runs on", "run")
	p.ok("stop")
	assert.Zero(t, running.Wait(t, 10*time.Second), "SIGTERM is a usual end")
}

// The level of the log is that of etc/agent.yaml, also when it changes, unless the
// command names one.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.ok("register", "--help") // nothing is made by that
	for _, c := range []struct {
		args []string
		says bool
	}{{[]string{"run"}, false}, {[]string{"run", "--log-level", "info"}, true}} {
		require.NoError(t, os.MkdirAll(p.file("etc"), 0o700))
		require.NoError(t, os.WriteFile(p.file("etc/agent.yaml"), []byte("logger: {level: error}\n"), 0o600))
		running := processtest.Start(t, p.command(c.args...))
		processtest.Eventually(t, 10*time.Second, func() (bool, any) {
			s := p.status()
			return s.PID == running.PID(), s
		})
		p.ok("stop")
		require.Zero(t, running.Wait(t, 10*time.Second))
		log := running.Stderr.String()
		assert.Equal(t, c.says, strings.Contains(log, "agent started"), "%v: %s", c.args, log)
	}
}
