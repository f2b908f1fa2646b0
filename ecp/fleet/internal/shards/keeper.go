package shards

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/random"
)

// How claims are kept. A daemon takes its own for lost by the margin earlier than any
// other daemon does.
const (
	renewEvery = 3 * time.Second
	life       = 12 * time.Second
	margin     = 2 * time.Second

	retryAfter = time.Second            // after a renewal that failed, and while a group is to be joined
	pokeDelay  = 100 * time.Millisecond // from a poke to the renewal, so that many pokes cost one
	patience   = 5 * time.Second        // one renewal, and handing over at the end
)

// Config is what a [Keeper] is made of.
type Config struct {
	Store ecp.Store // as it is, not what [Keeper.Fence] returns
	Self  Daemon    // Host, Address and Version; New fills in the rest
	Log   *slog.Logger
	Now   func() time.Time // the wall clock
	Tick  func() time.Time // the monotonic clock
	// Gained is called by Run with shards that this daemon owns from now on, or again after
	// work on them was cut short: their clusters have to be looked at.
	Gained func(context.Context, []int)
}

// Keeper keeps the claims of one daemon. A nil Keeper is that of a program that is alone
// on its Store: it owns every cluster, and does nothing for it.
type Keeper struct {
	Config
	poke chan struct{} // holds one

	// These belong to the goroutine that calls Step.
	renewals  int64
	sightings map[string]sighting // of other daemons, by id
	steppedAt time.Time           // by the monotonic clock; zero means never
	epochs    [Count]int64        // the highest that were seen of each shard

	mu       sync.Mutex
	group    string                // empty until joined; guarded by mu, as all below
	regroup  chan struct{}         // closed and replaced when group is another
	groups   map[string]string     // of the other daemons that live, by id
	heard    map[string]sighting   // renewals of other daemons that Changed was told of
	seen     map[string]sighting   // those that the last renewal saw; never changed once it is there
	clocks   map[string]otherClock // of daemons that live, or have lived of late; never changed once it is there
	held     map[int]int64         // epochs of the shards that are owned
	handover map[int]bool          // those that are handed over when no pass is under way
	underWay map[int]int           // passes in each shard
	permits  map[*permit]struct{}  // of the passes
	renewed  mark                  // when the last renewal began
}

// mark is a moment by both clocks: only the wall clock goes on while a machine is
// suspended, and only the monotonic one never steps.
type mark struct{ tick, wall time.Time }

// sighting is what was last seen of another daemon.
type sighting struct {
	renewals int64
	since    time.Time // when the counter was first seen so, by the monotonic clock
	moved    bool      // it was seen to move
}

// permit is one pass.
type permit struct {
	shard  int
	epoch  int64
	lost   bool // guarded by Keeper.mu
	cancel context.CancelCauseFunc
}

// New returns a Keeper that owns nothing yet.
func New(c Config) *Keeper {
	c.Self.ID, c.Self.Started = random.Hex(8), c.Now().UTC()
	return &Keeper{
		Config: c, poke: make(chan struct{}, 1), sightings: map[string]sighting{}, groups: map[string]string{},
		regroup: make(chan struct{}), heard: map[string]sighting{}, held: map[int]int64{}, handover: map[int]bool{},
		underWay: map[int]int{}, permits: map[*permit]struct{}{},
	}
}

// Begin begins a pass over a cluster. It returns false where another daemon owns it, or
// nobody. Otherwise the context carries the [ecp.Ownership] and ends when that is lost; end
// must be called when the pass is over.
func (k *Keeper) Begin(ctx context.Context, id ecp.ID) (_ context.Context, end func(), ok bool) {
	if k == nil {
		return ctx, func() {}, true
	}
	return k.begin(ctx, Of(id))
}

// Lead is Begin for work that one daemon does for the whole fleet: the owner of shard 0.
func (k *Keeper) Lead(ctx context.Context) (_ context.Context, end func(), ok bool) {
	if k == nil {
		return ctx, func() {}, true
	}
	return k.begin(ctx, 0)
}

