package emqxhttp

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// NodeAlarm is an alarm as one node raised it.
type NodeAlarm struct {
	Node    string
	Name    string
	Message string
	Details json.RawMessage // nil if there are none
	Since   time.Time
	Until   time.Time // zero while it is active
}

// GroupAlarms merges the alarms that several nodes raised for the same cause: active alarms
// of the same name, and past alarms of the same name whose times overlap, directly or
// through a third one. The newest come first. Message and details are those of the node
// that raised the alarm first.
func GroupAlarms(raised []NodeAlarm) []ecp.Alarm {
	raised = slices.Clone(raised)
	slices.SortStableFunc(raised, func(a, b NodeAlarm) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), a.Since.Compare(b.Since), strings.Compare(a.Node, b.Node))
	})
	var groups []ecp.Alarm
	active, over := -1, -1 // groups of the present name that may still grow
	for i, r := range raised {
		if i > 0 && raised[i-1].Name != r.Name {
			active, over = -1, -1
		}
		at := &over
		if r.Until.IsZero() {
			at = &active
		}
		if *at >= 0 && (r.Until.IsZero() || !r.Since.After(groups[*at].Until)) {
			merge(&groups[*at], r)
			continue
		}
		*at = len(groups)
		groups = append(groups, ecp.Alarm{
			Name: r.Name, Message: r.Message, Details: r.Details, Nodes: []string{r.Node}, Since: r.Since,
			Until: r.Until,
		})
	}
	for i := range groups {
		slices.Sort(groups[i].Nodes)
		groups[i].Nodes = slices.Compact(groups[i].Nodes)
	}
	slices.SortStableFunc(groups, func(a, b ecp.Alarm) int { return b.Since.Compare(a.Since) })
	return groups
}

// merge adds an alarm that is not older than its group.
func merge(a *ecp.Alarm, r NodeAlarm) {
	a.Nodes = append(a.Nodes, r.Node)
	if r.Until.After(a.Until) {
		a.Until = r.Until
	}
}
