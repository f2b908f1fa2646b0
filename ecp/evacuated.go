package ecp

import (
	"time"
)

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
