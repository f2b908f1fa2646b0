package ecp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// HistoryKind is what an entry of a cluster's history tells of.
type HistoryKind string

// The kinds of history entries.
const (
	HistoryAlarm  HistoryKind = "alarm"  // an alarm of the broker was raised, or is over
	HistoryBroker HistoryKind = "broker" // the broker beside the agent answers, or does not
	HistoryMember HistoryKind = "member" // a node of the broker's cluster came, stopped, started or left
	HistoryServer HistoryKind = "server" // the agent lost its connection to this server, or has it again
	HistoryClock  HistoryKind = "clock"  // the agent's clock was set
	HistoryGap    HistoryKind = "gap"    // nothing is known of the time from Since to Until
)

// HistoryKinds are all of them.
var HistoryKinds = []HistoryKind{HistoryAlarm, HistoryBroker, HistoryMember, HistoryServer, HistoryClock, HistoryGap}

// HistoryEntry is one thing that happened to an adopted cluster, as an agent noticed
// it. It is a fact of the past: it moves no state.
type HistoryEntry struct {
	ID      string `json:"id"` // in the order of time, newest first; unique in all
	Cluster ID     `json:"cluster"`
	// Agents noticed it, the first that told first.
	Agents []AgentID `json:"agents"`
	// At is when it was noticed, by this program's clock as far as that can be told.
	At time.Time `json:"at"`
	// Uncertain says that At is not the time that the agent told, which made no sense.
	Uncertain bool        `json:"uncertain,omitempty"`
	Kind      HistoryKind `json:"kind"`
	Name      string      `json:"name,omitempty"`    // of the alarm or node
	From      string      `json:"from,omitempty"`    // how it was; "" = not known, or not there
	To        string      `json:"to,omitempty"`      // how it is; "" = it has gone
	Message   string      `json:"message,omitempty"` // for people
	Nodes     []string    `json:"nodes,omitempty"`   // that raised the alarm
	Since     time.Time   `json:"since,omitzero"`    // when it began; of a gap zero = not known
	Until     time.Time   `json:"until,omitzero"`    // of a gap
	// Replayed says that it happened before the agent connected: nobody here saw it.
	Replayed   bool      `json:"replayed,omitempty"`
	ReceivedAt time.Time `json:"receivedAt"`

	Place HistoryPosition `json:"place"` // in the history of the first of its agents
}

// HistoryPosition is a place in the history that an agent keeps.
type HistoryPosition struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Describe gives kind, key and index.
func (e HistoryEntry) Describe() (Kind, string, Index) {
	return KindHistory, e.ID, Index{Parent: string(e.Cluster)}
}

// Copy gives a value that shares nothing with e.
func (e HistoryEntry) Copy() Payload {
	e.Agents, e.Nodes = slices.Clone(e.Agents), slices.Clone(e.Nodes)
	return e
}

// HistoryKept is how long entries are kept, and MostHistory how many of each cluster:
// the oldest go first.
const (
	HistoryKept = 30 * 24 * time.Hour
	MostHistory = 1000
)

// historyMark is before the ids of a cluster's entries that are not newer than a time.
func historyMark(id ID, at time.Time) string { return string(id) + "/" + auditMark(at) }

// historyOver finds, by their keys alone, the entries that are not kept any longer.
func historyOver(now time.Time) func(key string, _ Index) bool {
	mark := auditMark(now.Add(-HistoryKept))
	return func(key string, _ Index) bool {
		_, at, _ := strings.Cut(key, "/")
		return at > mark
	}
}

// historyID orders entries of one moment by their place.
func historyID(e HistoryEntry) string {
	id := historyMark(e.Cluster, e.At) + fmt.Sprintf("%016x", math.MaxUint64-e.Place.Seq)
	if len(e.Agents) > 0 {
		id += fmt.Sprintf("-%013x-%s", e.Place.Epoch, strings.TrimPrefix(string(e.Agents[0]), "agt-"))
	}
	return id
}

