package derive

import (
	"cmp"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

// noticeOn4 is how long EMQX 4 waits for load balancers, whatever it is told.
const noticeOn4 = time.Minute

// NoticePeriod is how long a node of a version waits for load balancers before it
// cuts the first client.
func NoticePeriod(t ecp.Timings, version string) time.Duration {
	if v, _ := ecp.ParseVersion(version); v.Major < 5 {
		return noticeOn4
	}
	return t.Notice
}

// MovingTime is how long it takes to move so many clients of a node.
func MovingTime(e ecp.Evacuation, clients int) time.Duration {
	rate := cmp.Or(e.Rate, usualRate)
	return time.Duration((clients+rate-1)/rate) * time.Second
}

// DescribeDrainTime returns how long the clients of one of several nodes will need at least
// to leave it, with so many of them on all of them together.
func DescribeDrainTime(t ecp.Timings, version string, e ecp.Evacuation, clients, nodes int) string {
	each := (clients + nodes - 1) / nodes
	moving := MovingTime(e, each)
	words := fmt.Sprintf("each takes about %s: %s until load balancers have noticed, %s for clients to come back "+
		"elsewhere",
		NoticePeriod(t, version)+t.Takeover+moving, NoticePeriod(t, version), t.Takeover)
	if each > 0 {
		words += fmt.Sprintf(", %s to move %d clients, %d a second", moving, each, cmp.Or(e.Rate, usualRate))
	}
	return words
}

// usualRate is how many clients EMQX moves a second where nothing else is asked.
const usualRate = 500

// DefaultDrainDeadline is the patience with the clients of one node where the spec names
// none.
const DefaultDrainDeadline = 10 * time.Minute

func DrainDeadline(e ecp.Evacuation) time.Duration {
	if e.DeadlineS > 0 {
		return time.Duration(e.DeadlineS) * time.Second
	}
	return DefaultDrainDeadline
}

// IsDrained reports whether the node has neither clients nor sessions, and gets none:
// it takes clients until it has waited for load balancers to notice.
func IsDrained(at ecp.EvacuationProgress) bool {
	takes := at.Phase == ecp.EvacuationNone || at.Phase == ecp.EvacuationOther || at.Phase == ecp.EvacuationWaiting
	return !takes && at.Connections == 0 && at.Sessions == 0
}
