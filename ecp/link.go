package ecp

import (
	"cmp"
	"context"
	"time"
)

// Link leads to adopted clusters: the side of the tunnel that the Manager sees.
// Calls may come from several goroutines at once.
type Link interface {
	// Observe returns what is known of a cluster's agents. It answers from
	// memory: it MUST NOT ask anybody nor wait, and is called for every cluster of
	// a list.
	Observe(id ID) AgentsObservation
	// Watch calls wake for a cluster whenever Observe would answer something else.
	// It blocks until ctx ends. wake returns at once and may be called from any
	// goroutine; no lock that Observe takes may be held around it.
	Watch(ctx context.Context, wake func(ID)) error
	// Endpoint returns the way to the management API of the broker beside an agent
	// of the cluster, by the EMQX name of its node. An empty node means any that is
	// connected. The agent adds the broker's credentials: only for calls that the
	// actor was allowed. Unavailable if no such agent is connected.
	//
	// The Transport returns the answers of the broker only. If the agent answers in its
	// place, RoundTrip MUST return an [*Error] with the agent's words: denied if the
	// agent lets nobody make such a call, unsupported if it does not know the call,
	// invalid if the call is malformed or never passed on, throttled if it has too many,
	// and unavailable if the broker could not be asked, or the connection broke before
	// an answer. An error of a context that has ended is returned as it is.
	Endpoint(ctx context.Context, id ID, node string) (Endpoint, error)
	// Dashboard returns the way to the dashboard beside an agent. The agent passes
	// bytes on as they are and MUST NOT add credentials.
	Dashboard(ctx context.Context, id ID, node string) (Endpoint, error)
	// Drop closes the connections of the agents named, of all of the cluster's
	// where none is, and tells them that they are not wanted any more. Their
	// records are gone by then, so that none can come back with its key.
	Drop(id ID, agents ...AgentID)
}

// AgentsObservation is what a Link knows of a cluster's agents.
type AgentsObservation struct {
	// Since is since when agents can be heard by this program: until some time
	// after it silence says nothing of an agent.
	Since time.Time
	// Unheard says why no agent can be heard at all, such as that no address takes
	// their connections; "" = they can be.
	Unheard string
	// List are those that have connected since Since, by id. One that is not
	// among them has not been heard.
	Agents []AgentObservation
}

// Of returns what is known of an agent; false where it was not heard.
func (o AgentsObservation) Of(id AgentID) (AgentObservation, bool) {
	for _, a := range o.Agents {
		if a.Agent == id {
			return a, true
		}
	}
	return AgentObservation{}, false
}

// AgentObservation is one agent as its connection shows it.
type AgentObservation struct {
	Agent     AgentID
	Connected bool
	// Cut means that nothing is known of it: it is, or may be by now, connected to another
	// program that shares the Store, which this one cannot reach. Connected is false then.
	Cut      bool
	Since    time.Time // since when Connected is as it is, by this program's clock
	Clean    bool      // it said goodbye; false while connected
	LastSeen time.Time // when anything of it was last heard
	// Instance is drawn by each process of the agent; Remote is where it came
	// from, Carrier how ("direct" or "websocket"), Version its own.
	Instance, Remote, Carrier, Version string
	// ClockSkew is how much its clock is ahead of ours; it harms nothing.
	ClockSkew time.Duration
	// Conflict says that the agent's key, or its node's name, is used twice at the
	// same time, and by whom; "" = it is not.
	Conflict string
	// Mismatch says that the broker beside it belongs to another EMQX cluster, as
	// its members tell; "" = nothing speaks for it.
	Mismatch string
	Report   *AgentReport // the last one; nil = none yet in this process
}

// AgentReport is what an agent found at its broker.
type AgentReport struct {
	At   time.Time // when it was received, by this program's clock
	Node string    // EMQX name of the node beside the agent; "" = not known yet
	// Description is the cluster as that node sees it; Nodes is empty where it
	// could not be read.
	Description Description
	LimitCall   bool // the broker lists the call that sets its connection limit
	LicenseType int  // EMQX customer type; 3 = business critical, 0 = not known
	// Errors are what went wrong; nil = nothing.
	Errors    []AgentError
	Dashboard bool // the dashboard answers
	// Read is the directory of the log files that the agent reads; empty = it reads none,
	// or cannot.
	Logs string
}

// AgentError is one thing that went wrong at an agent.
type AgentError struct {
	Stage   string // what it was doing: see [AgentStageNode] and its like
	Code    string // what kind of fault: see [AgentFaultAuth] and its like
	Message string // for people, without secrets
}

// The stages of an agent's work.
const (
	AgentStageNode    = "nodeConnect"  // reaching the broker beside it
	AgentStageCluster = "clusterFetch" // reading version and members
	AgentStageMetrics = "metricsFetch"
	AgentStageLogs    = "logsFetch"
	AgentStageTunnel  = "tunnel"
)

// The kinds of faults that an agent tells apart.
const (
	AgentFaultUnreachable = "unreachable"
	AgentFaultAuth        = "auth_failed"
	AgentFaultOpenSource  = "open_source"
	AgentFaultVersion     = "unsupported_version"
	AgentFaultTimeout     = "timeout"
	AgentFaultMalformed   = "malformed"
	AgentFaultInternal    = "internal"
)

// Complete reports whether the report tells how the cluster is: its members are
// known, and nothing went wrong on the way to them.
func (r AgentReport) Complete() bool { return len(r.Description.Nodes) > 0 && r.Fault() == nil }

// LogFault says why the agent cannot read log files that it may read; empty = nothing.
func (r AgentReport) LogFault() string {
	for _, e := range r.Errors {
		if e.Stage == AgentStageLogs {
			return cmp.Or(e.Message, e.Code)
		}
	}
	return ""
}

// Fault returns the first error on the way to what the cluster is; nil = none.
func (r AgentReport) Fault() *AgentError {
	for _, e := range r.Errors {
		if e.Stage == AgentStageNode || e.Stage == AgentStageCluster {
			return &e
		}
	}
	return nil
}
