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

// evacuationTexts say, by the phase of an evacuation, what it waits for. Others
// say how many clients and sessions are left.
var evacuationTexts = map[ecp.EvacuationPhase]func(t ecp.Timings, version string, at ecp.EvacuationProgress) string{
	ecp.EvacuationNone: func(ecp.Timings, string,
		ecp.EvacuationProgress) string {
		return "begins to move its clients"
	},
	ecp.EvacuationWaiting: func(t ecp.Timings, version string, at ecp.EvacuationProgress) string {
		return fmt.Sprintf("waits %s until load balancers have noticed that it is to get no clients; it has %d "+
			"clients and %d sessions", NoticePeriod(t, version), at.Connections, at.Sessions)
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
