package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/processtest"
)

// These tests run the built program as its users do: as a process, with files,
// sockets and signals.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(processtest.Exit)) }

// built returns the program under test.
func built(t *testing.T) string { t.Helper(); return processtest.Agent(t, runtime.GOARCH) }

// place is where a test runs the program: a home, and variables.
type place struct {
	t       *testing.T
	program string
	home    string
	environ []string
	wrap    []string // command line before the program, as of unshare
	network *network // nil means the host's
}

// newPlace makes one whose agents are ended with the test.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, program: built(t), home: filepath.Join(t.TempDir(), "agent")}
	t.Cleanup(func() {
		p.run("stop")
		if t.Failed() {
			log, _ := os.ReadFile(p.file("log/agent.log"))
			t.Logf("log of %s:\n%s", p.home, log)
		}
	})
	return p
}

func (p *place) file(name string) string { return filepath.Join(p.home, name) }

// command prepares a call.
func (p *place) command(args ...string) *exec.Cmd {
	line := append(slices.Clone(p.wrap), p.program)
	line = append(line, args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "EMQXEE_AGENT_HOME=" + p.home}, p.environ...)
	return cmd
}

// run calls the program and waits for its end.
func (p *place) run(args ...string) processtest.Result { return p.runIn("", args...) }

// runIn does so with a standard input.
func (p *place) runIn(stdin string, args ...string) processtest.Result {
	p.t.Helper()
	cmd := p.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = 40 * time.Second // what it left in the background must not hold its output
	var process *processtest.Process
	var err error
	p.network.do(func() { process, err = processtest.Begin(cmd) })
	require.NoError(p.t, err)
	return process.Result(p.t)
}

// ok calls the program, which must succeed.
func (p *place) ok(args ...string) processtest.Result {
	p.t.Helper()
	r := p.run(args...)
	require.Zero(p.t, r.Code, "emqxee-agent %s: %s", strings.Join(args, " "), r)
	return r
}

// fails calls the program, which must end with a code and say something.
func (p *place) fails(code int, says string, args ...string) processtest.Result {
	p.t.Helper()
	r := p.run(args...)
	require.Equal(p.t, code, r.Code, "emqxee-agent %s: %s", strings.Join(args, " "), r)
	assert.Contains(p.t, r.Stdout+r.Stderr, says)
	return r
}
