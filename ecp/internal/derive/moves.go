package derive

import (
	"time"

	"github.com/openecp/openecp/ecp"
)

// DefaultDrainDeadline is the patience with the clients of one node where the spec names
// none.
const DefaultDrainDeadline = 10 * time.Minute

func DrainDeadline(e ecp.Evacuation) time.Duration {
	if e.DeadlineS > 0 {
		return time.Duration(e.DeadlineS) * time.Second
	}
	return DefaultDrainDeadline
}

// IsDrained says that the node has neither clients nor sessions, and gets none:
// it takes clients until it has waited for load balancers to notice.
func IsDrained(at ecp.EvacuationProgress) bool {
	takes := at.Phase == ecp.EvacuationNone || at.Phase == ecp.EvacuationOther || at.Phase == ecp.EvacuationWaiting
	return !takes && at.Connections == 0 && at.Sessions == 0
}
