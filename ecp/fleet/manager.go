package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
	"github.com/openecp/openecp/ecp/fleet/internal/sched"
	"github.com/openecp/openecp/ecp/tenancy"
)

// Config is what a Manager is made of. Store is required; everything else has
// a usable zero value.
type Config struct {
	Store ecp.Store
	// Provisioners make hosted clusters, by Kubernetes target; "default" is the
	// one a spec gets that names none. Empty = no hosted clusters.
	Provisioners map[string]ecp.Provisioner
	// NewProvisioner makes the Provisioners of targets that are added at run
	// time; nil = none can be.
	NewProvisioner ecp.ProvisionerFactory
	// Sealer encrypts the secrets of catalogues; nil = none can be stored.
	Sealer ecp.Sealer
	// Adapters speak to EMQX, one for each major version; a later major than
	// any of them is spoken to by the newest from 5 on.
	Adapters []ecp.Adapter
	// Link leads to adopted clusters; nil = none can be reached.
	Link ecp.Link
	// AgentAddress is the URL that the guide tells agents to dial; "" = none is
	// configured, and no agent can be told where to go.
	AgentAddress string
	// LocalServiceAddresses allows service addresses of adopted clusters that lead
	// to the host or the link of the browser that opens them, such as 127.0.0.1.
	LocalServiceAddresses bool
	// Logger gets what operators need; nil = nothing is logged.
	Logger *slog.Logger
	// Now is the wall clock, which may step; nil = time.Now. Waiting and patience
	// go by real timers and the monotonic clock.
	Now func() time.Time
	// Workers is how many clusters of a target are written to at once; 0 = 20.
	// Four times as many are looked at, on all targets.
	Workers int
	// Timings is the Manager's patience.
	Timings ecp.Timings
	// Defaults fill an empty store; the zero value takes [ecp.DefaultImages],
	// [ecp.DefaultSizes], [ecp.DefaultPool] and the project "default/default".
	Defaults Defaults
	// Limits bound projects and the like.
	Limits Limits
	// Hasher makes what is stored of passwords; nil = nobody can log in.
	Hasher tenancy.PasswordHasher
	// SessionLife is how long a login is good for; 0 = an hour.
	SessionLife time.Duration
	// AuditKept is how long audit entries are kept; 0 = 90 days.
	AuditKept time.Duration
	// OperationsKept is how long operations that have ended are kept, of those
	// that [Limits] leaves; 0 = 90 days.
	OperationsKept time.Duration
}

// Limits bound what there may be of things that cost little each. Zero fields
// take the default.
type Limits struct {
	ProjectsPerOrg int // 100
	Projects       int // in all; 1,000
	LBProfiles     int // load-balancer profiles; 100
	Operations     int // of one cluster, that have ended: the newest are kept; 100
}

// Defaults is what an empty store begins with. Nil and zero fields take the
// package's own.
type Defaults struct {
	Images   []ecp.Image
	Sizes    []ecp.Size
	Pool     *ecp.Pool
	Projects []string
}

// Manager holds the fleet: it takes commands and, while Run runs, makes what
// is found agree with what is wanted. All methods may be called at once, also
// while Run is not running; commands then wait for it.
type Manager struct {
	store                 ecp.Store
	provisioners          map[string]ecp.Provisioner
	adapters              map[int]ecp.Adapter
	link                  ecp.Link
	agentAddress          string
	localServiceAddresses bool
	log                   *slog.Logger
	now                   func() time.Time
	tick                  func() time.Time // the monotonic clock
	made                  derive.Mark      // when the Manager was
	workers               int
	timings               ecp.Timings
	queue                 *sched.Queue
	slots                 *sched.Slots
	turns                 sched.Turns // of users' questions to brokers
	running               atomic.Bool
	counters              counters
	roster                roster  // for lists
	surveys               surveys // for overviews
	operationsMost        int     // ended ones of one cluster
	sealer                ecp.Sealer
	*change.Writer
	*tenancy.Directory
	*catalog.Catalog

	newProvisioner ecp.ProvisionerFactory
	targets        *targets
	identities     *identities

	auditKept      time.Duration
	operationsKept time.Duration

	unrecorded     unrecordedSeen
	unrecordedTurn sync.Mutex // held while somebody decides of an unrecorded cluster

	knocks sync.WaitGroup // clients that ask whether MQTT is served; waited for after all passes

	mu    sync.Mutex
	looks map[ecp.ID]*memory // what was seen, by cluster; guarded by mu
	// changed are clusters whose secrets have changed since they were applied;
	// guarded by mu.
	changed map[ecp.ID]bool
	// relicensed are clusters whose licence has changed and that EMQX has not been
	// given yet; guarded by mu.
	relicensed map[ecp.ID]bool
}

