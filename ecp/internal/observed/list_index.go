package observed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// listIndex is what lists filter and sort by, of every cluster, in memory: it is
// brought up to date from the feed of changes before it is read, so that a
// list sees every write that was acknowledged before it.
type listIndex struct {
	turn   chan struct{}            // held by who reads or changes the rest; of one
	known  bool                     // entries hold what the store held at seq; guarded by turn
	seq    int64                    // guarded by turn
	of     map[ecp.ID]*Entry        // guarded by turn; what the pointers lead to is never changed
	sorted map[ecp.SortKey][]*Entry // orders that still hold; guarded by turn
}

func newListIndex() listIndex { return listIndex{turn: make(chan struct{}, 1)} }

// use runs fn alone, on entries that are up to date. Who waits for its turn, or
// for the store, waits no longer than ctx.
func (f *listIndex) use(ctx context.Context, store ecp.Store, fn func()) error {
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

// Entry is one cluster.
type Entry struct {
	ID          ecp.ID
	Project     string
	lowerName   string // in lower case
	Name        string // the name as it is
	Mode        ecp.Mode
	State       ecp.State
	Deleting    bool
	Stale       bool // it could not be observed when it was last tried
	Version     string
	created     time.Time
	updated     time.Time
	Nodes       int
	Connections int
	Target      string // empty means it is adopted
}

func listedOf(r ecp.ClusterRecord) *Entry {
	l := &Entry{
		ID: r.ID, Project: r.Project, lowerName: strings.ToLower(r.Name), Name: r.Name, Mode: r.Mode,
		State: r.Status.State, Version: r.EMQXVersion(),
		Deleting: r.Deleting, Stale: !r.Status.StaleFrom.IsZero(),
		created: r.CreatedAt, updated: r.UpdatedAt, Connections: r.Spec.Connections(),
	}
	if r.Spec.Hosted != nil {
		l.Nodes, l.Target = r.Spec.Hosted.AllNodes(), r.Spec.Hosted.Target
	}
	return l
}

// sortValues give texts whose order is that of the key.
var sortValues = map[ecp.SortKey]func(*Entry) string{
	ecp.SortID:          func(*Entry) string { return "" },
	ecp.SortName:        func(l *Entry) string { return l.lowerName },
	ecp.SortProject:     func(l *Entry) string { return l.Project },
	ecp.SortState:       func(l *Entry) string { return string(l.State) },
	ecp.SortVersion:     func(l *Entry) string { return sortableVersion(l.Version) },
	ecp.SortCreated:     func(l *Entry) string { return SortableTime(l.created) },
	ecp.SortUpdated:     func(l *Entry) string { return SortableTime(l.updated) },
	ecp.SortNodes:       func(l *Entry) string { return fmt.Sprintf("%010d", l.Nodes) },
	ecp.SortConnections: func(l *Entry) string { return fmt.Sprintf("%010d", l.Connections) },
}

func SortableTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000") }

func sortableVersion(s string) string {
	v, _ := ecp.ParseVersion(s)
	return fmt.Sprintf("%05d.%05d.%05d %s", v.Major, v.Minor, v.Patch, s)
}

// order returns every cluster in the order of a key. The list is shared: it must
// not be changed.
func (f *listIndex) order(ctx context.Context, store ecp.Store, by ecp.SortKey) (out []*Entry, _ error) {
	err := f.use(ctx, store, func() {
		if f.sorted[by] == nil {
			f.sorted[by] = sortListed(f.of, sortValues[by])
		}
		out = f.sorted[by]
	})
	return out, err
}

func sortListed(of map[ecp.ID]*Entry, value func(*Entry) string) []*Entry {
	type keyed struct {
		value string
		l     *Entry
	}
	all := make([]keyed, 0, len(of))
	for _, l := range of {
		all = append(all, keyed{value(l), l})
	}
	slices.SortFunc(all, func(a, b keyed) int {
		if c := strings.Compare(a.value, b.value); c != 0 {
			return c
		}
		return strings.Compare(string(a.l.ID), string(b.l.ID))
	})
	out := make([]*Entry, len(all))
	for i, k := range all {
		out[i] = k.l
	}
	return out
}

// catchUpLocked takes up what was written since. Where the feed does not reach
// back that far, or reading everything costs less, everything is read. Where ctx
// ends it, what was known stays known.
func (f *listIndex) catchUpLocked(ctx context.Context, store ecp.Store) error {
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
func (f *listIndex) followLocked(ctx context.Context, store ecp.Store, until int64) error {
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
func (f *listIndex) takeLocked(rec ecp.ClusterRecord, deleted bool) {
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

func (f *listIndex) readLocked(ctx context.Context, store ecp.Store) error {
	var of map[ecp.ID]*Entry
	var seq int64
	err := store.Read(ctx, func(tx ecp.Tx) (err error) {
		of = map[ecp.ID]*Entry{}
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
		f.known, f.seq, f.of, f.sorted = true, seq, of, map[ecp.SortKey][]*Entry{}
	}
	return err
}

// all returns every cluster, in no order.
func (f *listIndex) all(ctx context.Context, store ecp.Store) (out []*Entry, _ error) {
	err := f.use(ctx, store, func() { out = slices.Collect(maps.Values(f.of)) })
	return out, err
}
