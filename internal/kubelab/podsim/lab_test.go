package podsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/openecp/openecp/internal/kubelab/podsim"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(labtest.M(m), goleak.IgnoreTopFunction(labtest.UnreadCloseError))
}

// bed is one simulation on the lab, of the pods of one namespace; it passes
// other tests' pods by.
type bed struct {
	*podsim.Sim
	lab *kubelab.Lab
	ns  string
}

// start runs a simulation until the test ends.
func start(t *testing.T, cfg podsim.Config) *bed {
	t.Helper()
	return startOn(t, labtest.Start(t), cfg)
}

func startOn(t *testing.T, lab *kubelab.Lab, cfg podsim.Config) *bed {
	t.Helper()
	b := &bed{lab: lab, ns: labtest.Namespace(t, lab, podsim.Label, "test")}
	var err error
	if cfg.REST, err = podsim.Admin(lab); err != nil {
		t.Fatal(err)
	}
	of := cfg.Factory
	cfg.Factory = func(ctx context.Context, p podsim.Pod) (podsim.Process, error) {
		if p.Namespace != b.ns {
			return podsim.Process{}, errors.New("of another test")
		}
		return of(ctx, p)
	}
	if b.Sim, err = podsim.New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return b
}

// web is a process on port 8080 that answers as told.
type web struct {
	status atomic.Int32 // 0 = 200
	asked  atomic.Int32
}

func (w *web) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	w.asked.Add(1)
	if s := w.status.Load(); s != 0 {
		rw.WriteHeader(int(s))
	}
}

func (w *web) make(context.Context, podsim.Pod) (podsim.Process, error) {
	return podsim.Process{HTTP: map[int]http.Handler{8080: w}}, nil
}

const container = `{"name":"web","image":"web:1","ports":[{"containerPort":8080}],
	"readinessProbe":{"httpGet":{"path":"/","port":8080},"periodSeconds":5,"failureThreshold":3}%s}`

// pod makes a pod whose container has more fields.
func (b *bed) pod(t *testing.T, name, more string) {
	t.Helper()
	b.post(t, "pods", fmt.Sprintf(`{"metadata":{"name":%q,"labels":{%q:"test"}},"spec":{"containers":[`+container+`]}}`,
		name, podsim.Label, more))
}

func (b *bed) post(t *testing.T, kind, body string) {
	t.Helper()
	status, answer, err := b.lab.Do(t.Context(), http.MethodPost, "/api/v1/namespaces/"+b.ns+"/"+kind, []byte(body))
	if err != nil || status != http.StatusCreated {
		t.Fatalf("create in %s: %d %s %v", kind, status, answer, err)
	}
}

// seen is what a test looks at in a pod.
type seen struct {
	Metadata struct{ UID, ResourceVersion string }
	Status   struct {
		Phase, PodIP string
		Conditions   []struct {
			Type, Status, Reason string
			LastTransitionTime   time.Time
		}
		ContainerStatuses []struct {
			Ready, Started bool
			RestartCount   int
			State          map[string]struct{ Reason, Message string }
		}
	}
}

func (b *bed) get(ctx context.Context, name string) (seen, error) {
	var p seen
	status, body, err := b.lab.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+b.ns+"/pods/"+name, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, body)
	}
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(body, &p)
}

// until waits for a pod to be as asked and gives how long it took.
func (b *bed) until(t *testing.T, name, what string, ok func(seen) bool) (seen, time.Duration) {
	t.Helper()
	var p seen
	begun := time.Now()
	labtest.Eventually(t, 20*time.Second, name+" is "+what, func(ctx context.Context) (bool, string) {
		var err error
		if p, err = b.get(ctx, name); err != nil {
			return false, err.Error()
		}
		return ok(p), fmt.Sprintf("%+v", p.Status)
	})
	return p, time.Since(begun)
}

func (p seen) condition(kind string) (status, reason string, since time.Time) {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c.Status, c.Reason, c.LastTransitionTime
		}
	}
	return "", "", time.Time{}
}

func ready(want string) func(seen) bool {
	return func(p seen) bool {
		all, _, _ := p.condition("Ready")
		containers, _, _ := p.condition("ContainersReady")
		return all == want && containers == want && len(p.Status.ContainerStatuses) == 1 &&
			p.Status.ContainerStatuses[0].Ready == (want == "True")
	}
}

func waiting(reason string) func(seen) bool {
	return func(p seen) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].State["waiting"].Reason == reason
	}
}

