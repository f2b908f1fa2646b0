// Package access leads programs to the management APIs of clusters, and people to their
// dashboards: its [Gateway] checks the right of the actor, writes into the audit who is let
// through, and returns the way. Nothing passes through it.
package access
