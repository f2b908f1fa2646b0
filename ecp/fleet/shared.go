package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/shards"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Shared lets several Managers, each in a program of its own, work on one Store. Each
// cluster is then worked on by one of them, and all of them take commands. The Store has
// to be one that several programs can open, and all of them must be given a Shared.
//
// A Link has to show the agents of every cluster, wherever they are connected.
type Shared struct {
	// Address is where other programs reach this one; "" = nowhere. The Manager only
	// shows it.
	Address string
	Host    string // "" = as the operating system says
	Version string // of the program; the Manager only shows it
	// PublicURL is where programs reach the API of this one; "" = it is not known. The
	// Manager only shows it: that of all programs should be the same.
	PublicURL string
}

// Daemon is a program that works on the Store of a Manager.
type Daemon struct {
	ID       string    `json:"id"` // minted when it started
	Host     string    `json:"host"`
	Address  string    `json:"address,omitempty"` // "" = it has none
	Version  string    `json:"version,omitempty"` // "" = it does not say
	Started  time.Time `json:"started"`           // by its own clock
	LastSeen time.Time `json:"lastSeen"`          // when it last said that it is alive, by the clock of who was asked
	Shards   int       `json:"shards"`            // parts of the fleet that it works on, of 256
	Self     bool      `json:"self"`              // it is the one that was asked
	// ClockSkew is how far its clock is ahead of that of the one that was asked, but for some
	// seconds; zero also if that is not known yet.
	ClockSkew time.Duration `json:"clockSkewNs"`
	// AgentAddress and PublicURL are what it tells agents and other programs to use; "" = it
	// tells none. They should be the same for all.
	AgentAddress string `json:"agentAddress,omitempty"`
	PublicURL    string `json:"publicUrl,omitempty"`
	// SecretKeys are the ids of the keys of secrets that it can read, the one that it seals
	// with first; none if it does not tell.
	SecretKeys []string `json:"secretKeys,omitempty"`
}

// Daemons lists the programs that share the Store, this one among them while Run runs;
// none where Config.Shared is nil. It needs [ecp.RightAdmin].
func (m *Manager) Daemons(ctx context.Context) ([]Daemon, error) {
	const op = "list daemons"
	if _, err := ecp.Authorize(ctx, op, ecp.RightAdmin, ""); err != nil {
		return nil, err
	}
	out := []Daemon{}
	if m.shards == nil {
		return out, nil
	}
	all, err := m.shards.List(ctx)
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	for _, d := range all {
		out = append(out, Daemon{ID: d.ID, Host: d.Host, Address: d.Address, Version: d.Version, Started: d.Started,
			LastSeen: d.LastSeen, Shards: d.Shards, Self: d.Self, ClockSkew: d.ClockSkew,
			AgentAddress: d.Agents, PublicURL: d.Public, SecretKeys: d.Keys})
	}
	return out, nil
}

// Claims returns why this program cannot work on its part of the fleet now: it has not
// joined the others yet, could not renew its claims in time, or is handing them over. It is
// nil where Config.Shared is nil. It asks nobody, and needs no actor.
func (m *Manager) Claims() error { return m.shards.Ready() }

// CheckKeys returns an error if another program that shares the Store, and is alive, cannot
// read the secrets that this one would seal, or the reverse: by the ids of the keys of their
// [ecp.KeyRing]. It is to be called before anything is sealed, thus before
// [Manager.ResealSecrets]. It asks for no actor, and waits for up to 12 s where it finds a
// program with other keys that may be dead.
func (m *Manager) CheckKeys(ctx context.Context) error {
	const op = "check the keys of secrets"
	d, found, err := m.shards.OtherKeys(ctx)
	switch {
	case err != nil:
		return fault.Wrap(op, err)
	case !found:
		return nil
	}
	mine := m.shards.Self.Keys
	if !slices.Contains(d.Keys, mine[0]) {
		return ecp.NewError(ecp.CodeConflict, op, fmt.Sprintf("the newest key of this daemon, %q, is not known to the "+
			"daemon %s on host %s, which could read no secret any more: first add it behind the key that is in front "+
			"at all daemons, and start each again; then put it in front", mine[0], d.ID, d.Host))
	}
	return ecp.NewError(ecp.CodeConflict, op, fmt.Sprintf("the daemon %s on host %s encrypts with the key %q, which "+
		"this one does not know: give it the same keys", d.ID, d.Host, d.Keys[0]))
}

