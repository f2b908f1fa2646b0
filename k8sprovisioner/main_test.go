package k8sprovisioner

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/emqxpod"
	"github.com/openecp/openecp/internal/kubelab/labtest"
)

func TestMain(m *testing.M) {
	sideBySide()
	goleak.VerifyTestMain(labtest.M(podsLast{m}, audited), goleak.IgnoreTopFunction(labtest.UnreadCloseError))
}

// audited switches the audit log of the API server on, which auditTrail reads.
func audited(c *kubelab.Config) { c.Audit = true }

// atOnce is how many tests run side by side on one control plane. They wait most
// of the time: for probes, for controllers, and for namespaces to go.
const atOnce = 5

// sideBySide raises the number of tests that go test runs at once, which is that
// of cores, unless somebody chose one.
func sideBySide() {
	flag.Parse()
	if n, err := strconv.Atoi(flag.Lookup("test.parallel").Value.String()); err == nil && n == runtime.GOMAXPROCS(0) &&
		n < atOnce {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
			panic(err) // it is a number
		}
	}
}

// podsLast ends the brokers behind the pods after the tests, and before the
// control plane.
type podsLast struct{ m labtest.TestingM }

func (p podsLast) Run() int {
	code := p.m.Run()
	brokers.mu.Lock()
	defer brokers.mu.Unlock()
	if brokers.stop != nil {
		if err := brokers.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the brokers:", err)
			return max(code, 1)
		}
	}
	return code
}

// hurry is how much faster the brokers' clock goes: an evacuation waits most of
// its time. The 20 s it is given for a node's readiness to be seen are still
// three times what that takes on two busy cores.
const hurry = 7

// brokers are behind the pods of every test: a control plane bears one fleet.
var brokers struct {
	mu    sync.Mutex
	fleet *emqxpod.Fleet // guarded by mu
	stop  func() error   // guarded by mu
}

// fleet gives the brokers behind the pods of the control plane.
func labFleet(t testing.TB, lab *kubelab.Lab) *emqxpod.Fleet {
	t.Helper()
	brokers.mu.Lock()
	defer brokers.mu.Unlock()
	if brokers.fleet == nil {
		begun := time.Now()
		f, err := emqxpod.New(lab,
			emqxpod.Config{Now: func() time.Time { return begun.Add(hurry * time.Since(begun)) }})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		brokers.fleet = f
		brokers.stop = func() error { cancel(); return <-done }
	}
	return brokers.fleet
}
