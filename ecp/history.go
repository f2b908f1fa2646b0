package ecp

import (
	"slices"
	"time"
)

// HistoryKind is what an entry of a cluster's history tells of.
type HistoryKind string

// HistoryEntry is one thing that happened to an adopted cluster, as an agent noticed
// it. It is a fact of the past: it moves no state.
type HistoryEntry struct {
	ID      string `json:"id"` // in the order of time, newest first; unique in all
	Cluster ID     `json:"cluster"`
	// List noticed it, the first that told first.
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

// Describe implements [Payload].
func (e HistoryEntry) Describe() (Kind, string, Index) {
	return KindHistory, e.ID, Index{Parent: string(e.Cluster)}
}

// Copy returns a value that shares nothing with e.
func (e HistoryEntry) Copy() Payload {
	e.Agents, e.Nodes = slices.Clone(e.Agents), slices.Clone(e.Nodes)
	return e
}

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
