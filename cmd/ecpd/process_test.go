package main_test

import (
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/openecp/openecp/internal/processtest"
)

// These tests run the built program as its users do: as a process, over HTTP,
// with signals.

func TestMain(m *testing.M) {
	standBetween()
	goleak.VerifyTestMain(labtest.M(m), goleak.Cleanup(processtest.Exit))
}

// built returns the program under test.
func built(t testing.TB) string { t.Helper(); return processtest.Program(t, "./cmd/ecpd") }

type process = processtest.Process

// readyLine begins the line that tells where the daemon answers.
const readyLine = "ecpd ready on "

// launch starts the program with these arguments and variables in dir.
func launch(t testing.TB, dir string, environ []string, args ...string) *process {
	t.Helper()
	return launchProgram(t, built(t), dir, environ, args...)
}

// launchProgram starts any program so.
func launchProgram(t testing.TB, name, dir string, environ []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, environ...)
	return processtest.Start(t, cmd)
}