// TestReadinessFollowsTheProbe goes through everything that makes a pod ready
// and not ready. The limits leave room for a busy machine; the log says how
// long it took.
func TestReadinessFollowsTheProbe(t *testing.T) {
	w := &web{}
	w.status.Store(http.StatusServiceUnavailable)
	b := start(t, podsim.Config{Factory: w.make})
	b.pod(t, "p", "")
	labtest.Eventually(t, 20*time.Second, "the process is probed", func(context.Context) (bool, string) {
		return w.asked.Load() > 2, fmt.Sprint(w.asked.Load())
	})
	b.until(t, "p", "not ready while the probe fails", ready("False"))
	expect := func(what, want string) seen {
		t.Helper()
		p, took := b.until(t, "p", what, ready(want))
		t.Logf("%s: shown after %v", what, took.Round(time.Millisecond))
		if took > 20*time.Second {
			t.Errorf("%s: shown after %v; want about one second", what, took)
		}
		return p
	}
	w.status.Store(0)
	before := expect("the probe succeeds", "True")
	w.status.Store(http.StatusServiceUnavailable)
	p := expect("the probe fails", "False")
	if _, reason, _ := p.condition("Ready"); reason != "ContainersNotReady" || !p.Status.ContainerStatuses[0].Started {
		t.Errorf("got reason %q and %+v; want ContainersNotReady, and started", reason, p.Status.ContainerStatuses)
	}
	w.status.Store(http.StatusFound)
	expect("the probe is redirected", "True")

	if err := b.Kill(b.ns, "p"); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", before.Status.PodIP+":8080"); err == nil {
		conn.Close()
		t.Error("a killed process takes connections")
	}
	expect("the process is killed", "False")
	if err := b.Revive(b.ns, "p"); err != nil {
		t.Fatal(err)
	}
	p = expect("the process is revived", "True")
	if p.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Error("revived counts as a restart")
	}
	if err := b.Restart(b.ns, "p"); err != nil {
		t.Fatal(err)
	}
	p, _ = b.until(t, "p", "restarted", func(p seen) bool {
		return p.Status.ContainerStatuses[0].RestartCount == 1 &&
			ready("True")(p)
	})
	if p.Metadata.UID != before.Metadata.UID {
		t.Error("restarted is another pod")
	}
}

