package ecp

import (
	"context"
)

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
	// Available says whether the node takes new clients: False while it is
	// evacuated. Unknown where this version tells nobody without credentials.
	Available Truth  `json:"available"`
	Why       string `json:"why,omitempty"` // why it is not running or available
}