func (k *Keeper) begin(ctx context.Context, shard int) (context.Context, func(), bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	epoch, owned := k.held[shard]
	if !owned || k.handover[shard] || !k.validLocked() {
		return ctx, func() {}, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := &permit{shard: shard, epoch: epoch, cancel: cancel}
	k.permits[p] = struct{}{}
	k.underWay[shard]++
	return ecp.WithOwnership(ctx, shard, epoch, func() error { return k.check(p) }), func() { k.end(p) }, true
}

// check returns ErrLostOwnership unless a pass may go on.
func (k *Keeper) check(p *permit) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.lost || !k.validLocked() {
		p.lose()
		return ecp.ErrLostOwnership
	}
	return nil
}

func (p *permit) lose() {
	p.lost = true
	p.cancel(ecp.ErrLostOwnership)
}

func (k *Keeper) end(p *permit) {
	p.cancel(nil)
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, there := k.permits[p]; !there {
		return
	}
	delete(k.permits, p)
	if k.underWay[p.shard]--; k.underWay[p.shard] == 0 {
		delete(k.underWay, p.shard)
		if k.handover[p.shard] {
			k.Poke()
		}
	}
}

// validLocked reports whether no other daemon can have taken this one for dead.
func (k *Keeper) validLocked() bool { return k.leftLocked() > 0 }

// leftLocked returns how long the claims hold without another renewal.
func (k *Keeper) leftLocked() time.Duration {
	if k.renewed.tick.IsZero() {
		return 0
	}
	return life - margin - max(k.Tick().Sub(k.renewed.tick), k.Now().Round(0).Sub(k.renewed.wall))
}

// Poke asks Run for a renewal soon.
func (k *Keeper) Poke() {
	select {
	case k.poke <- struct{}{}:
	default:
	}
}

// Changed takes up a change of the Store: what other daemons do with shards, and that they
// come and go, is answered at once.
func (k *Keeper) Changed(c ecp.Change) {
	switch p := c.Payload.(type) {
	case Shard:
		if p.Owner != k.Self.ID {
			k.Poke()
		}
	case Daemon:
		if p.ID == k.Self.ID {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if was := k.heard[p.ID]; !c.Deleted && p.Renewals > was.renewals { // sooner than the next Step sees it
			k.heard[p.ID] = sighting{renewals: p.Renewals, since: k.Tick()}
		}
		if group, known := k.groups[p.ID]; c.Deleted || !known || group != p.Group {
			k.Poke()
		}
	}
}

// Ready returns why this daemon cannot work on its part of the fleet now; nil means that
// it can, also where that part is empty.
func (k *Keeper) Ready() error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.group == "":
		return ecp.NewError(ecp.CodeUnavailable, "", "this daemon has not joined those that share the database")
	case !k.validLocked():
		return ecp.NewError(ecp.CodeUnavailable, "", "this daemon could not renew its claim to clusters in time")
	}
	return nil
}

// Last reports whether no other daemon shares the Store now, as far as this one knows.
func (k *Keeper) Last() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.groups) == 0
}

// Programs returns how many daemons share the Store now, this one among them, as far as it
// knows.
func (k *Keeper) Programs() int {
	if k == nil {
		return 1
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return 1 + len(k.groups)
}

// Ahead returns how far our clock is ahead of the one that is most behind, of all daemons that
// were seen in the last day; zero if it is behind itself, or no other was seen.
func (k *Keeper) Ahead() (most time.Duration) {
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.clocks {
		most = max(most, -c.ahead)
	}
	return most
}

// Group returns the name of the group of daemons that this one has joined, empty if none,
// and a channel that is closed when it is another.
func (k *Keeper) Group() (name string, changed <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.group, k.regroup
}

func (k *Keeper) setGroupLocked(name string) {
	if k.group != name {
		k.group = name
		close(k.regroup)
		k.regroup = make(chan struct{})
	}
}

// Run keeps the claims until ctx ends, and then hands all of them over. It must not be
// ended before every pass is.
func (k *Keeper) Run(ctx context.Context) {
	lapse := time.AfterFunc(life, k.lapse)
	defer lapse.Stop()
	next, due := time.NewTimer(0), time.Now()
	defer next.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			k.leave(context.WithoutCancel(ctx))
			return
		case <-next.C:
		case <-k.poke:
			if soon := time.Now().Add(pokeDelay); soon.Before(due) {
				due = soon
				next.Reset(pokeDelay)
			}
			continue
		}
		gained, err := k.Step(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			k.Log.WarnContext(ctx, "the claim to clusters could not be renewed; it is tried again", "error", err)
		}
		failing = err != nil
		left, wait := k.waits(failing)
		lapse.Reset(left)
		if len(gained) > 0 {
			k.Log.InfoContext(ctx, "this daemon works on more of the fleet", "daemon", k.Self.ID, "shards", len(gained))
			k.Gained(ctx, gained)
		}
		due = time.Now().Add(wait)
		next.Reset(wait)
	}
}

