// Package labtest starts a control plane of package kubelab for tests: one for the
// whole test binary, which the first call of Start starts and M stops.
//
// Where a control plane cannot be started, the test is skipped with one line that
// names what is missing. With the environment variable OPENECP_REQUIRE_KUBELAB=1,
// as in CI, it fails instead.
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(labtest.M(m)) }
//
//	func TestSomething(t *testing.T) {
//		lab := labtest.Start(t)
//		ns := labtest.Namespace(t, lab)
//		...
//	}
package labtest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/internal/kubelab"
)

// RequireEnv names the variable that makes a missing control plane a failure.
const RequireEnv = "OPENECP_REQUIRE_KUBELAB"

// UnreadCloseError is a function for goleak.IgnoreTopFunction. If a connection is
// gone already when the SPDY library closes it, a goroutine offers the error for ten
// minutes, and client-go has no way to receive it.
const UnreadCloseError = "github.com/moby/spdystream.(*Connection).shutdown"

// shared is the test binary's lab.
var shared struct {
	mu  sync.Mutex
	cfg kubelab.Config // guarded by mu
	lab *kubelab.Lab   // guarded by mu
	err error          // guarded by mu; of the one attempt to start
}

// Start returns the lab of this test binary; all tests share it, so each makes
// names of its own (see Namespace) and leaves the nodes alone. With -short, or
// on a machine that lacks something, the test is skipped. A lab that fails to
// start although nothing is missing fails the test.
func Start(t testing.TB) *kubelab.Lab {
	t.Helper()
	Need(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.lab == nil && shared.err == nil {
		// Not the test's context: the lab outlives the test.
		shared.lab, shared.err = start(context.Background(), shared.cfg)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.lab
}

// Own returns a lab for this test alone, which may break it: after an outage of the
// API server the controllers need up to half a minute to come back. It takes five
// seconds and most of a gigabyte, and is stopped when the test ends.
func Own(t testing.TB) *kubelab.Lab {
	t.Helper()
	Need(t)
	return own(t, kubelab.Config{})
}

// IPv6 returns a lab for this test alone, whose pods and services have IPv6
// addresses only. It costs as much as Own.
func IPv6(t testing.TB) *kubelab.Lab {
	t.Helper()
	Need(t)
	return own(t, kubelab.Config{IPv6: true})
}

func own(t testing.TB, cfg kubelab.Config) *kubelab.Lab {
	t.Helper()
	lab, err := start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Stop(); err != nil {
			t.Errorf("stop the control plane: %v", err)
		}
	})
	return lab
}

func start(ctx context.Context, cfg kubelab.Config) (*kubelab.Lab, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg.Logger = log
	return kubelab.Start(ctx, cfg)
}

// Need skips the test if no lab can be started here. It is for tests that start one
// in their own way.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		skip(t, "kubelab: no control plane with -short")
	}
	if err := kubelab.Available(); err != nil {
		skip(t, err.Error())
	}
}

func skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(RequireEnv) == "1" {
		t.Fatalf("%s (and %s=1 forbids to skip)", reason, RequireEnv)
	}
	t.Skip(reason)
}

// TestingM is what goleak.VerifyTestMain takes.
type TestingM interface{ Run() int }

// M wraps m for TestMain: Run runs the tests, then stops the lab, which is as set says.
// Without it the lab's programs still end with the test binary, but its folder and its
// route stay until the next start of some lab.
func M(m TestingM, set ...func(*kubelab.Config)) TestingM {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, s := range set {
		s(&shared.cfg)
	}
	return main{m}
}

type main struct{ m TestingM }

func (w main) Run() int {
	code := w.m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "labtest: stop the control plane:", err)
		return max(code, 1)
	}
	return code
}

func stop() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.lab == nil {
		return nil
	}
	lab := shared.lab
	shared.lab = nil
	return lab.Stop()
}

// Namespace creates a namespace for one test, with labels that are given as key,
// value, key, value, and returns its name. It is deleted when
// the test ends. The test does not wait for that, which takes five seconds or more.
func Namespace(t testing.TB, lab *kubelab.Lab, labels ...string) string {
	t.Helper()
	name := fmt.Sprintf("test-%08x", rand.Uint32())
	kv := map[string]string{}
	for i := 0; i+1 < len(labels); i += 2 {
		kv[labels[i]] = labels[i+1]
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": kv},
	})
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := lab.Do(t.Context(), http.MethodPost, "/api/v1/namespaces", body)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("create namespace %s: %d %s %v", name, status, answer, err)
	}
	// Pods cannot be created before it exists, and Kubernetes' controllers need a while
	// to come back after an outage of the API server.
	has := "namespace " + name + " has its service account"
	Eventually(t, 2*time.Minute, has, func(ctx context.Context) (bool, string) {
		status, answer, err := lab.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+name+"/serviceaccounts/default", nil)
		return err == nil && status == http.StatusOK, fmt.Sprintf("%d %s %v", status, answer, err)
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, _, err := lab.Do(ctx, http.MethodDelete, "/api/v1/namespaces/"+name, nil); err != nil {
			t.Logf("delete namespace %s: %v", name, err)
		}
	})
	return name
}

// leastLimit is how long Eventually waits at least: a whole control plane shares two busy
// cores with the race detector.
const leastLimit = 2 * time.Minute

// Eventually calls ok every 50 ms until it returns true. After limit, which is two minutes
// at least, it fails the test with the text that ok returned last.
func Eventually(t testing.TB, limit time.Duration, what string, ok func(ctx context.Context) (bool, string)) {
	t.Helper()
	limit = max(limit, leastLimit)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	seen := "nothing"
	for {
		yes, now := ok(ctx)
		if yes {
			return
		}
		if ctx.Err() == nil { // otherwise it is only the error of ctx
			seen = now
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s; last seen: %s", limit, what, seen)
		case <-tick.C:
		}
	}
}
