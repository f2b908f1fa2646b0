package fleet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/brokers"
	"github.com/openecp/openecp/ecp/fleet/internal/limits"
	"github.com/openecp/openecp/ecp/fleet/internal/pruning"
	"github.com/openecp/openecp/ecp/fleet/internal/sealing"
	"github.com/openecp/openecp/ecp/fleet/internal/seeding"
	"github.com/openecp/openecp/ecp/fleet/internal/shards"
	"github.com/openecp/openecp/ecp/fleet/internal/targets"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/sched"
	"github.com/openecp/openecp/ecp/logs"
	"github.com/openecp/openecp/ecp/monitor"
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
	// Shared lets several Managers work on one Store; nil = this one is alone on it, which
	// costs nothing.
	Shared *Shared
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
	observed              *observed.Clusters
	localServiceAddresses bool
	made                  derive.ClockMark // when the Manager was
	workers               int
	queue                 *sched.Queue
	shards                *shards.Keeper // nil = the Manager is alone on its Store
	slots                 *sched.WriteLimiter
	running               atomic.Bool
	Access                *access.Gateway
	Monitor               *monitor.Monitor
	Agents                *agents.Registry
	Logs                  *logs.Reader
	brokers               *brokers.Brokers
	limits                limits.Limits // of adopted clusters
	settings              sealing.Settings
	pruning               *pruning.Pruner
	Changes               *change.Writer
	Directory             *tenancy.Directory
	Accounts              *tenancy.Accounts
	Catalog               *catalog.Catalog

	newProvisioner ecp.ProvisionerFactory
	targets        *targets.Running
	identities     targets.Identities

	unrecorded     targets.Unrecorded
	unrecordedTurn sync.Mutex // held while somebody decides of an unrecorded cluster
}

