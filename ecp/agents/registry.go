package agents

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Registry registers agents, and keeps what they tell of the past. It is safe for use by
// several goroutines.
type Registry struct {
	observed *observed.Clusters
	wake     func(ecp.ID)
}

// New returns a Registry of the agents of a Manager's clusters; the Manager makes one for
// its field Agents. wake asks it to reconcile a cluster soon.
func New(o *observed.Clusters, wake func(ecp.ID)) *Registry {
	return &Registry{observed: o, wake: wake}
}

// Stats counts the agents of adopted clusters and what they have done since
// the program can hear them.
type Stats struct {
	Connected     map[string]int    // agents that are connected now, by carrier
	Away          int               // agents that were connected and are not now
	Registrations uint64            // redeemed registration tokens
	Refusals      map[string]uint64 // registrations and connections that were refused, by code
	Connections   uint64            // connections of agents that proved who they are
	Reconnections uint64            // of these, by agents that had been connected before
	Reports       uint64            // received reports
}

// Counter is a [ecp.Link] that counts.
type Counter interface{ Stats() Stats }
