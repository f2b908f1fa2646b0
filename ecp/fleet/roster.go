package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// roster is what lists filter and sort by, of every cluster, in memory: it is
// brought up to date from the feed of changes before it is read, so that a
// list sees every write that was acknowledged before it.
type roster struct {
	turn   chan struct{}         // held by who reads or changes the rest; of one
	known  bool                  // entries hold what the store held at seq; guarded by turn
	seq    int64                 // guarded by turn
	of     map[ecp.ID]*listed    // guarded by turn; what the pointers lead to is never changed
	sorted map[SortKey][]*listed // orders that still hold; guarded by turn
}

func newRoster() roster { return roster{turn: make(chan struct{}, 1)} }

// use runs fn alone, on entries that are up to date. Who waits for its turn, or
// for the store, waits no longer than ctx.
func (f *roster) use(ctx context.Context, store ecp.Store, fn func()) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	if err := f.catchUpLocked(ctx, store); err != nil {
		return err
	}
	fn()
	return nil
}

// listed is one cluster.
type listed struct {
	id          ecp.ID
	project     string
	name        string // in lower case
	called      string // the name as it is
	mode        ecp.Mode
	state       ecp.State
	deleting    bool
	stale       bool // it could not be looked at when it was last tried
	version     string
	created     time.Time
	updated     time.Time
	nodes       int
	connections int
	target      string // "" = it is adopted
}

func listedOf(r ecp.ClusterRecord) *listed {
	l := &listed{
		id: r.ID, project: r.Project, name: strings.ToLower(r.Name), called: r.Name, mode: r.Mode, state: r.Status.State, version: r.EMQXVersion(),
		deleting: r.Deleting, stale: !r.Status.StaleFrom.IsZero(),
		created: r.CreatedAt, updated: r.UpdatedAt, connections: r.Spec.Connections(),
	}
	if r.Spec.Hosted != nil {
		l.nodes, l.target = r.Spec.Hosted.Nodes, r.Spec.Hosted.Target
	}
	return l
}

// SortKey is what a list is sorted by.
type SortKey string

// The keys. Clusters that have the same are in the order of their ids.
const (
	SortID          SortKey = "id"
	SortName        SortKey = "name" // without regard to case
	SortProject     SortKey = "project"
	SortState       SortKey = "state"
	SortVersion     SortKey = "version" // as wanted, or of adopted clusters as reported
	SortCreated     SortKey = "created"
	SortUpdated     SortKey = "updated"     // last change of what is wanted
	SortNodes       SortKey = "nodes"       // as wanted, or of adopted clusters as reported
	SortConnections SortKey = "connections" // booked
)

// sortValues give texts whose order is that of the key.
var sortValues = map[SortKey]func(*listed) string{
	SortID:          func(*listed) string { return "" },
	SortName:        func(l *listed) string { return l.name },
	SortProject:     func(l *listed) string { return l.project },
	SortState:       func(l *listed) string { return string(l.state) },
	SortVersion:     func(l *listed) string { return sortableVersion(l.version) },
	SortCreated:     func(l *listed) string { return sortableTime(l.created) },
	SortUpdated:     func(l *listed) string { return sortableTime(l.updated) },
	SortNodes:       func(l *listed) string { return fmt.Sprintf("%010d", l.nodes) },
	SortConnections: func(l *listed) string { return fmt.Sprintf("%010d", l.connections) },
}

// SortKeys lists the keys a list can be sorted by.
func SortKeys() []SortKey {
	return []SortKey{SortID, SortName, SortProject, SortState, SortVersion, SortCreated, SortUpdated, SortNodes, SortConnections}
}

func sortableTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000") }

func sortableVersion(s string) string {
	v, _ := ecp.ParseVersion(s)
	return fmt.Sprintf("%05d.%05d.%05d %s", v.Major, v.Minor, v.Patch, s)
}

// order gives every cluster in the order of a key. The list is shared: it must
// not be changed.
func (f *roster) order(ctx context.Context, store ecp.Store, by SortKey) (out []*listed, _ error) {
	err := f.use(ctx, store, func() {
		if f.sorted[by] == nil {
			f.sorted[by] = sortListed(f.of, sortValues[by])
		}
		out = f.sorted[by]
	})
	return out, err
}

func sortListed(of map[ecp.ID]*listed, value func(*listed) string) []*listed {
	type keyed struct {
		value string
		l     *listed
	}
	all := make([]keyed, 0, len(of))
	for _, l := range of {
		all = append(all, keyed{value(l), l})
	}
	slices.SortFunc(all, func(a, b keyed) int {
		if c := strings.Compare(a.value, b.value); c != 0 {
			return c
		}
		return strings.Compare(string(a.l.id), string(b.l.id))
	})
	out := make([]*listed, len(all))
	for i, k := range all {
		out[i] = k.l
	}
	return out
}

// catchUpLocked takes up what was written since. Where the feed does not reach
// back that far, or reading everything costs less, everything is read. Where ctx
// ends it, what was known stays known.
func (f *roster) catchUpLocked(ctx context.Context, store ecp.Store) error {
	var now int64
	if err := store.Read(ctx, func(tx ecp.Tx) (err error) { now, err = tx.Seq(); return err }); err != nil {
		return err
	}
	if f.known && now <= f.seq {
		return nil
	}
	if f.known && now-f.seq <= int64(max(1000, 2*len(f.of))) {
		if err := f.followLocked(ctx, store, now); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return f.readLocked(ctx, store)
}

// followLocked takes up the changes until a position.
func (f *roster) followLocked(ctx context.Context, store ecp.Store, until int64) error {
	for c, err := range store.Changes(ctx, f.seq) {
		if err != nil {
			return err
		}
		if rec, ok := c.Payload.(ecp.ClusterRecord); ok {
			f.takeLocked(rec, c.Deleted)
		}
		if f.seq = c.Seq; c.Seq >= until {
			return nil
		}
	}
	return nil
}

// takeLocked takes up one change, and forgets the orders it upsets.
func (f *roster) takeLocked(rec ecp.ClusterRecord, deleted bool) {
	old, is := f.of[rec.ID], listedOf(rec)
	if deleted {
		delete(f.of, rec.ID)
		clear(f.sorted)
		return
	}
	if old != nil && *old == *is {
		return
	}
	f.of[rec.ID] = is
	clear(f.sorted)
}

func (f *roster) readLocked(ctx context.Context, store ecp.Store) error {
	var of map[ecp.ID]*listed
	var seq int64
	err := store.Read(ctx, func(tx ecp.Tx) (err error) {
		of = map[ecp.ID]*listed{}
		for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			of[r.ID] = listedOf(r)
		}
		seq, err = tx.Seq()
		return err
	})
	if err == nil {
		f.known, f.seq, f.of, f.sorted = true, seq, of, map[SortKey][]*listed{}
	}
	return err
}

// all gives every cluster, in no order.
func (f *roster) all(ctx context.Context, store ecp.Store) (out []*listed, _ error) {
	err := f.use(ctx, store, func() { out = slices.Collect(maps.Values(f.of)) })
	return out, err
}
