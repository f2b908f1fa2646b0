package ecp

import (
	"context"
	"time"
)

// Monitor is a Broker that tells how busy the cluster is.
type Monitor interface {
	// Traffic says how busy the cluster is now. Nodes that cannot be asked are
	// left out of the sums and MUST say so, rates that are missing too.
	Traffic(ctx context.Context) (Traffic, error)
	// TrafficSeries gives what the broker has kept of the last while, for the
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