// New checks the configuration and fills an empty store with defaults. It
// starts nothing: Run does.
func New(ctx context.Context, c Config) (*Manager, error) {
	if c.Store == nil {
		return nil, ecp.NewError(ecp.CodeInvalid, "new manager", "Config.Store is missing; memstore.New() or sqlstore.Open() give one")
	}
	m := &Manager{
		store: c.Store, provisioners: c.Provisioners, link: c.Link, agentAddress: c.AgentAddress, localServiceAddresses: c.LocalServiceAddresses, log: c.Logger, now: c.Now, tick: time.Now, workers: c.Workers,
		timings: c.Timings.WithDefaults(), adapters: map[int]ecp.Adapter{}, queue: sched.NewQueue(), looks: map[ecp.ID]*memory{}, changed: map[ecp.ID]bool{}, relicensed: map[ecp.ID]bool{},
		sealer: c.Sealer, newProvisioner: c.NewProvisioner, targets: newTargets(), identities: newIdentities(), roster: newRoster(), surveys: newSurveys(), operationsMost: cmp.Or(c.Limits.Operations, 100), auditKept: c.AuditKept, operationsKept: c.OperationsKept,
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.workers <= 0 {
		m.workers = 20
	}
	if m.auditKept <= 0 {
		m.auditKept = 90 * 24 * time.Hour
	}
	if m.operationsKept <= 0 {
		m.operationsKept = 90 * 24 * time.Hour
	}
	m.Writer = change.New(m.store, m.log, m.now)
	m.Directory = tenancy.New(tenancy.Config{
		Changes: m.Writer, Hasher: c.Hasher, SessionLife: c.SessionLife,
		ProjectsPerOrg: c.Limits.ProjectsPerOrg, Projects: c.Limits.Projects,
	})
	m.Catalog = catalog.New(catalog.Config{Changes: m.Writer, Sealer: c.Sealer, LBProfiles: c.Limits.LBProfiles, Hooks: m.catalogHooks()})
	m.made = derive.NewMark(ecp.Status{}, m.now(), m.tick())
	m.slots = sched.NewSlots(m.workers)
	m.queue.Lines.Of, m.queue.Lines.Share = m.lineOf, m.workers
	for _, a := range c.Adapters {
		if _, twice := m.adapters[a.Major()]; twice {
			return nil, ecp.NewError(ecp.CodeInvalid, "new manager", fmt.Sprintf("Config.Adapters has two for EMQX %d", a.Major()))
		}
		m.adapters[a.Major()] = a
	}
	if err := m.seed(ctx, c.Defaults); err != nil {
		return nil, fmt.Errorf("fill the store with defaults: %w", err)
	}
	return m, nil
}

// Hooks join the catalog to the fleet that is made of it.
func (m *Manager) catalogHooks() catalog.Hooks {
	h := catalog.Hooks{
		TryLicense: m.tryLicense, LicenceChanged: m.handOutLicense,
		RegistryChanged: func(ctx context.Context, name string) {
			m.handOut(ctx, func(c ecp.ClusterRecord) bool { return c.Resolved.Registry == name })
		},
		BuiltIn: func(name string) bool { return m.provisioners[name] != nil }, TargetsChanged: m.targets.poke,
	}
	if m.newProvisioner != nil {
		h.TryTarget = m.tryTarget
	}
	return h
}

// Run works on the fleet until ctx ends, and returns after every goroutine it
// started has ended: nil when ctx ended, else why it could not go on. A pass
// that is under way when ctx ends is cut short; whatever it did is found
// again by the next Run.
func (m *Manager) Run(ctx context.Context) error {
	if !m.running.CompareAndSwap(false, true) {
		return ecp.NewError(ecp.CodeConflict, "run manager", "it is running already")
	}
	defer m.running.Store(false)
	asked := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	var group, holds sync.WaitGroup
	holding, release := context.WithCancel(context.WithoutCancel(ctx)) // leases are given free when nobody works any more
	defer func() {
		cancel(nil)
		group.Wait()
		m.knocks.Wait()
		release()
		holds.Wait()
		m.queue.Stop()
		m.forgetLooks()
		m.targets.unknown()
	}()
	m.sealStored(ctx)
	for target, p := range m.provisioners {
		if w, ok := p.(ecp.Watcher); ok {
			group.Go(func() { m.watchTarget(ctx, target, w, cancel) })
		}
		group.Go(func() { m.watchHealth(ctx, target, p) })
		recognized := make(chan struct{})
		group.Go(func() { m.recognize(ctx, target, p, func() { close(recognized) }) })
		holds.Go(func() {
			if err := m.holdTarget(holding, target, p, recognized); err != nil {
				cancel(err)
			}
		})
		group.Go(func() { m.watchUnrecorded(ctx, target, p) })
	}
	group.Go(func() { m.keepTargets(ctx) })
	if m.link != nil {
		group.Go(func() { m.watchAgents(ctx, cancel) })
	}
	for range lookers * m.workers {
		group.Go(func() { m.work(ctx) })
	}
	group.Go(func() { m.tidy(ctx) })
	group.Go(func() { m.surveyClusters(ctx) })
	group.Go(func() { m.TellRefusals(ctx, m.RefusedLogins) })
	if err := m.enqueueAll(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read the clusters: %w", err)
	}
	<-ctx.Done()
	if asked.Err() != nil { // whatever cause it gives: it is the caller's own
		return nil
	}
	return context.Cause(ctx)
}

// watchTarget lets a Provisioner wake clusters, and ends the Run when it
// cannot go on.
func (m *Manager) watchTarget(ctx context.Context, target string, w ecp.Watcher, cancel context.CancelCauseFunc) {
	if err := w.Watch(ctx, m.queue.Add); err != nil && ctx.Err() == nil {
		cancel(fmt.Errorf("watch the target %q: %w", target, err))
	}
}

// watchAgents lets the Link wake clusters, and ends the Run when it cannot go on.
func (m *Manager) watchAgents(ctx context.Context, cancel context.CancelCauseFunc) {
	if err := m.link.Watch(ctx, m.queue.Add); err != nil && ctx.Err() == nil {
		cancel(fmt.Errorf("watch the agents: %w", err))
	}
}

// work takes clusters from the queue until ctx ends.
func (m *Manager) work(ctx context.Context) {
	for {
		id, ok := m.queue.Get(ctx)
		if !ok {
			return
		}
		began := m.tick()
		again := m.pass(ctx, id)
		m.remarkPace(id, m.tick().Sub(began))
		m.queue.Done(id)
		if again > 0 && ctx.Err() == nil {
			m.queue.AddAfter(id, again)
		}
	}
}

func (m *Manager) enqueueAll(ctx context.Context) error {
	return m.store.Read(ctx, func(tx ecp.Tx) error {
		for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			m.queue.Add(rec.ID)
		}
		return nil
	})
}

