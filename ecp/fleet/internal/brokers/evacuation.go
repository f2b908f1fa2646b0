package brokers

import (
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// evacuationTexts say, by the phase of an evacuation, what it waits for. Others
// say how many clients and sessions are left.
var evacuationTexts = map[ecp.EvacuationPhase]func(t ecp.Timings, version string, at ecp.EvacuationProgress) string{
	ecp.EvacuationNone: func(ecp.Timings, string,
		ecp.EvacuationProgress) string {
		return "begins to move its clients"
	},
	ecp.EvacuationWaiting: func(t ecp.Timings, version string, at ecp.EvacuationProgress) string {
		return fmt.Sprintf("waits %s until load balancers have noticed that it is to get no clients; it has %d "+
			"clients and %d sessions", derive.NoticePeriod(t, version), at.Connections, at.Sessions)
	},
	ecp.EvacuationUntold: func(_ ecp.Timings, _ string, at ecp.EvacuationProgress) string {
		return clientsLeft(at) + " by its own count, as another node does not answer; it goes when it has none and " +
			"load balancers have had their time to notice"
	},
	ecp.EvacuationTakeover: func(t ecp.Timings, _ string, at ecp.EvacuationProgress) string {
		if at.Connections > 0 {
			return clientsLeft(at)
		}
		return fmt.Sprintf("has no clients any more, and gives them %s to come back elsewhere before it moves the "+
			"sessions of the others", t.Takeover)
	},
	ecp.EvacuationMoving: func(_ ecp.Timings, _ string, at ecp.EvacuationProgress) string {
		if at.Connections > 0 {
			return clientsLeft(at)
		}
		return fmt.Sprintf("has no clients any more, and moves the %d sessions that are left", at.Sessions)
	},
}

func clientsLeft(at ecp.EvacuationProgress) string {
	return fmt.Sprintf("still has %d clients and %d sessions", at.Connections, at.Sessions)
}

// DescribeEvacuation returns in words what the evacuation of a node waits for.
func DescribeEvacuation(t ecp.Timings, version, node string, at ecp.EvacuationProgress, until time.Time) string {
	words := clientsLeft(at)
	if say := evacuationTexts[at.Phase]; say != nil {
		words = say(t, version, at)
	}
	return fmt.Sprintf("%s %s; clients are given until %s", node, words, until.UTC().Format(time.RFC3339))
}
