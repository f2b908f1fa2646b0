package processtest

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Result is what a command came to.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// String returns all of it for a message.
func (r Result) String() string {
	return fmt.Sprintf("exit code %d\nstdout:\n%sstderr:\n%s", r.Code, r.Stdout, r.Stderr)
}

// Run runs a command to its end.
func Run(t testing.TB, cmd *exec.Cmd) Result {
	t.Helper()
	p, err := Begin(cmd)
	require.NoError(t, err)
	return p.Result(t)
}

// Result waits for the end of a process that is to end by itself.
func (p *Process) Result(t testing.TB) Result {
	t.Helper()
	defer p.Kill()
	return Result{Code: p.Wait(t, patience), Stdout: p.Stdout.String(), Stderr: p.Stderr.String()}
}
