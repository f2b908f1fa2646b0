package logs

import (
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/tenancy"
)

// Reader reads and follows the logs of clusters.
type Reader struct {
	Observed *observed.Clusters
	Accounts *tenancy.Accounts
}
