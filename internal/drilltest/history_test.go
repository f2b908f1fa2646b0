package drilltest

import (
	"encoding/json"
	"time"

	"github.com/openecp/openecp/ecp"
)

// history is what everybody has seen of a run.
type history struct {
	ops     []op
	readers [][]seen // what each reader of the event stream was shown, in its order
	truth   []seen   // the stream from its beginning, read when all was over
	stored  []storedWrite
	calls   []platformCall
	asked   []brokerCall
	audit   []audited
	end     end
}

// outcome is what a client knows of what it has asked for.
type outcome int

const (
	unknown outcome = iota // it was given up, or refused after an attempt that was not answered
	taken                  // it was acknowledged
	refused                // it was refused, and no attempt was left without an answer
)

func (o outcome) String() string { return [...]string{"unknown", "taken", "refused"}[o] }

// op is one thing that a client has asked for, however often it was sent.
type op struct {
	client  int
	what    string // create, describe, delete, or another command
	cluster ecp.ID // of create: as it was answered
	value   string // of create the name, of describe the description: no other op has it
	outcome outcome
	// answers are the operation, or of create the cluster, in each answer: it was asked for again
	// with the same key.
	answers  []string
	attempts int
	began    time.Time
	ended    time.Time
	why      string // of a refusal
}

// seen is one event.
type seen struct {
	Seq     int64           `json:"seq"`
	Kind    ecp.Kind        `json:"kind"`
	Key     string          `json:"key"`
	State   string          `json:"state"`
	Deleted bool            `json:"deleted"`
	Object  json.RawMessage `json:"object"`
}

// storedWrite is a write of a pass that was acknowledged: changes after+1 to last are its own.
type storedWrite struct {
	by          string
	shard       int
	epoch       int64
	after, last int64
}

// platformCall is a call that may have changed a cluster, in the order of calls.
type platformCall struct {
	by      string
	cluster ecp.ID
	what    string
	holder  int64 // epoch of the platform's lease
	epoch   int64 // of the shard
	changed bool
	refused bool
}

// brokerCall is a call of a pass that may have changed something in EMQX.
type brokerCall struct {
	by      string
	cluster ecp.ID
	epoch   int64
	at      int // how many platformCalls there were before it
	what    string
}

// audited is one entry of the audit of what clients have asked for.
type audited struct {
	action  string
	cluster ecp.ID
}

// end is what is there when everything has settled.
type end struct {
	lastSeq  int64
	gaps     []int64 // numbers that no change has
	clusters map[ecp.ID]settledCluster
	books    []books // at moments of the run, each of one snapshot
}

type settledCluster struct {
	name, description string
	booked            int
	nodes, wanted     int // on the platform, and as recorded
	operation         string
}

// books are what is booked, and what clusters have, at one moment.
type books struct {
	seq                           int64
	clusters, booked              int
	pool, poolClusters, poolLimit int
	quota, quotaLimit             int
}
