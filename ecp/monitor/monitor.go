package monitor

import (
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/tenancy"
)

// Monitor asks the brokers of clusters for users, and sums up what they answer. It is safe
// for use by several goroutines.
type Monitor struct {
	observed  *observed.Clusters
	directory *tenancy.Directory
	surveys   surveys // for overviews
}

// New returns a Monitor of the clusters of a Manager, which makes one for its field Monitor.
func New(o *observed.Clusters, d *tenancy.Directory) *Monitor {
	return &Monitor{observed: o, directory: d, surveys: newSurveys()}
}
