package kubelab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Config describes the lab to start. Its zero value can be used.
type Config struct {
	// Nodes is the number of nodes, 1 to 16. Zero means 3. Each node can run 1000
	// pods and is in a zone of its own.
	Nodes int
	// IPv6 gives pods and services IPv6 addresses only. Without it pods have IPv4
	// addresses, and services have both families on request.
	IPv6 bool
	// Audit writes down what is changed through the API server; see Lab.AuditLog.
	Audit bool
	// Logger gets slow and unexpected events. Without one nothing is logged.
	Logger *slog.Logger
}

// Lab is a running control plane. Its fields must not be changed. Its methods may be
// called from several goroutines.
type Lab struct {
	Dir        string // everything the lab writes; removed by Stop
	URL        string // of the API server
	Kubeconfig string // path; the administrator's, member of system:masters
	CAFile     string // path; PEM of the authority behind every certificate
	PodCIDR    string // every address in it is this machine
	NodeIP     string // InternalIP of every node
	// AuditLog is the path of the API server's audit log: an event of audit.k8s.io/v1 in
	// each line, with both bodies, for each request by others than the control plane's own
	// programs that creates, changes or deletes something but its status. It is empty
	// without Config.Audit. The event of a request may be there a moment after its answer.
	AuditLog string

	log    *slog.Logger
	bin    string
	net    network
	ipv6   bool
	audit  bool
	held   io.Closer // the network; nil until it is claimed
	ca     *authority
	client *http.Client
	lock   *fileLock // held while the lab lives
	launch *launcher
	failed chan error
	once   sync.Once
	result error // of Stop

	mu    sync.Mutex
	procs []*process // guarded by mu, in order of start; a stopped one is taken out
}

// startLimit bounds a start after the build; ten times what a busy two-core
// machine needs.
const startLimit = 90 * time.Second

// Start builds the programs when needed, starts a control plane and returns
// when its nodes are Ready and take pods. ctx bounds starting only: the lab
// lives until Stop or the end of this process. When Start fails nothing is left
// running.
func Start(ctx context.Context, cfg Config) (*Lab, error) {
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	if cfg.Nodes < 1 || cfg.Nodes > 16 {
		return nil, fmt.Errorf("start a lab of %d nodes: there can be 1 to 16", cfg.Nodes)
	}
	if err := Available(); err != nil {
		return nil, err
	}
	bin, err := Build(ctx, cfg.Logger)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it took more than %v", startLimit))
	defer cancel()
	l := &Lab{log: logger(cfg.Logger), bin: bin, ipv6: cfg.IPv6, audit: cfg.Audit, failed: make(chan error, 1)}
	begun := time.Now()
	if err := l.start(ctx, cfg.Nodes); err != nil {
		kept := l.keepLogs()
		return nil, errors.Join(fmt.Errorf("start the control plane: %w%s", err, kept), l.Stop())
	}
	l.log.Info("control plane ready",
		"url", l.URL, "pods", l.PodCIDR, "took", time.Since(begun).Round(time.Millisecond))
	return l, nil
}

func (l *Lab) start(ctx context.Context, nodes int) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	if err := l.prepare(); err != nil {
		return err
	}
	for _, p := range []program{l.etcd(), l.apiServer()} {
		if err := l.run(p); err != nil {
			return err
		}
	}
	// It must be ready, not only alive: before it has created its roles it refuses the
	// other programs, which then try again after ever longer pauses.
	if err := l.until(ctx, "the API server is ready", l.answers("/readyz")); err != nil {
		return err
	}
	for _, p := range []program{l.controllerManager(), l.scheduler(), l.kwok(), l.kubelet()} {
		if err := l.run(p); err != nil {
			return err
		}
	}
	return l.populate(ctx, nodes)
}

// prepare writes every file the programs read.
func (l *Lab) prepare() error {
	l.NodeIP, l.PodCIDR = l.net.node(), l.net.route()
	if l.ipv6 {
		l.PodCIDR = l.net.route6()
	}
	l.URL = "https://" + l.loopback(apiPort)
	if err := os.Mkdir(filepath.Join(l.Dir, "logs"), 0o700); err != nil {
		return err
	}
	var err error
	if l.ca, err = newAuthority(filepath.Join(l.Dir, "pki"), l.URL); err != nil {
		return err
	}
	if err := errors.Join(l.writeIdentities(), l.writeStages(), l.writeAuditPolicy()); err != nil {
		return err
	}
	l.Kubeconfig, l.CAFile = l.ca.path("admin.kubeconfig"), l.ca.path("ca.crt")
	l.client, err = l.ca.client("admin")
	l.launch = newLauncher(l.bin, l.Dir)
	return err
}

// keepLogs moves the logs of a failed start to a folder that Stop does not remove,
// and returns a text that names it. The folder has the logs of the last failure only.
func (l *Lab) keepLogs() string {
	if l.lock == nil {
		return ""
	}
	to := filepath.Join(l.Dir, "..", "..", "failed-start")
	if os.RemoveAll(to) != nil || os.Rename(filepath.Join(l.Dir, "logs"), to) != nil {
		return ""
	}
	return "; the programs' logs are in " + filepath.Clean(to)
}

// run starts a program and watches over it.
func (l *Lab) run(p program) error {
	proc, err := l.launch.start(p)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.procs = append(l.procs, proc)
	l.mu.Unlock()
	go l.watch(proc)
	return nil
}

// watch reports that a process has ended by itself.
func (l *Lab) watch(p *process) {
	<-p.done
	if !l.has(p) {
		return
	}
	err := p.death()
	l.log.Error("a program of the control plane ended", "program", p.name, "err", err)
	select {
	case l.failed <- err:
	default:
	}
}

func (l *Lab) has(p *process) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range l.procs {
		if p == q {
			return true
		}
	}
	return false
}

// take returns the process of that name, which is then not watched any more. It
// returns nil if there is none.
func (l *Lab) take(name string) *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range l.procs {
		if p.name == name {
			l.procs = append(l.procs[:i:i], l.procs[i+1:]...)
			return p
		}
	}
	return nil
}

// Failed returns a channel that yields an error when a program has ended by itself.
// The lab is then broken and should be stopped.
func (l *Lab) Failed() <-chan error { return l.failed }

// Stop ends every program, releases the addresses, and removes the lab's folders,
// including those of its volumes. Further calls return the same result.
func (l *Lab) Stop() error {
	l.once.Do(func() { l.result = l.stop() })
	return l.result
}

func (l *Lab) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var errs []error
	if l.client != nil {
		errs = append(errs, l.removeVolumes(ctx))
		l.client.CloseIdleConnections()
	}
	l.mu.Lock()
	procs := l.procs
	l.procs = nil
	l.mu.Unlock()
	for i := len(procs) - 1; i >= 0; i-- {
		procs[i].kill()
	}
	if l.launch != nil {
		l.launch.close()
	}
	if l.held != nil {
		errs = append(errs, l.net.release(ctx), l.held.Close())
	}
	if l.lock != nil {
		errs = append(errs, os.RemoveAll(l.Dir))
		l.lock.unlock()
	}
	return errors.Join(errs...)
}

func logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
