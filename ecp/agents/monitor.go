package agents

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Registry registers agents, and keeps what they tell of the past.
type Registry struct {
	Observed *observed.Clusters
	Wake     func(ecp.ID) // lets the Manager look at a cluster soon
}
