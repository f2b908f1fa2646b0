package logs

import (
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/tenancy"
)

// Reader reads and follows the logs of clusters. It is safe for use by several goroutines.
type Reader struct {
	observed *observed.Clusters
	accounts *tenancy.Accounts // tells when a reader's rights end
}

// New returns a Reader of the clusters of a Manager, which makes one for its field Logs.
func New(o *observed.Clusters, a *tenancy.Accounts) *Reader {
	return &Reader{observed: o, accounts: a}
}
