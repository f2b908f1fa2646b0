package ecp

import (
	"slices"
	"time"
)

// OperationID names an operation: "op-" and 16 hexadecimal digits.
type OperationID string

// OperationKind says what an operation is for; create has no command of its own.
type OperationKind string

// The kinds of operations.
const (
	OpCreate   OperationKind = "create"
	OpStart    OperationKind = "start"
	OpStop     OperationKind = "stop"
	OpRestart  OperationKind = "restart"
	OpUpdate   OperationKind = "update"
	OpRepair   OperationKind = "repair"
	OpTakeOver OperationKind = "take-over"
	OpPutBack  OperationKind = "put-back"
	OpDelete   OperationKind = "delete"
)

// Phase is where an operation stands.
type Phase string

// The phases; all but queued and running are final.
const (
	PhaseQueued     Phase = "queued"
	PhaseRunning    Phase = "running"
	PhaseSucceeded  Phase = "succeeded"
	PhaseFailed     Phase = "failed"     // the spec stays and is applied on with back-off
	PhaseCancelled  Phase = "cancelled"  // the cluster goes back to what was wanted before it
	PhaseSuperseded Phase = "superseded" // a later command took over
)

// Final reports whether the operation will not move any more.
func (p Phase) Final() bool { return p != PhaseQueued && p != PhaseRunning }

// Operation is the record of long work on one cluster. At most one of a
// cluster is not final. Steps are for reading: on re-entry the Manager looks
// at the world, never at a saved step.
type Operation struct {
	ID         OperationID   `json:"id"`
	Cluster    ID            `json:"cluster"`
	Project    string        `json:"project"`
	Kind       OperationKind `json:"kind"`
	Actor      string        `json:"actor"`
	User       string        `json:"user,omitempty"` // who had logged in to ask for it; "" for a token
	Generation int64         `json:"generation"`     // the one it brings about
	From       int64         `json:"fromGeneration"` // the one before it
	Phase      Phase         `json:"phase"`
	Steps      []Step        `json:"steps"`
	Deadline   time.Time     `json:"deadline,omitzero"` // moves on while the cluster cannot be seen
	Error      string        `json:"error,omitempty"`   // fit for users
	CreatedAt  time.Time     `json:"createdAt"`
	EndedAt    time.Time     `json:"endedAt,omitzero"`

	// Note is what is to be known of what was done, fit for users: that less is in force
	// than was asked for, or what stays behind; "" = nothing.
	Note string `json:"note,omitempty"`

	// Evacuated are the nodes whose clients it has moved to others, with what became
	// of them.
	Evacuated []EvacuatedNode `json:"evacuated,omitempty"`

	// SupersededBy is the operation that took over, if one did: a later command,
	// or the way back of one that was cancelled.
	SupersededBy OperationID `json:"supersededBy,omitempty"`
}

// Step is one part of an operation. What an operation waits for says
// [Info].Waits of its cluster.
type Step struct {
	Name  string `json:"name"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
	// Until is when the maintenance window opens that the step waits for; zero = it
	// waits for none.
	Until time.Time `json:"until,omitzero"`
}

// Clone returns a copy that shares nothing with o.
func (o Operation) Clone() Operation {
	o.Steps, o.Evacuated = slices.Clone(o.Steps), slices.Clone(o.Evacuated)
	return o
}

// Describe implements [Payload].
func (o Operation) Describe() (Kind, string, Index) {
	return KindOperation, string(o.ID), Index{Project: o.Project, Parent: string(o.Cluster), State: string(o.Phase)}
}

// Copy returns a value that shares nothing with o.
func (o Operation) Copy() Payload { return o.Clone() }

// EvacuatedNode is what has become of the clients of a node that went, as far as
// the nodes' own counts tell: clients also come and go by themselves.
type EvacuatedNode struct {
	Node  string    `json:"node"`  // its EMQX name
	Since time.Time `json:"since"` // when its clients began to be moved
	// Clients is how many were connected to it before; Returned how many of them
	// were connected to others when it went. Fewer came back where a license or a
	// listener's limit refuses them, or where they wait before they connect again.
	Clients  int `json:"clients"`
	Returned int `json:"returned"`
}
