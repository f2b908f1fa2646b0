package ecp

import (
	"context"
	"time"
)

// Evacuator is a Broker that can move the clients of one node to the others
// before the node goes away. Any node takes the calls for any other.
type Evacuator interface {
	// StartEvacuation begins; a node that is being evacuated already is left to
	// go on, whatever its settings. The node takes clients for as long as it waits
	// for load balancers ([EvacuationWaiting]), and then none.
	StartEvacuation(ctx context.Context, node string, o EvacuationOrder) error
	// EvacuationProgress says how far it is. Of a node that does not run it MUST be
	// unavailable, not none: an evacuation outlives a restart, and nobody tells
	// what the node keeps of one. A member that hangs MUST NOT keep it
	// from being told of a healthy node: where the others cannot tell, the node
	// itself, asked at its own endpoint, MUST say what it knows of itself, if
	// need be as [EvacuationUntold].
	EvacuationProgress(ctx context.Context, node string) (EvacuationProgress, error)
	// StopEvacuation ends it, and the node takes clients again; nil where none
	// is under way. An evacuation survives the node's restart: end it after an
	// upgrade.
	StopEvacuation(ctx context.Context, node string) error
}

// EvacuationOrder tunes an evacuation. Zero values take the broker's defaults.
type EvacuationOrder struct {
	ConnectionRate int           // connections cut per second; 0 = 500
	SessionRate    int           // sessions moved per second; 0 = 500
	WaitHealth     time.Duration // for load balancers to notice, before the first cut (5.x); whole seconds
	WaitTakeover   time.Duration // for clients to come back elsewhere, before sessions move; whole seconds
	To             []string      // nodes that sessions move to; nil = all others
}

// EvacuationPhase is where an evacuation stands.
type EvacuationPhase string

// The phases, in their order.
const (
	EvacuationNone       EvacuationPhase = "none"               // no evacuation is under way
	EvacuationWaiting    EvacuationPhase = "waiting-health"     // for load balancers to notice
	EvacuationCutting    EvacuationPhase = "evicting-clients"   // connections are cut
	EvacuationTakeover   EvacuationPhase = "waiting-takeover"   // for clients to come back elsewhere
	EvacuationMoving     EvacuationPhase = "evicting-sessions"  // sessions of clients that are away move
	EvacuationProhibited EvacuationPhase = "prohibiting"        // nothing is left; clients are refused
	EvacuationOther      EvacuationPhase = "unknown-to-openecp" // a phase this build does not know
	// EvacuationUntold says that the node takes no clients by its own word, and
	// that nobody tells the phase, because another member hangs. It may be
	// waiting still, and what is left on it is its own figure.
	EvacuationUntold EvacuationPhase = "phase-not-told"
)

// EvacuationProgress is how far an evacuation is.
type EvacuationProgress struct {
	Phase              EvacuationPhase `json:"phase"`
	InitialConnections int             `json:"initialConnections"`
	Connections        int             `json:"connections"` // still connected to the node
	InitialSessions    int             `json:"initialSessions"`
	Sessions           int             `json:"sessions"` // still on the node
}

// Done reports whether nobody is left on the node and nobody comes.
func (p EvacuationProgress) Done() bool {
	return p.Phase == EvacuationProhibited && p.Connections == 0 && p.Sessions == 0
}

// MemberManager is a Broker whose cluster can be given members and freed of
// them. Who the members are Describe says.
type MemberManager interface {
	// InviteMember lets a running node leave its own cluster and join this one.
	// It waits for the node, which restarts meanwhile; nil where it is a member
	// already.
	InviteMember(ctx context.Context, node string) error
	// RemoveMember ends the membership of a node that is stopped or gone for
	// good; nil where it is none. The node that answers cannot be removed:
	// invalid.
	//
	// A node that runs MUST be left alone, whatever the broker would do: it
	// would lose its clients, its data and its credentials. The error is a
	// conflict, and unavailable where the members give no answer from which it
	// could be told: such a node may run. Implementations MUST look just before
	// they ask the broker.
	RemoveMember(ctx context.Context, node string) error
}
