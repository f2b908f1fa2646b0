package emqxsim

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
)

// ProvisionerConfig configures a simulated platform. The zero value keeps everything in
// memory.
type ProvisionerConfig struct {
	// Dir holds one JSON file for each cluster. It is created if it does not exist and is
	// readable by its owner only, since the files hold the keys of the simulated brokers.
	// Only one Provisioner at a time may use it. If it is empty, everything is in memory.
	Dir string
	// Now is the clock of the simulation; nil means time.Now. Watch sleeps in real time:
	// with a clock that is moved by hand it wakes late.
	Now      func() time.Time
	BootTime time.Duration // from the creation of a pod until it is ready; 0 means 2 s
	StopTime time.Duration // from the deletion of a pod until it is gone; 0 means a quarter of BootTime
	// The least time that the removal of a namespace takes; 0 means half of BootTime.
	TerminateTime time.Duration
	// AnswerTime is the last part of BootTime, in which EMQX answers in a pod that is not
	// ready yet. 0 means that it answers only when the pod is ready. A join according to
	// [Pace] that takes longer happens after clients have connected.
	AnswerTime time.Duration
	Pace       Pace // of the EMQX clusters; the zero value is instant
	// RenewTime is the time from a change of a cluster's certificate until nodes that run serve
	// it to new clients. 0 means 3 minutes: one in which Kubernetes writes the files, and two
	// after which EMQX looks after them.
	RenewTime time.Duration
	// RenderVersion is the newest render version that the platform reports; 0 means 1. A
	// higher one simulates a newer build.
	RenderVersion int
	// License and Limit apply to EMQX clusters without a license of their own, as in
	// [ClusterConfig]. From 5.9 on nodes form a cluster only with a license; [LicenseKey]
	// returns one for the catalog.
	License *License
	Limit   int
	// Seed adds to a new EMQX cluster what it should contain from the beginning, such as
	// clients and rules. It is called when the cluster is first used, and must not call the
	// Provisioner. The contents of brokers are in memory only, so Seed is called again
	// after a restart of the program. It may be nil.
	Seed   func(*Cluster)
	Logger *slog.Logger // nil discards all entries
}

// Provisioner simulates the platform on which hosted clusters run. Beyond the promises of
// its interfaces, what is observed depends only on the last change and on the clock.
type Provisioner struct {
	cfg   ProvisionerConfig
	pace  pace
	files *files // nil if everything is in memory
	fence *fence
	self  *program // of this program, among those that Peer adds

	unreachable atomic.Bool
	writes      atomic.Int64

	mu       sync.Mutex
	clusters map[ecp.ID]*entry // guarded by mu; entries are never removed
	ports    map[int]ecp.ID    // guarded by mu; node ports in use
	fail     error             // guarded by mu; what Apply returns

	watching sync.RWMutex
	watchers map[*watcher]bool // guarded by watching
}

// entry is one cluster of a Provisioner.
type entry struct {
	mu sync.Mutex
	st state // guarded by mu; as of the last change

	// The cached result of state.next for the time from. Both are guarded by mu and zero
	// after a change.
	from, next time.Time
	quiet      bool // nothing changes by itself after from

	hosted *hosted // guarded by mu; the EMQX cluster, nil until it is first used
	// The settings of each revision of pods; guarded by mu.
	settings map[string]map[string]string
	runTime  map[string]string // settings that nodes of any revision start with
}

var (
	_ ecp.Provisioner   = (*Provisioner)(nil)
	_ ecp.Watcher       = (*Provisioner)(nil)
	_ ecp.Accessor      = (*Provisioner)(nil)
	_ ecp.Renderer      = (*Provisioner)(nil)
	_ ecp.LogReader     = (*Provisioner)(nil)
	_ ecp.Fencer        = (*Provisioner)(nil)
	_ ecp.Fencer        = (*Peer)(nil)
	_ ecp.ClusterLister = (*Provisioner)(nil)
	_ ecp.ClientDialer  = (*Provisioner)(nil)
	_ ecp.TLSDialer     = (*Provisioner)(nil)
)

// NewProvisioner reads the files in Dir. An error names the file that cannot be used; then
// nothing has been changed.
func NewProvisioner(c ProvisionerConfig) (*Provisioner, error) {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.BootTime, 2*time.Second)
	set(&c.StopTime, c.BootTime/4)
	set(&c.TerminateTime, c.BootTime/2)
	set(&c.RenewTime, 3*time.Minute)
	c.AnswerTime = min(max(c.AnswerTime, 0), c.BootTime)
	if c.RenderVersion == 0 {
		c.RenderVersion = 1
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Provisioner{
		cfg: c, pace: pace{c.BootTime, c.StopTime, c.TerminateTime}, fence: newFence(), self: newSeat(thisHost()),
		clusters: map[ecp.ID]*entry{}, ports: map[int]ecp.ID{}, watchers: map[*watcher]bool{},
	}
	if c.Dir == "" {
		return p, nil
	}
	if err := p.open(c.Dir); err != nil {
		return nil, err
	}
	return p, nil
}

// open reads the files of a directory.
func (p *Provisioner) open(dir string) error {
	f, states, err := openFiles(dir)
	if err != nil {
		return err
	}
	p.files = f
	for _, st := range states {
		e := &entry{}
		p.clusters[st.ID] = e
		p.keep(e, st)
		p.fence.raiseEpoch(st.Epoch)
		p.sweep(st.ID)
	}
	return nil
}

// RenderVersion returns the newest version of rendering objects.
func (p *Provisioner) RenderVersion() int { return p.cfg.RenderVersion }

