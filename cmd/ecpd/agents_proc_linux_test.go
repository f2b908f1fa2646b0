package main_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// procFile reads a file that the kernel keeps of a process.
func procFile(t testing.TB, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	require.NoError(t, err)
	return string(text)
}

// memoryOf is memory of a process that it has made (RssAnon), or with the parts
// of its program that were used (VmRSS), also at its most (VmHWM), in KiB.
func memoryOf(t testing.TB, pid int, which string) int {
	t.Helper()
	_, rest, _ := strings.Cut(procFile(t, pid, "status"), which+":")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return n
}

// cpuOf is the time that a process has used, in ticks of 10 ms.
func cpuOf(b *testing.B, p *process) time.Duration {
	b.Helper()
	stat := procFile(b, p.PID(), "stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // the third first
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func (f *agentFleet) resident(which string) float64 {
	f.b.Helper()
	return float64(memoryOf(f.b, f.PID(), which))
}

func (f *agentFleet) cpu() time.Duration { f.b.Helper(); return cpuOf(f.b, f.process) }

func loadAverage(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	require.NoError(b, err)
	load, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	require.NoError(b, err)
	return load
}

func (f *agentFleet) socket() string { return filepath.Join(f.dir, "hook") }

// hook asks what testdata/hook.go.txt adds to the daemon.
func (f *agentFleet) hook(path string) []byte {
	f.b.Helper()
	t := &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", f.socket())
		}}
	return f.send(&http.Client{Transport: t}, "http://hook"+path, "GET", "", 200)
}

func (f *agentFleet) goroutines() int {
	f.b.Helper()
	first, _, _ := strings.Cut(string(f.hook("/debug/pprof/goroutine?debug=1")), "\n")
	n, err := strconv.Atoi(first[strings.LastIndexByte(first, ' ')+1:])
	require.NoError(f.b, err)
	return n
}

// runtimeMemory is what the Go runtime says that it holds, in KiB.
func (f *agentFleet) runtimeMemory() (heap, stacks float64) {
	f.b.Helper()
	for line := range strings.Lines(string(f.hook("/debug/pprof/heap?debug=1"))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		bytes, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "# HeapAlloc":
			heap = bytes / 1024
		case "# Stack":
			bytes, _ = strconv.ParseFloat(strings.Fields(value)[0], 64)
			stacks = bytes / 1024
		}
	}
	return heap, stacks
}

// profile keeps profiles where somebody wants them.
func (f *agentFleet) profile(names ...string) {
	f.b.Helper()
	for _, name := range names {
		f.keep(name, "/debug/pprof/"+name+"?gc=1")
	}
}

func (f *agentFleet) keep(name, path string) {
	f.b.Helper()
	if dir := os.Getenv("OPENECP_PROFILES"); dir != "" {
		require.NoError(f.b, os.WriteFile(filepath.Join(dir, string(f.mode)+"-"+name), f.hook(path), 0o600))
	}
}

// profileCPU profiles for a while, if somebody wants it; done is closed at its end.
func (f *agentFleet) profileCPU(name string, during time.Duration) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		f.keep("cpu-"+name, fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(during.Seconds())))
	}()
	return done
}
