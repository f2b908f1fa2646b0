package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
)

// asProgram in the environment makes the test binary the program itself.
const asProgram = "KUBELAB_UP_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "1" {
		main()
	}
	goleak.VerifyTestMain(labtest.M(m))
}

// program is a command line of the program on a folder of the test's own.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-dir", dir}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// call runs it to its end and gives the exit code and what it printed.
func call(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := program(t, dir, args...)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), bad.String()
}

// mustCall is call of a command that has to succeed without complaint.
func mustCall(t *testing.T, dir string, args ...string) string {
	t.Helper()
	begun := time.Now()
	code, out, bad := call(t, dir, args...)
	if code != 0 || bad != "" {
		log, _ := os.ReadFile(place(dir).log())
		t.Fatalf("%v: exit code %d, printed %q, complained %q; log:\n%s", args, code, out, bad, log)
	}
	t.Logf("%v took %v", args, time.Since(begun).Round(10*time.Millisecond))
	return out
}

// needsLab skips where none can be had, and has the programs built before
// anything is timed.
func needsLab(t *testing.T) string {
	t.Helper()
	labtest.Need(t)
	if _, err := kubelab.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Cleanup(func() { // a test that failed half-way leaves nothing either
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := down(ctx, place(dir), io.Discard); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return dir
}

// running gives the record of the background process.
func running(t *testing.T, dir string) record {
	t.Helper()
	r, proc, alive, err := place(dir).read()
	if err != nil || !alive {
		t.Fatalf("no living process in the record (%+v, %v)", r, err)
	}
	_ = proc.Release()
	return r
}

// labOf is the folder of the lab that the kubeconfig leads to.
func labOf(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(place(dir).kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`certificate-authority: "(.*)/pki/ca.crt"`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no certificate authority in %s", b)
	}
	return string(m[1])
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// follow runs the commands that up told the user to run.
func follow(t *testing.T, told string) string {
	t.Helper()
	var script []string
	for _, line := range strings.Split(told, "\n") {
		if strings.HasPrefix(line, "  ") {
			script = append(script, strings.TrimSpace(line))
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", strings.Join(script, "\n"))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", script, err, out)
	}
	return string(out)
}

func TestUpAndDown(t *testing.T) {
	dir := needsLab(t)
	told := mustCall(t, dir, "up")
	if out := follow(t, told); !strings.Contains(out, "node-0") || !strings.Contains(out, "Ready") {
		t.Errorf("what up told to run shows no nodes: %s", out)
	}
	first, lab := running(t, dir), labOf(t, dir)
	if again := mustCall(t, dir, "up"); again != told {
		t.Errorf("the second up said\n%s\nwant\n%s", again, told)
	}
	if r := running(t, dir); r != first {
		t.Errorf("the second up left %+v running, the first %+v", r, first)
	}
	if code, _, bad := call(t, dir, "run"); code != 1 || !strings.Contains(bad, "running already") ||
		strings.Count(bad, "\n") != 1 {
		t.Errorf("a second run: exit code %d, said %q", code, bad)
	}
	mustCall(t, dir, "down")
	if _, err := birthOf(first.Pid); err == nil {
		t.Error("the process lives after down")
	}
	for _, path := range []string{lab, place(dir).kubeconfig(), place(dir).record()} {
		if exists(path) {
			t.Errorf("%s is there after down", path)
		}
	}
	if out := mustCall(t, dir, "down"); !strings.Contains(out, "not running") {
		t.Errorf("a second down said %q", out)
	}
}

// TestUpAfterCrash: a run that was killed is replaced, and its folder removed.
func TestUpAfterCrash(t *testing.T) {
	dir := needsLab(t)
	mustCall(t, dir, "up")
	first, lab := running(t, dir), labOf(t, dir)
	if err := syscall.Kill(first.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	labtest.Eventually(t, 20*time.Second, "the lock of the killed run is free", func(context.Context) (bool, string) {
		held, err := place(dir).held()
		return !held && err == nil, fmt.Sprint(held, err)
	})
	told := mustCall(t, dir, "up")
	if out := follow(t, told); !strings.Contains(out, "node-0") {
		t.Errorf("after a crash, up shows no nodes: %s", out)
	}
	if running(t, dir).Pid == first.Pid || exists(lab) {
		t.Errorf("the killed run's folder %s is there: %t", lab, exists(lab))
	}
}

// TestRunInForeground: ready is said, a signal ends it well; and up finds it.
func TestRunInForeground(t *testing.T) {
	dir := needsLab(t)
	cmd := program(t, dir, "run")
	var bad bytes.Buffer
	cmd.Stderr = &bad
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4096)
	n, err := out.Read(line)
	if err != nil || !strings.HasPrefix(string(line[:n]), "ready: export KUBECONFIG="+dir) {
		t.Fatalf("got %q, %v; complained: %s", line[:n], err, bad.String())
	}
	mustCall(t, dir, "up")
	if running(t, dir).Pid != cmd.Process.Pid {
		t.Error("up started another beside the one in the foreground")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v; complained: %s", err, bad.String())
	}
}

// TestDownWhileStarting: down works at any moment.
func TestDownWhileStarting(t *testing.T) {
	dir := needsLab(t)
	cmd := program(t, dir, "up")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	labtest.Eventually(t, 20*time.Second, "the run has begun", func(context.Context) (bool, string) {
		r, proc, alive, err := place(dir).read()
		if alive {
			_ = proc.Release()
		}
		return alive, fmt.Sprint(r, err)
	})
	mustCall(t, dir, "down")
	if err := cmd.Wait(); err == nil {
		t.Error("up succeeds although the run was stopped")
	}
}

// TestCannotRun: one line says what is missing.
func TestCannotRun(t *testing.T) {
	for _, command := range []string{"up", "run"} {
		cmd := program(t, t.TempDir(), command)
		cmd.Env = append(cmd.Env, "PATH=/nonexistent")
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%s without tools: %v", command, err)
		}
		if s := string(out); strings.Count(s, "\n") != 1 || !strings.Contains(s, "the ip command is missing") {
			t.Errorf("%s said %q", command, s)
		}
	}
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{}, {"sideways"}, {"up", "down"}, {"-x"}} {
		if code, out, bad := call(t, dir, args...); code != 2 || out != "" ||
			!strings.Contains(bad, "usage: kubelab-up") {
			t.Errorf("%v: exit code %d, printed %q, complained %q", args, code, out, bad)
		}
	}
	if code, _, bad := call(t, dir, "-h"); code != 0 || !strings.Contains(bad, "-dir") {
		t.Errorf("-h: exit code %d, said %q", code, bad)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, bad := call(t, file, "down"); code != 1 || !strings.Contains(bad, "-dir") {
		t.Errorf("a file for a folder: exit code %d, said %q", code, bad)
	}
}

// TestDownSparesStrangers: a record that tells of another process, because
// pids are used again, gets nobody killed; with and without a held lock.
func TestDownSparesStrangers(t *testing.T) {
	stranger := exec.CommandContext(t.Context(), "sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	dir := t.TempDir()
	if err := place(dir).write(record{Pid: stranger.Process.Pid, Birth: "1", Ready: true}); err != nil {
		t.Fatal(err)
	}
	if _, _, alive, err := place(dir).read(); alive || err != nil {
		t.Errorf("a stranger is taken for the run (%v)", err)
	}
	if out := mustCall(t, dir, "down"); !strings.Contains(out, "not running") || exists(place(dir).record()) {
		t.Errorf("said %q; the record is there: %t", out, exists(place(dir).record()))
	}
	if err := place(dir).write(record{Pid: stranger.Process.Pid, Birth: "1"}); err != nil {
		t.Fatal(err)
	}
	lock, err := place(dir).hold()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := down(ctx, place(dir), io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("down with an unknown holder of the lock: %v", err)
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger is gone: %v", err)
	}
}

// TestBirth tells processes apart whatever they are named.
func TestBirth(t *testing.T) {
	if _, err := birthOf(1 << 30); err == nil {
		t.Error("a process that is not there has a birth")
	}
	path := filepath.Join(t.TempDir(), "a) b (c")
	if err := os.Symlink("/bin/sleep", path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	birth, err := birthOf(cmd.Process.Pid)
	if err != nil || !regexp.MustCompile(`^[0-9]{2,}$`).MatchString(birth) {
		t.Errorf("got %q, %v", birth, err)
	}
	mine, err := birthOf(os.Getpid())
	if err != nil || mine == birth {
		t.Errorf("this process and a later one were born at %s and %s (%v)", mine, birth, err)
	}
}
