package ecp

import (
	"context"
	"time"
)

// Monitor is a Broker that tells how busy the cluster is.
type Monitor interface {
	// Traffic says how busy the cluster is now. Nodes that cannot be asked are
	// left out of the sums and say so.
	Traffic(ctx context.Context) (Traffic, error)
	// TrafficSeries gives what the broker has kept of the last while, for the
	// whole cluster, oldest first; moments at which nothing was sampled are
	// left out. Brokers keep hours to days and thin out what is older.
	TrafficSeries(ctx context.Context, last time.Duration) ([]TrafficSample, error)
}

// Traffic is how busy a cluster is.
type Traffic struct {
	Connections         int // MQTT clients connected now
	Sessions            int // including those of clients that are away
	Topics              int
	Subscriptions       int
	SharedSubscriptions int
	Retained            int // messages

	// Rates is nil where the broker counts none.
	Rates *Rates
	// Totals are since the start of each node, all nodes.
	Totals MessageTotals
	Nodes  []NodeTraffic // by name
}

// NodeTraffic is the part of one node that answers for itself.
type NodeTraffic struct {
	Node        string
	Connections int
	Sessions    int
	Totals      MessageTotals
	Error       string // why there are no figures; "" = there are
}

// Rates are messages per second.
type Rates struct{ Received, Sent, Dropped float64 }

// MessageTotals are messages since a node's start.
type MessageTotals struct{ Received, Sent, Dropped int64 }

// TrafficSample is one moment of a series. Messages are those since the sample
// before.
type TrafficSample struct {
	At            time.Time // UTC
	Connections   int       // connected at that moment
	Sessions      int
	Topics        int
	Subscriptions int
	Received      int64
	Sent          int64
	Dropped       int64
}