// seed fills an empty store.
func (m *Manager) seed(ctx context.Context, d Defaults) error {
	images, sizes, projects, pool := d.Images, d.Sizes, d.Projects, ecp.DefaultPool()
	if images == nil {
		images = ecp.DefaultImages()
	}
	if sizes == nil {
		sizes = ecp.DefaultSizes()
	}
	if projects == nil {
		projects = []string{"default/default"}
	}
	if d.Pool != nil {
		pool = *d.Pool
	}
	now := m.now().UTC()
	return m.store.Write(ctx, func(tx ecp.Tx) error {
		_, _, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
		if err == nil {
			return seedOrgs(tx, now)
		}
		if !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		payloads := []ecp.Payload{pool}
		for _, i := range images {
			i.Revision = 1
			payloads = append(payloads, i)
		}
		for _, s := range sizes {
			s.Revision = 1
			payloads = append(payloads, s)
		}
		for _, p := range projects {
			payloads = append(payloads, ecp.Project{Path: p, CreatedAt: now, Revision: 1})
		}
		for _, p := range payloads {
			if err := ecp.Put(tx, p, 0); err != nil {
				return err
			}
		}
		return seedOrgs(tx, now)
	})
}

// seedOrgs makes the organisations that projects name and that are not there:
// those of a new store, and of one that an earlier build has filled.
func seedOrgs(tx ecp.Tx, now time.Time) error {
	missing := map[string]bool{}
	for p, err := range ecp.List[ecp.Project](tx, ecp.Query{}) {
		if err != nil {
			return err
		}
		missing[p.Org()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if _, _, err := ecp.Get[ecp.Org](tx, name); err == nil {
			continue
		} else if !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		if err := ecp.Put(tx, ecp.Org{Name: name, CreatedAt: now, Revision: 1}, 0); err != nil {
			return err
		}
	}
	return nil
}

// lookers is how many clusters are looked at for each that is written to: a
// look may wait some seconds for a broker that is dead.
const lookers = 4

// provisioner gives the one a cluster is made by.
func (m *Manager) provisioner(rec ecp.ClusterRecord) (ecp.Provisioner, error) {
	target := rec.Spec.Hosted.Target
	if p := m.provisioners[target]; p != nil {
		return p, nil
	}
	if p := m.targets.get(target); p != nil {
		return p, nil
	}
	return nil, ecp.NewError(ecp.CodeUnavailable, "reach the platform", fmt.Sprintf("the Kubernetes target %q is not configured, or not up", target))
}

// adapterFor gives the adapter for an EMQX version; nil if there is none.
func (m *Manager) adapterFor(version string) ecp.Adapter {
	v, ok := ecp.ParseVersion(version)
	if !ok {
		return nil
	}
	return m.adapterOf(v.Major)
}

// adapterOf is adapterFor a major version.
func (m *Manager) adapterOf(major int) ecp.Adapter {
	if a := m.adapters[major]; a != nil || major < 5 {
		return a
	}
	return m.adapters[5]
}

// Stats counts what the Manager has done since it was made, for metrics.
type Stats struct {
	Passes, Applies, ApplyFailures, Writes, Asked, Silent uint64
	Queue                                                 int // clusters waiting for a worker
	Unrecorded                                            int // clusters that are there and that no record knows, as last seen
	Foreign                                               int // members of EMQX that are no nodes of their cluster, as last seen
	// Contested counts objects that somebody else keeps changing, by the name
	// that one has on the platform; "" = not known.
	Contested map[string]int
	// Agents counts those of adopted clusters; nil = no Link counts them.
	Agents *AgentStats
}

type counters struct{ passes, applies, applyFailures, writes, asked, silent atomic.Uint64 }

// Stats gives the counters.
func (m *Manager) Stats() Stats {
	c := &m.counters
	return Stats{
		Passes: c.passes.Load(), Applies: c.applies.Load(), ApplyFailures: c.applyFailures.Load(), Writes: c.writes.Load(),
		Asked: c.asked.Load(), Silent: c.silent.Load(), Queue: m.queue.Depth(), Contested: m.contested(), Unrecorded: m.unrecorded.count(),
		Foreign: m.foreign(), Agents: m.agentStats(),
	}
}

// contested counts the contests that were last seen.
func (m *Manager) contested() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]int{}
	for _, mem := range m.looks {
		for _, c := range mem.look.Found.Contested {
			out[c.Manager]++
		}
	}
	return out
}
