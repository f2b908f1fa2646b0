package main_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent/home"
	"github.com/openecp/openecp/internal/processtest"
)

// besideEMQX is the agent's program beside a node of a simulated EMQX.
type besideEMQX struct {
	*process
	program string
	home    home.Dir
	looks   atomic.Int64 // how often EMQX was asked for its alarms
}

// runBeside adopts a node: it makes the cluster, registers an agent that looks every
// second, and runs it. The id is the cluster's.
func (d *daemon) runBeside(t *testing.T, node *emqxsim.Node) (id string, b *besideEMQX) {
	t.Helper()
	b = &besideEMQX{program: processtest.Agent(t, runtime.GOARCH), home: home.Dir(filepath.Join(t.TempDir(), "agent"))}
	dashboard := node.Dashboard()
	emqx := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/alarms") {
			b.looks.Add(1)
		}
		dashboard.ServeHTTP(w, r)
	}))
	t.Cleanup(emqx.Close)
	var made struct{ ID string }
	d.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"plant"}`, &made, 201)
	var guide struct{ Token string }
	d.call(t, "POST", "/api/v1/clusters/"+made.ID+"/setup", `{"method":"binary","arch":"`+runtime.GOARCH+`"}`, &guide,
		201)
	secret := []string{"EMQXEE_AGENT_REGISTRATION_TOKEN=" + guide.Token, "EMQXEE_AGENT_EMQX_DASHBOARD_PASSWORD=public"}
	register := launchProgram(t, b.program, t.TempDir(), secret, "register", "--home", string(b.home), "--url", d.url,
		"--emqx-dashboard-url", emqx.URL, "--emqx-api-url", emqx.URL, "--emqx-dashboard-username", "admin")
	require.Zero(t, register.Wait(t, time.Minute), "%s%s", register.Stdout, register.Stderr)
	require.NoError(t, os.WriteFile(b.home.Settings(), []byte("monitoring: {interval: 1s}\n"), 0o600))
	b.start(t)
	return made.ID, b
}

func (b *besideEMQX) start(t *testing.T) {
	t.Helper()
	b.process = launchProgram(t, b.program, t.TempDir(), nil, "run", "--home", string(b.home))
}

// noticed waits until the agent has kept a look that began after now: EMQX is asked
// for its alarms once in each, and the third question is that of the look behind it.
func (b *besideEMQX) noticed(t *testing.T) {
	t.Helper()
	before := b.looks.Load()
	processtest.Eventually(t, 20*time.Second, func() (bool, string) {
		return b.looks.Load() >= before+3, "the agent does not look at EMQX:\n" + b.Stderr.String()
	})
}
