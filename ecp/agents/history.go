package agents

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp/internal/timekey"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// HistoryKept is how long entries are kept, and MostHistory how many of each cluster:
// the oldest go first.
const (
	HistoryKept = 30 * 24 * time.Hour
	MostHistory = 1000
)

// historyMark is before the ids of a cluster's entries that are not newer than a time.
func historyMark(id ecp.ID, at time.Time) string { return string(id) + "/" + timekey.NewestFirst(at) }

// HistoryOver finds, by their keys alone, the entries that are not kept any longer.
func HistoryOver(now time.Time) func(key string, _ ecp.Index) bool {
	mark := timekey.NewestFirst(now.Add(-HistoryKept))
	return func(key string, _ ecp.Index) bool {
		_, at, _ := strings.Cut(key, "/")
		return at > mark
	}
}

// historyID orders entries of one moment by their place.
func historyID(e ecp.HistoryEntry) string {
	id := historyMark(e.Cluster, e.At) + fmt.Sprintf("%016x", math.MaxUint64-e.Place.Seq)
	if len(e.Agents) > 0 {
		id += fmt.Sprintf("-%013x-%s", e.Place.Epoch, strings.TrimPrefix(string(e.Agents[0]), "agt-"))
	}
	return id
}

// AgentHistory is what an agent has kept up to a place.
type AgentHistory struct {
	Agent   ecp.AgentID
	Upto    ecp.HistoryPosition
	Entries []ecp.HistoryEntry // in their order; ids, cluster and agents are filled in
}

// StoreHistory stores what agents have told of the past, each entry once, with how far
// each was heard, in one transaction. What another agent has told before is the same
// entry. An agent that is gone is left out. No state moves, and nobody is woken.
func (m *Registry) StoreHistory(ctx context.Context, all []AgentHistory) error {
	q := change.Request{Op: "store what agents have kept", Kind: ecp.KindHistory}
	return m.observed.Changes.DoAs(ctx, ecp.System, q, func(w *change.Tx) error {
		for _, h := range all {
			a, _, err := ecp.Get[ecp.AgentRecord](w.Tx, string(h.Agent))
			if errors.Is(err, ecp.ErrNotFound) || err == nil && a.History == h.Upto {
				continue
			}
			if err != nil {
				return err
			}
			if err := storeEntries(w, a, h.Entries); err != nil {
				return err
			}
			a.History = h.Upto
			if err := ecp.Put(w.Tx, a, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return nil
	})
}

func storeEntries(w *change.Tx, a ecp.AgentRecord, entries []ecp.HistoryEntry) error {
	for _, e := range entries {
		e.Cluster, e.Agents, e.ReceivedAt = a.Cluster, []ecp.AgentID{a.ID}, w.Now
		e.ID = historyID(e)
		twin, err := twinOf(w.Tx, e)
		if err != nil {
			return err
		}
		if twin != nil {
			if slices.Contains(twin.Agents, a.ID) { // it was told before
				continue
			}
			twin.Agents = append(slices.Clone(twin.Agents), a.ID)
			e = *twin
		}
		if err := ecp.Put(w.Tx, e, ecp.AnyVersion); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return pruneHistory(w.Tx, a.Cluster)
}

// twinTime is how far apart two agents notice one thing: each looks every ten seconds,
// and clocks differ.
const twinTime = 30 * time.Second

// twinOf returns the entry that tells of the same; nil means there is none. Of the same
// agent that is the one of the same place, of another what says the same of about the
// same time. Gaps and clocks are each agent's own, and so is what it sees of its node.
func twinOf(tx ecp.Tx, e ecp.HistoryEntry) (*ecp.HistoryEntry, error) {
	last := historyMark(e.Cluster, e.At.Add(-twinTime))
	for other, err := range ecp.List[ecp.HistoryEntry](tx,
		ecp.Query{Parent: string(e.Cluster), After: historyMark(e.Cluster, e.At.Add(twinTime))}) {
		if err != nil {
			return nil, err
		}
		if other.ID > last {
			break
		}
		if slices.Contains(other.Agents, e.Agents[0]) {
			if other.Agents[0] == e.Agents[0] && other.Place == e.Place {
				return &other, nil
			}
			continue
		}
		shared := e.Kind == ecp.HistoryAlarm || e.Kind == ecp.HistoryMember
		if shared && other.Kind == e.Kind && other.Name == e.Name && other.From == e.From && other.To == e.To {
			return &other, nil
		}
	}
	return nil, nil
}

// pruneHistory removes the oldest entries of a cluster that are too many.
func pruneHistory(tx ecp.Tx, id ecp.ID) error {
	var keys []string
	q := ecp.Query{Kind: ecp.KindHistory, Parent: string(id), Match: func(key string, i ecp.Index) bool {
		if i.Parent == string(id) {
			keys = append(keys, key)
		}
		return false // no payload is read
	}}
	for _, err := range tx.List(q) {
		if err != nil {
			return err
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for _, key := range keys[min(len(keys), MostHistory):] {
		if err := tx.Delete(ecp.KindHistory, key); err != nil && !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
	}
	return nil
}

// HistoryOptions selects entries. Zero values select all.
type HistoryOptions struct {
	Kind   ecp.HistoryKind
	Since  time.Time // not older
	Until  time.Time // older
	Cursor string    // Next of the page before
	Limit  int       // 0 = 50; at most [ecp.MaxListLimit]
}

// HistoryPage is a part of a cluster's history, newest first.
type HistoryPage struct {
	Items []ecp.HistoryEntry
	Next  string // Cursor of the next page; empty means this was the last
}

// History returns what agents have told of the past of an adopted cluster, newest
// first: also of the time in which this program did not run or could not be reached.
// It asks no agent.
func (m *Registry) History(ctx context.Context, id ecp.ID, o HistoryOptions) (page HistoryPage, err error) {
	op := "read the history of " + string(id)
	page.Items = []ecp.HistoryEntry{}
	if _, err := m.readableAdopted(ctx, op, ecp.RightRead, id); err != nil {
		return page, err
	}
	if o.Limit <= 0 {
		o.Limit = 50
	}
	o.Limit = min(o.Limit, ecp.MaxListLimit)
	after := string(id) + "/"
	if o.Cursor != "" {
		after += o.Cursor
	}
	if !o.Until.IsZero() {
		after = max(after, historyMark(id, o.Until)+"g") // behind every entry of that very moment
	}
	err = m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		page = HistoryPage{Items: []ecp.HistoryEntry{}}
		for e, err := range ecp.List[ecp.HistoryEntry](tx, ecp.Query{Parent: string(id), After: after}) {
			switch {
			case err != nil:
				return err
			case e.At.Before(o.Since):
				return nil
			case o.Kind != "" && e.Kind != o.Kind:
				continue
			case len(page.Items) == o.Limit:
				page.Next = strings.TrimPrefix(page.Items[o.Limit-1].ID, string(id)+"/")
				return nil
			}
			page.Items = append(page.Items, e)
		}
		return nil
	})
	if err != nil {
		return HistoryPage{Items: []ecp.HistoryEntry{}}, fault.Wrap(op, err)
	}
	return page, nil
}