// waits returns how long the claims hold, and until when Step is called again: early where
// another daemon may be dead by then.
func (k *Keeper) waits(failed bool) (left, next time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	left, next = max(k.leftLocked(), 0), renewEvery
	if failed || k.group == "" {
		next = retryAfter
	}
	for _, s := range k.sightings {
		next = min(next, life-k.Tick().Sub(s.since))
	}
	return left, max(next, pokeDelay)
}

// lapse ends the passes that are under way where the claims have not been renewed in time.
func (k *Keeper) lapse() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.validLocked() {
		k.endPassesLocked(func(*permit) bool { return true })
	}
}

// endPassesLocked ends the passes that have lost their right.
func (k *Keeper) endPassesLocked(lost func(*permit) bool) {
	for p := range k.permits {
		if lost(p) {
			p.lose()
		}
	}
}

// lose takes up that a shard was found to have another owner.
func (k *Keeper) lose(shard int, epoch int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held[shard] == epoch {
		delete(k.held, shard)
	}
	k.endPassesLocked(func(p *permit) bool { return p.shard == shard && p.epoch == epoch })
	k.Poke()
}

// Step renews the claims once: in one transaction it raises the counter, removes daemons
// that are dead, hands over what is to be handed over and takes what is due. It returns
// the shards whose clusters have to be looked at, as Config.Gained says.
func (k *Keeper) Step(ctx context.Context) (gained []int, _ error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := mark{k.Tick(), k.Now().Round(0)}
	giving := k.give()
	var r round
	err := k.Store.Write(ctx, func(tx ecp.Tx) (err error) {
		r, err = k.round(tx, giving)
		return err
	})
	if err != nil {
		return nil, err
	}
	k.renewals, k.sightings, k.steppedAt, k.epochs = r.self.Renewals, r.sightings, r.at, r.epochs
	return k.settle(r, began), nil
}

// give returns the shards that can be handed over now. No pass in them can begin any more.
func (k *Keeper) give() (giving []int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for n := range k.handover {
		if k.underWay[n] == 0 {
			delete(k.held, n)
			giving = append(giving, n)
		}
	}
	return giving
}

// settle takes up what a renewal has stored, and returns the shards to look at.
func (k *Keeper) settle(r round, began mark) (gained []int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.held
	if !k.validLocked() {
		before = nil // what was under way has been cut short
		k.endPassesLocked(func(*permit) bool { return true })
	}
	k.endPassesLocked(func(p *permit) bool { return r.mine[p.shard] != p.epoch })
	for n, epoch := range r.mine {
		if before[n] != epoch {
			gained = append(gained, n)
		}
	}
	slices.Sort(gained)
	k.setGroupLocked(r.self.Group)
	k.groups, k.held, k.handover, k.renewed, k.seen = r.groups, r.mine, r.handover, began, maps.Clone(r.sightings)
	k.clocks = r.clocks
	maps.DeleteFunc(k.heard, func(id string, _ sighting) bool { _, lives := r.groups[id]; return !lives })
	return gained
}

// leave hands everything over.
func (k *Keeper) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	k.mu.Lock()
	k.endPassesLocked(func(*permit) bool { return true })
	k.setGroupLocked("")
	k.renewed = mark{}
	k.held, k.handover = map[int]int64{}, map[int]bool{}
	k.mu.Unlock()
	err := k.Store.Write(ctx, func(tx ecp.Tx) error {
		table, err := readShards(tx)
		if err != nil {
			return err
		}
		for _, s := range table {
			if s.Owner != k.Self.ID {
				continue
			}
			s.Owner = ""
			if err := ecp.Put(tx, s, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return remove(tx, k.Self.ID)
	})
	if err != nil {
		k.Log.WarnContext(ctx, "clusters could not be handed over; other daemons take them over when the claim has "+
			"run out", "error", err)
	}
}

// Owned returns the epochs of the shards that this daemon owns now.
func (k *Keeper) Owned() map[int]int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.validLocked() {
		return nil
	}
	return maps.Clone(k.held)
}