// AgentHistory is what an agent has kept up to a place.
type AgentHistory struct {
	Agent   AgentID
	Upto    HistoryPosition
	Entries []HistoryEntry // in their order; ids, cluster and agents are filled in
}

// StoreHistory stores what agents have told of the past, each entry once, with how far
// each was heard, in one transaction. What another agent has told before is the same
// entry. An agent that is gone is left out. No state moves, and nobody is woken.
func (m *Manager) StoreHistory(ctx context.Context, all []AgentHistory) error {
	q := request{op: "store what agents have kept", kind: KindHistory}
	return m.byItself(ctx, q, func(w *work) error {
		w.actor = System
		for _, h := range all {
			a, _, err := Get[AgentRecord](w.Tx, string(h.Agent))
			if errors.Is(err, ErrNotFound) || err == nil && a.History == h.Upto {
				continue
			}
			if err != nil {
				return err
			}
			if err := storeEntries(w, a, h.Entries); err != nil {
				return err
			}
			a.History = h.Upto
			if err := Put(w.Tx, a, AnyVersion); err != nil {
				return err
			}
		}
		return nil
	})
}

func storeEntries(w *work, a AgentRecord, entries []HistoryEntry) error {
	for _, e := range entries {
		e.Cluster, e.Agents, e.ReceivedAt = a.Cluster, []AgentID{a.ID}, w.now
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
		if err := Put(w.Tx, e, AnyVersion); err != nil {
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

// twinOf returns the entry that tells of the same; nil = there is none. Of the same
// agent that is the one of the same place, of another what says the same of about the
// same time. Gaps and clocks are each agent's own, and so is what it sees of its node.
func twinOf(tx Tx, e HistoryEntry) (*HistoryEntry, error) {
	last := historyMark(e.Cluster, e.At.Add(-twinTime))
	for other, err := range List[HistoryEntry](tx, Query{Parent: string(e.Cluster), After: historyMark(e.Cluster, e.At.Add(twinTime))}) {
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
		shared := e.Kind == HistoryAlarm || e.Kind == HistoryMember
		if shared && other.Kind == e.Kind && other.Name == e.Name && other.From == e.From && other.To == e.To {
			return &other, nil
		}
	}
	return nil, nil
}

// pruneHistory removes the oldest entries of a cluster that are too many.
func pruneHistory(tx Tx, id ID) error {
	var keys []string
	q := Query{Kind: KindHistory, Parent: string(id), Match: func(key string, i Index) bool {
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
		if err := tx.Delete(KindHistory, key); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// HistoryOptions selects entries. Zero values select all.
type HistoryOptions struct {
	Kind   HistoryKind
	Since  time.Time // not older
	Until  time.Time // older
	Cursor string    // Next of the page before
	Limit  int       // 0 = 50; at most [ListLimit]
}

// HistoryPage is a part of a cluster's history, newest first.
type HistoryPage struct {
	Items []HistoryEntry
	Next  string // Cursor of the next page; "" = this was the last
}

// History returns what agents have told of the past of an adopted cluster, newest
// first: also of the time in which this program did not run or could not be reached.
// It asks no agent.
func (m *Manager) History(ctx context.Context, id ID, o HistoryOptions) (page HistoryPage, err error) {
	op := "read the history of " + string(id)
	page.Items = []HistoryEntry{}
	if _, err := m.readableAdopted(ctx, op, RightRead, id); err != nil {
		return page, err
	}
	if o.Limit <= 0 {
		o.Limit = 50
	}
	o.Limit = min(o.Limit, ListLimit)
	after := string(id) + "/"
	if o.Cursor != "" {
		after += o.Cursor
	}
	if !o.Until.IsZero() {
		after = max(after, historyMark(id, o.Until)+"g") // behind every entry of that very moment
	}
	err = m.store.Read(ctx, func(tx Tx) error {
		page = HistoryPage{Items: []HistoryEntry{}}
		for e, err := range List[HistoryEntry](tx, Query{Parent: string(id), After: after}) {
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
		return HistoryPage{Items: []HistoryEntry{}}, explain(op, err, "", "")
	}
	return page, nil
}