// TestQuietWhenNothingChanges: probes go on, the pod is not written.
func TestQuietWhenNothingChanges(t *testing.T) {
	w := &web{}
	b := start(t, podsim.Config{Factory: w.make, ProbeEvery: 10 * time.Millisecond})
	b.pod(t, "p", "")
	before, _ := b.until(t, "p", "ready", ready("True"))
	since := w.asked.Load()
	labtest.Eventually(t, 20*time.Second, "50 more probes", func(context.Context) (bool, string) {
		return w.asked.Load() > since+50, fmt.Sprint(w.asked.Load() - since)
	})
	after, err := b.get(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	if after.Metadata.ResourceVersion != before.Metadata.ResourceVersion {
		t.Errorf("written without a change: before %+v, after %+v", before, after)
	}
	w.status.Store(500)
	b.until(t, "p", "not ready", ready("False"))
	after, _ = b.until(t, "p", "not ready", ready("False"))
	_, _, was := before.condition("Initialized")
	if _, _, is := after.condition("Initialized"); !is.Equal(was) {
		t.Errorf("the time of a condition that did not change went from %v to %v", was, is)
	}
}

// TestMissingSecret: the pod waits as the kubelet makes it wait, then starts.
func TestMissingSecret(t *testing.T) {
	w := &web{}
	got := make(chan podsim.Pod, 10)
	b := start(t, podsim.Config{Factory: func(ctx context.Context, p podsim.Pod) (podsim.Process, error) {
		got <- p
		return w.make(ctx, p)
	}})
	b.pod(t, "p", `,"env":[{"name":"KEY","valueFrom":{"secretKeyRef":{"name":"later","key":"k"}}}]`)
	p, _ := b.until(t, "p", "waiting", waiting("CreateContainerConfigError"))
	if p.Status.Phase != "Pending" ||
		p.Status.ContainerStatuses[0].State["waiting"].Message != `secret "later" not found` {
		t.Errorf("got %+v", p.Status)
	}
	b.post(t, "secrets", `{"metadata":{"name":"later"},"stringData":{"k":"v"}}`)
	p, _ = b.until(t, "p", "ready", ready("True"))
	if p.Status.Phase != "Running" {
		t.Errorf("it runs, and its phase is %s", p.Status.Phase)
	}
	if p := <-got; p.Env["KEY"] != "v" || p.Name != "p" || p.Image != "web:1" {
		t.Errorf("the process saw %+v", p)
	}
}

// TestCrashLoop: a factory that fails is a container that exits.
func TestCrashLoop(t *testing.T) {
	w := &web{}
	var fail atomic.Bool
	fail.Store(true)
	b := start(t, podsim.Config{Factory: func(ctx context.Context, p podsim.Pod) (podsim.Process, error) {
		if fail.Load() {
			return podsim.Process{}, errors.New("bad configuration")
		}
		return w.make(ctx, p)
	}})
	b.pod(t, "p", "")
	p, _ := b.until(t, "p", "in its second crash", func(p seen) bool {
		return waiting("CrashLoopBackOff")(p) && p.Status.ContainerStatuses[0].RestartCount >= 2
	})
	if p.Status.Phase != "Running" ||
		p.Status.ContainerStatuses[0].State["waiting"].Message != "the process exited: bad configuration" {
		t.Errorf("got %+v", p.Status)
	}
	fail.Store(false)
	b.until(t, "p", "ready", ready("True"))
}

func TestRestartAfter(t *testing.T) {
	b := start(t, podsim.Config{Factory: new(web).make, RestartAfter: 50 * time.Millisecond})
	b.pod(t, "p", "")
	b.until(t, "p", "ready", ready("True"))
	if err := b.Kill(b.ns, "p"); err != nil {
		t.Fatal(err)
	}
	b.until(t, "p", "restarted", func(p seen) bool {
		return ready("True")(p) &&
			p.Status.ContainerStatuses[0].RestartCount == 1
	})
}

// TestSuccessorWaits: a pod that comes again under its name finds its
// predecessor's process ended; and one that is gone leaves nothing.
func TestSuccessorWaits(t *testing.T) {
	var mu sync.Mutex
	var events []string
	note := func(s string) { mu.Lock(); events = append(events, s); mu.Unlock() }
	var b *bed
	gone := make(chan struct{}, 1)
	b = start(t, podsim.Config{
		NamespaceGone: func(name string) {
			if name == b.ns { // those of earlier tests go too
				gone <- struct{}{}
			}
		},
		Factory: func(ctx context.Context, p podsim.Pod) (podsim.Process, error) {
			note("start " + p.UID)
			proc, err := new(web).make(ctx, p)
			proc.Exit = func() { note("exit " + p.UID) }
			return proc, err
		},
	})
	b.pod(t, "p", "")
	first, _ := b.until(t, "p", "ready", ready("True"))
	if _, _, err := b.lab.Do(t.Context(), http.MethodDelete, "/api/v1/namespaces/"+b.ns+"/pods/p", nil); err != nil {
		t.Fatal(err)
	}
	labtest.Eventually(t, 10*time.Second, "the pod is gone", func(ctx context.Context) (bool, string) {
		_, err := b.get(ctx, "p")
		return err != nil, fmt.Sprint(err)
	})
	b.pod(t, "p", "")
	second, _ := b.until(t, "p", "ready again", ready("True"))
	if _, _, err := b.lab.Do(t.Context(), http.MethodDelete, "/api/v1/namespaces/"+b.ns, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-time.After(60 * time.Second):
		t.Fatal("nobody said within a minute that the namespace is gone")
	}
	want := []string{"start " + first.Metadata.UID, "exit " + first.Metadata.UID, "start " + second.Metadata.UID,
		"exit " + second.Metadata.UID}
	mu.Lock()
	if fmt.Sprint(events) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", events, want)
	}
	mu.Unlock()
	if err := b.Kill(b.ns, "p"); err == nil {
		t.Error("Kill of a pod that is gone succeeds")
	}
}

// TestAPIServerOutage: processes live on while the API server is away, and what
// happened is written when it is back.
func TestAPIServerOutage(t *testing.T) {
	w := &web{}
	b := startOn(t, labtest.Own(t), podsim.Config{Factory: w.make})
	b.pod(t, "p", "")
	p, _ := b.until(t, "p", "ready", ready("True"))
	if err := b.lab.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + p.Status.PodIP + ":8080/")
	if err != nil {
		t.Errorf("the process is away with the API server: %v", err)
	} else {
		resp.Body.Close()
	}
	w.status.Store(503)
	asked := w.asked.Load()
	labtest.Eventually(t, 10*time.Second, "probes go on", func(context.Context) (bool, string) {
		return w.asked.Load() > asked+5, fmt.Sprint(w.asked.Load() - asked)
	})
	if err := b.lab.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.until(t, "p", "not ready", ready("False"))
}
