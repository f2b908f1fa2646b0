package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const unitFile = "../../deploy/systemd/ecpd.service"

// setting returns the last value of a key of the unit.
func setting(t *testing.T, unit, key string) string {
	t.Helper()
	value, found := "", false
	for line := range strings.Lines(unit) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			value, found = v, true
		}
	}
	require.True(t, found, "the unit has no %s", key)
	return value
}

// The unit starts ecpd with flags that it takes, and leaves it the time it needs
// to end.
func TestUnit(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(unitFile)
	require.NoError(t, err)
	unit := string(content)
	assert.Equal(t, "notify", setting(t, unit, "Type"))
	stop, err := strconv.Atoi(setting(t, unit, "TimeoutStopSec"))
	require.NoError(t, err)
	assert.Greater(t, time.Duration(stop)*time.Second, 15*time.Second)

	example, err := filepath.Abs("../../deploy/ecpd.yaml")
	require.NoError(t, err)
	command := strings.Fields(strings.ReplaceAll(setting(t, unit, "ExecStart"), "/etc/ecpd/ecpd.yaml", example))
	require.Equal(t, []string{"/usr/local/bin/ecpd", "serve"}, command[:2])
	p := launch(t, t.TempDir(), nil, append([]string{"config", "check", "--dev"}, command[2:]...)...)
	require.Zero(t, p.Wait(t, 20*time.Second), p.Stderr.String())
	assert.Empty(t, p.Stderr.String())
	assert.Contains(t, p.Stdout.String(), "dataDir: /var/lib/"+setting(t, unit, "StateDirectory")+" ")
}

// systemd itself finds nothing wrong with the unit, and little that it leaves open.
func TestUnitIsVerified(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here: the unit is not verified; install systemd")
	}
	content, err := os.ReadFile(unitFile)
	require.NoError(t, err)
	unit := filepath.Join(t.TempDir(), "ecpd.service")
	require.NoError(t, os.WriteFile(unit, []byte(strings.ReplaceAll(string(content), "/usr/local/bin/ecpd", built(t))),
		0o600))
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))

	out, err = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--no-pager", "--offline=true",
		"--threshold=20", unit).CombinedOutput()
	if err != nil && strings.Contains(string(out), "nrecognized option") {
		t.Skip("this systemd-analyze is older than 250: how much the unit leaves open is not looked at")
	}
	require.NoError(t, err, "%s", out)
}
