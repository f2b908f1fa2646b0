package ecp

import "time"

// Plan is what a command would do, as far as can be told before: counted when it is
// asked for, and free of any promise that the world stands still.
type Plan struct {
	Command CommandKind `json:"command"`
	From    State       `json:"from"`
	To      State       `json:"to"`              // state right after the command is taken
	Nothing bool        `json:"nothing"`         // what is asked already holds
	Steps   []string    `json:"steps"`           // names of the operation's steps, in order
	Notes   []string    `json:"notes,omitempty"` // what nodes and clients will see of it, in words
	// Nodes, Clients and Seconds are of hosted clusters, Nodes without replicants.
	Nodes   PlannedNodes   `json:"nodes"`
	Clients PlannedClients `json:"clients"`
	// Seconds is how long it takes at least to move the clients that are connected
	// now, beside Kubernetes' own time. 0 = none is moved.
	Seconds int `json:"seconds"`
	// Begins is when the maintenance window opens in which the first node is replaced;
	// zero = none is waited for. Everything else is done at once.
	Begins time.Time `json:"begins,omitzero"`
	// Replicants are the ordinals of the replicants among the nodes, which have ordinals of
	// their own; nil where the cluster has none before and after.
	Replicants *PlannedNodes `json:"replicants,omitempty"`
	// Quota is what the cluster books in the pool, before and after.
	Quota PlannedQuota `json:"quota"`
	// Hash stands for what is planned: the cluster's revision, steps, nodes with their
	// pods, whether clients are cut. [WithPlan] makes a command depend on it. How many
	// clients there are, and words, are no part of it: they change all the time.
	Hash string `json:"hash"`
}

// PlannedNodes are the ordinals of the nodes that a command touches, in the order in
// which their turn comes.
type PlannedNodes struct {
	Replaced []int `json:"replaced"` // made anew, one at a time
	Resized  []int `json:"resized"`  // get their CPU and memory where they run, one at a time; clients stay
	Added    []int `json:"added"`    // start with others, or were not there
	Removed  []int `json:"removed"`  // leave for good, with their volumes
	Stopped  []int `json:"stopped"`  // go, and their volumes stay unless the cluster is deleted
}

// PlannedClients counts MQTT clients, as connected when the plan was made.
type PlannedClients struct {
	Moved int `json:"moved"` // are asked to connect to another node, or sent there, before theirs goes
	Cut   int `json:"cut"`   // lose their connection, with no node or no time to go to another
}

// PlannedQuota is what a cluster books in the pool, in MQTT connections.
type PlannedQuota struct {
	Was  int `json:"was"`
	Will int `json:"will"`
}
