package processtest_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(processtest.Exit)) }

func TestProcess(t *testing.T) {
	p := processtest.Start(t, exec.Command("sh", "-c", `trap 'echo end >&2; exit 3' TERM
echo begin
echo "ready on here"
while :; do sleep 0.05; done`))
	require.Equal(t, "here", p.Line(t, "ready on "))
	require.Equal(t, []string{"begin", "ready on here"}, p.Lines(t, 2))
	require.False(t, p.Ended())
	code, _ := p.Terminate(t)
	require.Equal(t, 3, code)
	p.Logs(t, "end")
	require.Contains(t, p.String(), "exit status 3")
}

func TestKill(t *testing.T) {
	p := processtest.Start(t, exec.Command("sleep", "60"))
	p.Kill()
	p.Kill() // it may have ended
	require.Equal(t, -1, p.Wait(t, time.Second))
}

func TestRun(t *testing.T) {
	r := processtest.Run(t, exec.Command("sh", "-c", "echo a; echo b >&2; exit 4"))
	require.Equal(t, processtest.Result{Code: 4, Stdout: "a\n", Stderr: "b\n"}, r)
}

func TestEventually(t *testing.T) {
	n := 0
	processtest.Eventually(t, time.Second, func() (bool, int) { n++; return n == 3, n })
	require.Equal(t, 3, n)
}