// RunTimeConfig reports that nodes find such settings when they start, whatever the version.
func (p *Provisioner) RunTimeConfig(int) bool { return true }

// Writes returns the number of changes that were stored, by calls and by hooks. A call that
// changes nothing stores nothing.
func (p *Provisioner) Writes() int { return int(p.writes.Load()) }

// now returns the time without its monotonic part, as it is after it was stored.
func (p *Provisioner) now() time.Time { return p.cfg.Now().Round(0).UTC() }

// entry returns the entry of a cluster and creates it if there is none.
func (p *Provisioner) entry(id ecp.ID) *entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.clusters[id]
	if e == nil {
		e = &entry{st: state{ID: id}}
		p.clusters[id] = e
	}
	return e
}

// at returns the state of a cluster at a time. It creates no entry for an unknown cluster.
func (p *Provisioner) at(id ecp.ID, now time.Time) state {
	p.mu.Lock()
	e := p.clusters[id]
	p.mu.Unlock()
	if e == nil {
		return state{ID: id}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.at(now, p.pace)
}

// at returns the state at a time. The caller holds e.mu.
func (e *entry) at(now time.Time, d pace) state {
	st := e.st.clone()
	st.settle(now, d)
	return st
}

// change runs fn on the present state and stores the result if it differs, even if fn
// fails: what fn has changed until then is kept.
func (p *Provisioner) change(id ecp.ID, fn func(s *state, now time.Time) error) error {
	changed, err := p.store(id, fn)
	if changed {
		p.wake(id)
	}
	return err
}

func (p *Provisioner) store(id ecp.ID, fn func(s *state, now time.Time) error) (changed bool, err error) {
	e := p.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := p.now()
	before := e.at(now, p.pace)
	st := before.clone()
	failed := fn(&st, now)
	if reflect.DeepEqual(before, st) {
		return false, failed
	}
	if err := p.files.write(st); err != nil {
		return false, &ecp.Error{
			Code: ecp.CodeUnavailable, Op: "store simulated cluster",
			Message: "the disk did not take it; it is tried again", Cause: err,
		}
	}
	p.writes.Add(1)
	p.keep(e, st)
	return true, failed
}

// keep makes st the state of the entry. The caller holds e.mu, or owns e.
func (p *Provisioner) keep(e *entry, st state) {
	e.st, e.from, e.next, e.quiet = st, time.Time{}, time.Time{}, false
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.ports, func(_ int, owner ecp.ID) bool { return owner == st.ID })
	if st.Service != nil {
		for _, port := range st.Service.Ports {
			if port.NodePort != 0 {
				p.ports[port.NodePort] = st.ID
			}
		}
	}
}

// Observe returns what can be seen of a cluster.
func (p *Provisioner) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	if err := p.checkReachable(ctx, "observe cluster"); err != nil {
		return ecp.Observation{}, err
	}
	now := p.now()
	st := p.at(id, now)
	o := st.observe(now)
	p.probe(&o, id, st.version())
	return o, nil
}

// Apply changes the cluster towards d. Each call replaces the ordinals in d.Roll; a healthy
// one is replaced only while all others are healthy.
func (p *Provisioner) Apply(ctx context.Context, d ecp.Desired) error {
	return p.applyAs(ctx, p.self, d)
}

func (p *Provisioner) applyAs(ctx context.Context, as *program, d ecp.Desired) error {
	if err := p.checkReachable(ctx, "apply cluster"); err != nil {
		return err
	}
	p.mu.Lock()
	fail := p.fail
	p.mu.Unlock()
	if fail != nil {
		return fail
	}
	if err := p.check(d); err != nil {
		return err
	}
	if d.RenderVersion == 0 {
		d.RenderVersion = p.cfg.RenderVersion
	}
	return p.write(ctx, as, "apply cluster", d.ID, func(s *state, now time.Time) error {
		err := s.apply(d, now, p.pace, func() (int, error) { return p.nodePort(d.ID) })
		if s.Workload != nil && s.Workload.Own == s.revision(d) {
			p.entry(d.ID).remember(s.Workload.Revision, d)
			if r := s.Replicants; r != nil && r.Workload != nil {
				p.entry(d.ID).remember(r.Workload.Revision, d)
			}
			p.entry(d.ID).runTime = maps.Clone(d.RunTimeConfig)
		}
		return err
	})
}

// Delete begins to remove the cluster with its data.
func (p *Provisioner) Delete(ctx context.Context, id ecp.ID) error {
	return p.deleteAs(ctx, p.self, id)
}

func (p *Provisioner) deleteAs(ctx context.Context, as *program, id ecp.ID) error {
	if err := p.checkReachable(ctx, "delete cluster"); err != nil {
		return err
	}
	return p.write(ctx, as, "delete cluster", id, func(s *state, now time.Time) error {
		s.remove(now, p.pace)
		return nil
	})
}

// checkReachable returns an error if the platform does not answer.
func (p *Provisioner) checkReachable(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "it was given up", Cause: err}
	}
	if p.unreachable.Load() {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "the simulated platform does not answer; it is " +
			"tried again"}
	}
	return nil
}

// The range of Kubernetes' node ports.
const (
	firstNodePort = 30000
	nodePorts     = 2768
)

// nodePort allocates a port that no other cluster has.
func (p *Provisioner) nodePort(id ecp.ID) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for port := firstNodePort; port < firstNodePort+nodePorts; port++ {
		if _, taken := p.ports[port]; !taken {
			p.ports[port] = id
			return port, nil
		}
	}
	return 0, &ecp.Error{Code: ecp.CodeUnavailable, Op: "apply cluster", Message: "all node ports are taken"}
}
