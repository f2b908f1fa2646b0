package ecp

import (
	"context"
)

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
