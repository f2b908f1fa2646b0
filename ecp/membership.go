package ecp

import "context"

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
	RemoveMember(ctx context.Context, node string) error
}
