package ecp

import "context"

// ListenerManager is a Broker that tells its MQTT listeners and lets them be
// changed. A change is made on all nodes, without touching clients that are
// connected unless it says so.
type ListenerManager interface {
	// Listeners lists them, by id.
	Listeners(ctx context.Context) ([]BrokerListener, error)
	// SetListenerLimit sets how many connections a listener takes on each
	// node; 0 = no limit. Clients beyond it stay; new ones are refused.
	SetListenerLimit(ctx context.Context, id string, limit int) error
	// StartListener lets it take connections again; nil where it does.
	StartListener(ctx context.Context, id string) error
	// StopListener closes it with its connections; nil where it is stopped.
	StopListener(ctx context.Context, id string) error
}

// BrokerListener is a listener with its figures, of all nodes and of each.
type BrokerListener struct {
	ID          string         `json:"id"`       // e.g. "tcp:default" (5.x), "mqtt:tcp:external" (4.x)
	Protocol    Protocol       `json:"protocol"` // [MQTT], [MQTTS], [WS], [WSS], or the broker's word, e.g. "quic"
	Bind        string         `json:"bind"`     // address, e.g. "0.0.0.0:1883"
	Enabled     bool           `json:"enabled"`
	Running     Truth          `json:"running"`         // on all nodes: Unknown = nodes differ
	Connections int            `json:"connections"`     // all nodes
	Limit       int            `json:"limit,omitempty"` // connections on each node; 0 = none
	Nodes       []ListenerNode `json:"nodes"`
}

// ListenerNode is a listener on one node.
type ListenerNode struct {
	Node        string `json:"node"`
	Running     bool   `json:"running"`
	Connections int    `json:"connections"`
	Limit       int    `json:"limit,omitempty"` // 0 = none
}