// New checks the configuration and fills an empty store with defaults. It
// starts nothing: Run does.
func New(ctx context.Context, c Config) (*Manager, error) {
	if c.Store == nil {
		return nil, ecp.NewError(ecp.CodeInvalid, "new manager",
			"Config.Store is missing; memstore.New() or sqlstore.Open() give one")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m := &Manager{
		localServiceAddresses: c.LocalServiceAddresses,
		workers:               c.Workers,
		newProvisioner:        c.NewProvisioner,
		targets:               targets.New(),
	}
	if m.workers <= 0 {
		m.workers = 20
	}
	if c.Shared != nil {
		m.shards = m.newKeeper(c)
		c.Store = m.shards.Fence(c.Store)
	}
	m.Changes = change.New(c.Store, c.Logger, c.Now)
	m.Directory = tenancy.NewDirectory(tenancy.DirectoryConfig{
		Changes:        m.Changes,
		ProjectsPerOrg: c.Limits.ProjectsPerOrg,
		Projects:       c.Limits.Projects,
	})
	m.Accounts = tenancy.NewAccounts(tenancy.AccountsConfig{
		Changes:     m.Changes,
		Hasher:      c.Hasher,
		SessionLife: c.SessionLife,
		Programs:    func() int { return m.shards.Programs() },
	})
	m.Catalog = catalog.New(catalog.Config{
		Changes:    m.Changes,
		Sealer:     c.Sealer,
		LBProfiles: c.Limits.LBProfiles,
		Hooks:      m.catalogHooks(),
	})
	m.observed = observed.New(observed.Config{
		Store:        c.Store,
		Changes:      m.Changes,
		Catalog:      m.Catalog,
		Provisioners: c.Provisioners,
		Added:        m.targets.Get,
		Adapters:     map[int]ecp.Adapter{},
		Link:         c.Link,
		AgentAddress: c.AgentAddress,
		Sealer:       c.Sealer,
		Log:          c.Logger,
		Now:          c.Now,
		Tick:         time.Now,
		Timings:      c.Timings.WithDefaults(),
	})
	m.queue = sched.NewQueue(m.observed.Flow, m.workers)
	m.Agents = agents.New(m.observed, m.queue.Add)
	m.Logs = logs.New(m.observed, m.Accounts)
	m.brokers = brokers.New(m.observed, m.queue.Add, m.boundByLease)
	m.limits = limits.Limits{Observed: m.observed, Intent: func(r ecp.ClusterRecord) any { return intentOf(r) }}
	m.settings = sealing.Settings{Observed: m.observed}
	m.pruning = pruning.New(m.observed)
	m.pruning.SureNow, m.pruning.OperationsMost = m.sureNow, cmp.Or(c.Limits.Operations, 100)
	m.pruning.AuditKept, m.pruning.OperationsKept = c.AuditKept, c.OperationsKept
	if m.pruning.AuditKept <= 0 {
		m.pruning.AuditKept = 90 * 24 * time.Hour
	}
	if m.pruning.OperationsKept <= 0 {
		m.pruning.OperationsKept = 90 * 24 * time.Hour
	}
	m.Access = &access.Gateway{Observed: m.observed}
	m.Monitor = monitor.New(m.observed, m.Directory)
	m.made = derive.NewClockMark(ecp.ClusterRecord{}, m.observed.Now(), m.observed.Tick())
	m.slots = sched.NewWriteLimiter(m.workers)
	for _, a := range c.Adapters {
		if _, twice := m.observed.Adapters[a.Major()]; twice {
			return nil, ecp.NewError(ecp.CodeInvalid, "new manager",
				fmt.Sprintf("Config.Adapters has two for EMQX %d", a.Major()))
		}
		m.observed.Adapters[a.Major()] = a
	}
	if err := seeding.Seed(ctx, c.Store, c.Now().UTC(), seeding.Defaults(c.Defaults)); err != nil {
		return nil, fmt.Errorf("fill the store with defaults: %w", err)
	}
	return m, nil
}

// Hooks join the catalog to the fleet that is made of it.
func (m *Manager) catalogHooks() catalog.Hooks {
	h := catalog.Hooks{
		TryLicense: m.tryLicense, LicenseChanged: m.handOutLicense,
		RegistryChanged: m.registryChanged, CertificateChanged: m.certificateChanged,
		BuiltIn: func(name string) bool { return m.observed.Provisioners[name] != nil }, TargetsChanged: m.targets.Poke,
	}
	if m.newProvisioner != nil {
		h.TryTarget = m.tryTarget
	}
	return h
}

// Stats counts what the Manager has done since it was made, for metrics.
type Stats struct {
	Passes, Applies, ApplyFailures, Writes, Asked, Silent uint64
	Queue                                                 int // clusters waiting for a worker
	// clusters that are there and that no record knows, as last seen
	Unrecorded     int
	ForeignMembers int // members of EMQX that are no nodes of their cluster, as last seen
	// Contested counts objects that somebody else keeps changing, by the name
	// that one has on the platform; "" = not known.
	Contested map[string]int
	// List counts those of adopted clusters; nil = no Link counts them.
	Agents *agents.Stats
}

// Stats returns the counters.
func (m *Manager) Stats() Stats {
	c := &m.observed.Counters
	return Stats{
		Passes:         c.Passes.Load(),
		Applies:        c.Applies.Load(),
		ApplyFailures:  c.ApplyFailures.Load(),
		Writes:         c.Writes.Load(),
		Asked:          c.Queries.Load(),
		Silent:         c.Unanswered.Load(),
		Queue:          m.queue.Depth(),
		Contested:      m.observed.Contested(),
		Unrecorded:     m.unrecorded.Count(),
		ForeignMembers: m.observed.ForeignMembers(),
		Agents:         m.agentStats(),
	}
}

// Kinds returns the codec of every kind of record that a Manager stores, for stores
// that keep text: the union of the kinds of the rooms. An embedder that keeps records
// of its own copies their codec into it, see [ecp.CodecOf].
func Kinds() ecp.Codec {
	c := ecp.CodecOf(
		ecp.ClusterRecord{}, ecp.Tombstone{}, ecp.Operation{}, ecp.TransferNotice{}, ecp.AgentRecord{},
		ecp.RegistrationToken{}, ecp.HistoryEntry{}, ecp.Platform{},
	)
	for _, of := range []ecp.Codec{change.Kinds(), catalog.Kinds(), tenancy.Kinds(), shards.Kinds()} {
		maps.Copy(c, of)
	}
	return c
}

// agentStats returns what the Link has counted; nil where it does not count, or
// there is none.
func (m *Manager) agentStats() *agents.Stats {
	counting, ok := m.observed.Link.(agents.Counter)
	if !ok {
		return nil
	}
	s := counting.Stats()
	return &s
}

// sureNow is the time by which things are removed for good: that of the wall
// clock, or an earlier one where it has been set forward since the Manager was
// made, or another program that shares the Store has an earlier one. What goes too
// late does no harm; what a wrong clock removes is lost.
func (m *Manager) sureNow() time.Time {
	now, counted := m.observed.Now(), m.made.Wall.Add(m.observed.Tick().Sub(m.made.Tick))
	if counted.Before(now) {
		now = counted
	}
	return now.Add(-m.shards.Ahead())
}
