package monitor

import (
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/tenancy"
)

// Monitor asks the brokers of clusters for users, and sums up what they say.
type Monitor struct {
	Observed  *observed.Clusters
	Directory *tenancy.Directory
	Surveys   surveys // for overviews
}
