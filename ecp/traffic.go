package ecp

import (
	"context"
	"io"
	"time"
)

// Monitor is a Broker that tells how busy the cluster is.
type Monitor interface {
	// Traffic says how busy the cluster is now. Nodes that cannot be asked are
	// left out of the sums and MUST say so, rates that are missing too.
	Traffic(ctx context.Context) (Traffic, error)
	// TrafficSeries returns what the broker has kept of the last while, for the
	// whole cluster, oldest first; moments at which nothing was sampled are
	// left out. Brokers keep hours to days and thin out what is older.
	TrafficSeries(ctx context.Context, last time.Duration) ([]TrafficSample, error)
}

// Traffic is how busy a cluster is.
type Traffic struct {
	Connections         int `json:"connections"` // MQTT clients connected now
	Sessions            int `json:"sessions"`    // including those of clients that are away
	Topics              int `json:"topics"`
	Subscriptions       int `json:"subscriptions"`
	SharedSubscriptions int `json:"sharedSubscriptions"`
	Retained            int `json:"retained"` // messages

	// Rates is nil where the broker counts none.
	Rates *Rates `json:"rates,omitempty"`
	// RatesError is why there are no rates, or whose are not in them; "" = they
	// are those of all nodes, or the broker counts none.
	RatesError string `json:"ratesError,omitempty"`
	// Totals are since the start of each node, all nodes.
	Totals MessageTotals `json:"totals"`
	Nodes  []NodeTraffic `json:"nodes"` // by name
}

// NodeTraffic is the part of one node that answers for itself.
type NodeTraffic struct {
	Node        string        `json:"node"`
	Connections int           `json:"connections"`
	Sessions    int           `json:"sessions"`
	Totals      MessageTotals `json:"totals"`
	Error       string        `json:"error,omitempty"` // why there are no figures, or not all; "" = there are
}

// Rates are messages per second.
type Rates struct {
	Received float64 `json:"received"`
	Sent     float64 `json:"sent"`
	Dropped  float64 `json:"dropped"`
}

// MessageTotals are messages since a node's start.
type MessageTotals struct {
	Received int64 `json:"received"`
	Sent     int64 `json:"sent"`
	Dropped  int64 `json:"dropped"`
}

// TrafficSample is one moment of a series. Messages are those since the sample
// before.
type TrafficSample struct {
	At            time.Time `json:"at,omitzero"` // UTC
	Connections   int       `json:"connections"` // connected at that moment
	Sessions      int       `json:"sessions"`
	Topics        int       `json:"topics"`
	Subscriptions int       `json:"subscriptions"`
	Received      int64     `json:"received"`
	Sent          int64     `json:"sent"`
	Dropped       int64     `json:"dropped"`
}

// Metrics is a Broker that tells its metrics in Prometheus' text format.
type Metrics interface {
	// WriteMetrics copies the exposition to w as it comes and says how many
	// bytes that were. Where the error is not nil, what was written is not
	// whole: whoever serves it on has to say so. An answer that is no
	// exposition is not begun. No more than [MaxMetrics] bytes are copied.
	WriteMetrics(ctx context.Context, w io.Writer, s MetricsScope) (int64, error)
}

// MetricsLoader is a Broker whose metrics are a part of it that has to be loaded first. It is
// only asked to load it in clusters that are ours.
type MetricsLoader interface {
	// LoadMetrics loads it on the answering node, for good: it is there after restarts, too.
	// That it is loaded already is no error.
	LoadMetrics(ctx context.Context) error
}

// MaxMetrics is the size of the largest exposition that is copied, in bytes.
const MaxMetrics = 256 << 20

// MetricsScope says whose metrics are wanted.
type MetricsScope string

// The scopes. A broker that knows its own node only (4.x) gives that, whatever
// is asked: its series then have no label for the node.
const (
	MetricsOfNode  MetricsScope = ""      // the node that answers
	MetricsOfNodes MetricsScope = "nodes" // every node, with a label "node"
)

// AgentSample is a sample that an agent took of the cluster. Messages are those of the
// time Over before it.
type AgentSample struct {
	TrafficSample
	Over time.Duration
}

// AgentSampler is a [Link] whose agents keep samples.
type AgentSampler interface {
	// Samples asks the cluster's agents for the samples that they have kept since a
	// time: those of each agent that tells any, oldest first, by this program's clock.
	// The error says what is missing, and why; what was told comes with it. It MUST
	// keep to bounds of its own, whatever agents send.
	Samples(ctx context.Context, id ID, since time.Time) ([][]AgentSample, error)
}

// SeriesGap is a time of a series of which no agent tells a sample.
type SeriesGap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// HealthSource is a Broker that tells without credentials whether the node that
// answers lives and takes clients, as load balancers ask.
type HealthSource interface {
	// Health asks. A node that says it is not up, or does not answer like one
	// that is, is an answer; an error means that nothing answered.
	Health(ctx context.Context) (Health, error)
}

// Health is how one node is.
type Health struct {
	Node    string `json:"node,omitempty"`    // its EMQX name; "" = not told
	Version string `json:"version,omitempty"` // "" = not told, as from 5.8.11 on
	Edition string `json:"edition,omitempty"`
	// Running says that EMQX is up on the node: it need not have joined its
	// cluster yet.
	Running bool `json:"running"`
	// Available reports whether the node takes new clients: False while it is
	// evacuated. Unknown where this version tells nobody without credentials.
	Available ConditionStatus `json:"available"`
	Why       string          `json:"why,omitempty"` // why it is not running or available
}
