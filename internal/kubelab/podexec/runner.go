package podexec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/podsim"
)

// Config says whose pods are run, and where.
type Config struct {
	// Selector selects pods by their labels. Required.
	Selector string
	// Dir is a folder for roots, volumes and logs. It must exist and be a pod's own in
	// every directory above, so that other users can reach what is in it. Required.
	Dir string
	// Logger is told what goes wrong; nil is silence.
	Logger *slog.Logger
}

// Runner runs pods. Its methods may be called from any goroutine.
type Runner struct {
	lab *kubelab.Lab
	sim *podsim.Sim
	dir string
	log *slog.Logger

	mu      sync.Mutex
	done    map[string]bool   // guarded by mu; pods whose init containers have ended well, by uid
	folders map[string]string // guarded by mu; of the newest pod of a name, by namespace/name
}

// New makes a runner for the pods of lab. It starts nothing; see Run and Start.
func New(lab *kubelab.Lab, cfg Config) (*Runner, error) {
	if cfg.Selector == "" || cfg.Dir == "" {
		return nil, errors.New("podexec: Config.Selector and Config.Dir are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	rest, err := podsim.Admin(lab)
	if err != nil {
		return nil, err
	}
	r := &Runner{lab: lab, dir: cfg.Dir, log: cfg.Logger, done: map[string]bool{}, folders: map[string]string{}}
	r.sim, err = podsim.New(podsim.Config{REST: rest, Factory: r.boot, Selector: cfg.Selector, Logger: cfg.Logger})
	return r, err
}

// Run runs pods until ctx ends and returns when the last process has ended. Call it
// once.
func (r *Runner) Run(ctx context.Context) error {
	return r.sim.Run(ctx)
}

// Restart ends the process of a pod and starts it again as the kubelet does, counted.
func (r *Runner) Restart(namespace, pod string) error { return r.sim.Restart(namespace, pod) }

// Log returns what a container of the newest pod of a name has printed.
func (r *Runner) Log(namespace, pod, container string) string {
	r.mu.Lock()
	dir := r.folders[namespace+"/"+pod]
	r.mu.Unlock()
	text, err := os.ReadFile(logFile(dir, container))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Start runs the selected pods until the test ends.
func Start(t testing.TB, lab *kubelab.Lab, selector string) *Runner {
	t.Helper()
	dir, err := os.MkdirTemp("", "podexec-") // not the test's: other users may not enter that
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the pods' folders: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the pods' users enter it
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	r, err := New(lab, Config{Selector: selector, Dir: dir, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	// Not the test's context: that ends before its clean-ups run.
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run the pods: %v", err)
		}
	})
	return r
}

// boot is a pod's start: its init containers, unless they have run, and its first
// container.
func (r *Runner) boot(ctx context.Context, p podsim.Pod) (podsim.Process, error) {
	b, err := r.newBox(ctx, p)
	if err != nil {
		return podsim.Process{}, err
	}
	r.mu.Lock()
	r.folders[p.Namespace+"/"+p.Name] = b.dir
	r.mu.Unlock()
	last := len(p.Containers) - 1
	if !r.initialized(p.UID) {
		for _, c := range p.Containers[:last] {
			if err := b.finish(ctx, c); err != nil {
				return podsim.Process{}, fmt.Errorf("init container %s: %w", c.Name, err)
			}
		}
		r.mu.Lock()
		r.done[p.UID] = true
		r.mu.Unlock()
	}
	return b.start(ctx, p.Containers[last])
}

func (r *Runner) initialized(uid string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done[uid]
}

// newBox prepares what the containers of a pod share.
func (r *Runner) newBox(ctx context.Context, p podsim.Pod) (*box, error) {
	b := &box{pod: p, dir: filepath.Join(r.dir, p.UID), volumes: map[string]string{}}
	if err := os.MkdirAll(b.dir, 0o755); err != nil { //nolint:gosec // the pod's user enters it
		return nil, err
	}
	if err := r.mountVolumes(ctx, b); err != nil {
		return nil, err
	}
	hosts, err := r.hosts(ctx, p)
	if err != nil {
		return nil, err
	}
	b.hosts = filepath.Join(b.dir, "hosts")
	return b, os.WriteFile(b.hosts, []byte(hosts), 0o600)
}
