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

// ProvisionerConfig says how a simulated platform behaves. The zero value
// keeps everything in memory.
type ProvisionerConfig struct {
	// Dir holds one JSON file for each cluster, made if missing, readable by its
	// owner only: there are the simulated brokers' keys in it. "" = memory only.
	// One Provisioner at a time may use it.
	Dir string
	// Now is the clock everything follows; nil = time.Now. Watch sleeps in real
	// time: with a clock that is moved by hand it wakes late.
	Now           func() time.Time
	BootTime      time.Duration // from a pod's making until it is ready; 0 = 2 s
	StopTime      time.Duration // from its deletion until it has gone; 0 = a quarter of BootTime
	TerminateTime time.Duration // the least a namespace takes to go; 0 = half of BootTime
	// AnswerTime is how long EMQX answers in a pod before that counts as ready, of
	// BootTime; 0 = it answers when the pod is ready. A join by [Pace] that takes
	// longer comes when clients are there.
	AnswerTime time.Duration
	Pace       Pace // of the EMQX clusters; zero = quick
	// RenderVersion is the newest way of rendering it claims to have; 0 = 1. A
	// higher one is how a newer build of it looks.
	RenderVersion int
	// License and Limit are those of EMQX clusters that are made without one of
	// their own, as of [ClusterConfig]. From 5.9 on nodes form a cluster with a
	// licence only; [LicenseKey] makes one for the catalogue.
	License *License
	Limit   int
	// Furnish puts into a new EMQX cluster what is in it from the beginning, such
	// as clients and rules, when somebody first looks at it. It must not call the
	// Provisioner. What brokers hold lives in memory: after a restart of the
	// program they are new. nil = nothing.
	Furnish func(*Cluster)
	Logger  *slog.Logger // nil = nothing is said
}

// Provisioner simulates the platform that hosted clusters run on. Beside the
// promises of the interfaces it keeps one of its own: what is seen follows from
// the last change and the clock alone.
type Provisioner struct {
	cfg   ProvisionerConfig
	pace  pace
	files *files // nil = memory only
	fence *fence
	seat  *seat // this program's, of those that Peer adds

	unreachable atomic.Bool
	writes      atomic.Int64

	mu       sync.Mutex
	clusters map[ecp.ID]*entry // guarded by mu; entries are never removed
	ports    map[int]ecp.ID    // guarded by mu; node ports that were given
	fail     error             // guarded by mu; what Apply returns

	watching sync.RWMutex
	watchers map[*watcher]bool // guarded by watching
}

// entry is one cluster of a Provisioner.
type entry struct {
	mu sync.Mutex
	st state // guarded by mu; as of the last change

	// The next moment something changes, as asked for from a moment on; both
	// guarded by mu, zero after a change.
	from, next time.Time
	quiet      bool // nothing changes after from

	hosted *hosted // guarded by mu; the EMQX cluster, nil until somebody looks
	// settings of each revision of pods; guarded by mu.
	settings map[string]map[string]string
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
)

// NewProvisioner reads what Dir holds. An error names the file that cannot be
// used; nothing is then changed.
func NewProvisioner(c ProvisionerConfig) (*Provisioner, error) {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.BootTime, 2*time.Second)
	set(&c.StopTime, c.BootTime/4)
	set(&c.TerminateTime, c.BootTime/2)
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
		cfg: c, pace: pace{c.BootTime, c.StopTime, c.TerminateTime}, fence: newFence(), seat: newSeat(thisHost()),
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

// open takes up what a directory holds.
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
		p.fence.seen(st.Epoch)
		p.sweep(st.ID)
	}
	return nil
}

// RenderVersion is the newest way objects are rendered.
func (p *Provisioner) RenderVersion() int { return p.cfg.RenderVersion }

// Writes counts the changes that were stored, by calls and by hooks. A call
// that changes nothing stores nothing.
func (p *Provisioner) Writes() int { return int(p.writes.Load()) }

// now is without the monotonic clock, as it is after it was stored.
func (p *Provisioner) now() time.Time { return p.cfg.Now().Round(0).UTC() }

// entry gives a cluster's entry; it is made where there is none.
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

// at gives the state of a cluster at a moment; nothing is made for one that
// nobody knows.
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

// at is the state at a moment; the caller holds e.mu.
func (e *entry) at(now time.Time, d pace) state {
	st := e.st.clone()
	st.settle(now, d)
	return st
}

// change runs fn on the state of now and stores what follows, also where fn
// fails: what it has done until then is done. Nothing is stored where nothing
// differs.
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
		return false, &ecp.Error{Code: ecp.CodeUnavailable, Op: "store simulated cluster", Message: "the disk did not take it; it is tried again", Cause: err}
	}
	p.writes.Add(1)
	p.keep(e, st)
	return true, failed
}

// keep makes st the entry's state; the caller holds e.mu, or owns e.
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

// Observe says what is there.
func (p *Provisioner) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	if err := p.reach(ctx, "observe cluster"); err != nil {
		return ecp.Observation{}, err
	}
	now := p.now()
	st := p.at(id, now)
	o := st.observe(now)
	p.probe(&o, id, st.version())
	return o, nil
}

// Apply converges what is there towards d. Ordinals in d.Roll are replaced in
// every call that names them; a healthy one only while all others are healthy.
func (p *Provisioner) Apply(ctx context.Context, d ecp.Desired) error {
	return p.applyAs(ctx, p.seat, d)
}

func (p *Provisioner) applyAs(ctx context.Context, as *seat, d ecp.Desired) error {
	if err := p.reach(ctx, "apply cluster"); err != nil {
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
	return p.write(as, "apply cluster", d.ID, func(s *state, now time.Time) error {
		err := s.apply(d, now, p.pace, func() (int, error) { return p.nodePort(d.ID) })
		if s.Workload != nil && s.Workload.Own == revision(d) {
			p.entry(d.ID).remember(s.Workload.Revision, d)
		}
		return err
	})
}

// Delete begins the removal of everything, data included.
func (p *Provisioner) Delete(ctx context.Context, id ecp.ID) error {
	return p.deleteAs(ctx, p.seat, id)
}

func (p *Provisioner) deleteAs(ctx context.Context, as *seat, id ecp.ID) error {
	if err := p.reach(ctx, "delete cluster"); err != nil {
		return err
	}
	return p.write(as, "delete cluster", id, func(s *state, now time.Time) error {
		s.remove(now, p.pace)
		return nil
	})
}

// reach says whether the platform can be spoken to.
func (p *Provisioner) reach(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "it was given up", Cause: err}
	}
	if p.unreachable.Load() {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "the simulated platform does not answer; it is tried again"}
	}
	return nil
}

// The range Kubernetes takes node ports from.
const (
	firstNodePort = 30000
	nodePorts     = 2768
)

// nodePort gives out a port that no other cluster has.
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
