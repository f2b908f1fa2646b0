package kubelab_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
)

// helperEnv in the environment makes the test binary a program that starts a
// lab, says where it is, and stops it when its input ends.
const helperEnv = "KUBELAB_TEST_HELPER"

func helper() int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	lab, err := kubelab.Start(ctx, kubelab.Config{Nodes: 1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	nodes, err := lab.Kubectl(ctx, "", "get", "nodes", "--no-headers")
	fmt.Fprintln(os.Stdout, lab.Dir, lab.PodCIDR, strings.Join(strings.Fields(nodes), " "), err)
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	if err := lab.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// started is a helper that has a lab.
type started struct {
	cmd       *exec.Cmd
	dir, cidr string
	nodes     string // what it saw of them
	complaint *bytes.Buffer
}

// startHelper runs the helper, below other commands if some are given.
func startHelper(t *testing.T, below ...string) (*started, func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(below, exe)
	s := &started{cmd: exec.CommandContext(t.Context(), args[0], args[1:]...), complaint: new(bytes.Buffer)}
	s.cmd.Env = append(os.Environ(), helperEnv+"=1")
	s.cmd.Stderr = s.complaint
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
	if err != nil || len(fields) != 3 {
		_ = s.cmd.Wait()
		t.Fatalf("the helper said %q, %v: %s", line, err, s.complaint)
	}
	s.dir, s.cidr, s.nodes = fields[0], fields[1], fields[2]
	return s, func() { _ = in.Close() }
}

// TestKilled: when the process that started a lab is killed, its programs die
// with it, and the next start removes the rest.
func TestKilled(t *testing.T) {
	labtest.Need(t)
	if _, err := kubelab.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s, _ := startHelper(t)
	if n := len(processes(t, s.dir)); n < 6 {
		t.Errorf("%d processes of a lab of six programs", n)
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	labtest.Eventually(t, 10*time.Second, "the programs are dead", func(context.Context) (bool, string) {
		procs := processes(t, s.dir)
		return len(procs) == 0, fmt.Sprint(procs)
	})
	if _, err := os.Stat(filepath.Join(s.dir, "owner.json")); errors.Is(err, os.ErrNotExist) {
		t.Skip("another lab's start was faster and has removed it")
	}
	next := labtest.Own(t)
	if next.Dir == s.dir {
		t.Fatal("the next lab took the folder of the dead one")
	}
	nothingLeft(t, s.dir, s.cidr)
}

// TestWithoutRoot: a namespace of one's own is enough, where the machine allows
// such to everybody.
func TestWithoutRoot(t *testing.T) {
	labtest.Need(t)
	if out, err := exec.CommandContext(t.Context(), "unshare", "-Urn", "true").CombinedOutput(); err != nil {
		t.Skipf("kubelab: no user namespaces here: %v: %s", err, out)
	}
	if _, err := kubelab.Build(t.Context(), nil); err != nil { // there is no network in there
		t.Fatal(err)
	}
	before, begun := localRoutes(t), time.Now()
	s, stop := startHelper(t, "unshare", "-Urn")
	t.Logf("a lab of one node under unshare started in %v", time.Since(begun).Round(10*time.Millisecond))
	if !strings.HasPrefix(s.nodes, "node-0 Ready ") || !strings.HasSuffix(s.nodes, " <nil>") {
		t.Errorf("its nodes: %s", s.nodes)
	}
	if strings.Contains(before, s.cidr) {
		s.cidr = "" // that of another lab, living or dead, in our namespace
	} else if routes := localRoutes(t); strings.Contains(routes, s.cidr) && claims(t, filepath.Dir(s.dir), s.cidr) < 2 {
		t.Errorf("its route is in our namespace: %s", routes)
	}
	stop()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the helper ended with %v: %s", err, s.complaint)
	}
	nothingLeft(t, s.dir, s.cidr)
}

func localRoutes(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ip", "route", "show", "table", "local").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