// newKeeper returns the Keeper of a Manager that shares its Store.
func (m *Manager) newKeeper(c Config) *shards.Keeper {
	self := shards.Daemon{Host: c.Shared.Host, Address: c.Shared.Address, Version: c.Shared.Version,
		Agents: c.AgentAddress, Public: c.Shared.PublicURL}
	if ring, ok := c.Sealer.(interface{ IDs() []string }); ok {
		self.Keys = ring.IDs()
	}
	if self.Host == "" {
		self.Host, _ = os.Hostname() // empty where there is none
	}
	return shards.New(shards.Config{
		Store: c.Store, Self: self, Log: c.Logger, Now: c.Now,
		Tick: func() time.Time { return m.observed.Tick() }, Gained: m.gained,
	})
}

// gained lets the clusters of shards be reconciled that this program works on from now on.
func (m *Manager) gained(ctx context.Context, which []int) {
	mine := map[int]bool{}
	for _, n := range which {
		mine[n] = true
	}
	if mine[0] {
		m.pruning.Wake()
	}
	if err := m.enqueue(ctx, func(r ecp.ClusterRecord) bool { return mine[shards.Of(r.ID)] }); err != nil &&
		ctx.Err() == nil {
		m.observed.Log.WarnContext(ctx, "clusters that were taken over could not be woken", "error", err)
	}
}

// followRetry is the time from a feed of changes that ended to the next try.
const followRetry = time.Second

// follow takes up, until ctx ends, what other programs have changed in the Store, as
// calls of this Manager do for what they change.
func (m *Manager) follow(ctx context.Context) {
	revisions := map[ecp.ID]int64{}
	for after := int64(-1); ctx.Err() == nil; {
		if after < 0 { // whatever was missed
			err := m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) { after, err = tx.Seq(); return err })
			if err == nil {
				err = m.enqueue(ctx, func(ecp.ClusterRecord) bool { return true })
			}
			if err != nil {
				after = -1
				sleep(ctx, followRetry)
				continue
			}
			m.targets.Poke()
			m.shards.Poke()
		}
		for c, err := range m.observed.Store.Changes(ctx, after) {
			if errors.Is(err, ecp.ErrGone) {
				after = -1
			}
			if err != nil {
				break
			}
			after = c.Seq
			m.takeUp(ctx, c, revisions)
		}
		sleep(ctx, followRetry)
	}
}

// takeUp takes up one change. revisions are those of the clusters that it was told of:
// what nobody has asked for wakes no cluster.
func (m *Manager) takeUp(ctx context.Context, c ecp.Change, revisions map[ecp.ID]int64) {
	m.shards.Changed(c)
	switch p := c.Payload.(type) {
	case ecp.ClusterRecord:
		if c.Deleted {
			delete(revisions, p.ID)
		} else if revisions[p.ID] == p.Revision {
			return
		} else {
			revisions[p.ID] = p.Revision
		}
		m.queue.Add(p.ID)
	case ecp.AgentRecord:
		if c.Deleted {
			m.observed.DropAgents(p.Cluster, p.ID)
		}
		m.queue.Add(p.Cluster)
	case ecp.License:
		m.handOutLicense(ctx, p.Name)
	case ecp.Registry:
		m.registryChanged(ctx, p.Name)
	case ecp.Certificate:
		m.certificateChanged(ctx, p.Name)
	case ecp.Target:
		m.targets.Poke()
	case change.AuditEntry:
		m.Accounts.TakeUp(p)
	case catalog.SealedSecret:
		if p.Kind == ecp.KindTarget {
			m.targets.Poke()
		}
	}
}

// takeOver lets what is remembered of a cluster begin anew where another program has
// worked on it since.
func (m *Manager) takeOver(ctx context.Context, mem *observed.Memory) {
	if o, ok := ecp.OwnershipFrom(ctx); ok && mem.Epoch != o.Epoch {
		mem.TakeOver(o.Epoch)
	}
}

// watchOnly observes a cluster that another program works on, and changes nothing:
// commands are taken here, too, and what is shown and decided needs to know it.
func (m *Manager) watchOnly(
	ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory,
) time.Duration {
	snap := m.observe(ctx, p, rec, *mem)
	snap.NotHeld = ""
	m.Logs.AddExitMessages(ctx, p, rec, mem, &snap)
	m.brokers.Observe(ctx, p, rec, mem, &snap)
	if ctx.Err() == nil {
		m.observed.Remember(mem, snap)
	}
	if settledDown := !rec.Status.State.Unsteady() && !rec.Deleting; settledDown && derive.WantedNodes(rec) == 0 {
		return 10 * m.observed.Timings.Poll
	}
	return m.observed.Timings.Poll
}

// watchAdoptedOnly closes the connections of a cluster's agents where it is being deleted,
// and nothing else: what they show is not kept here.
func (m *Manager) watchAdoptedOnly(rec ecp.ClusterRecord) time.Duration {
	if rec.Deleting && !rec.OwesRelease() {
		m.observed.DropAgents(rec.ID)
	}
	return 0
}
