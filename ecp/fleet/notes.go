package fleet

import (
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// notes say what nodes and clients will see of a command: for plans. outdated
// is how many nodes are of an older pod template than the platform has now.
func notes(t ecp.Timings, now ecp.Info, d decision, outdated int) []string {
	var out []string
	rec := now.ClusterRecord
	if rec.Mode == ecp.Hosted && !d.nothing && d.kind == ecp.OpStop {
		return append(out, stopLoses)
	}
	if rec.Mode != ecp.Hosted || d.nothing || d.kind != ecp.OpUpdate && d.kind != ecp.OpRestart && d.kind != ecp.OpRepair {
		return out
	}
	if d.kind == ecp.OpRepair && len(now.ForeignMembers) > 0 {
		out = append(out, derive.ForeignWords(now.ForeignMembers))
	}
	if runs := derive.WantedNodes(rec); runs == 0 && d.kind != ecp.OpRepair {
		return append(out, "no node runs: it shows when the cluster is started")
	}
	has, want := derive.OrdinalsOf(rec), d.rec.Spec.Hosted.Nodes
	e := d.rec.Spec.Hosted.Evacuation
	alone := fmt.Sprintf("clients are moved to other nodes before, up to %s for each; %s", derive.DrainDeadline(e), derive.EachTakes(t, rec.Resolved.Image.Version, e, now.Current.Current, max(has, 1)))
	if v, ok := ecp.ParseVersion(rec.Resolved.Image.Version); ok && v.Before(ecp.Version{Major: 4, Minor: 4, Patch: 12}) {
		alone = "clients are cut: EMQX before 4.4.12 moves none"
	}
	alone += noRoom(now.Current)
	if want > has {
		out = append(out, some(want-has, "is added", "are added"))
	}
	if want < has {
		out = append(out, some(has-want, "leaves for good with its volume; ", "leave for good with their volumes, one at a time; ")+alone)
	}
	n, why := min(has, want), ""
	switch {
	case outdated > 0 && d.rec.Status.KeepOutdated:
		return append(out, some(outdated, "runs", "run")+" on an older pod template than the platform has now; this replaces none: a restart, or a change of image, size or placement does")
	case !derive.Rolled(rec, d.rec):
		if n = min(n, outdated); n == 0 || d.rec.Status.KeepOutdated {
			return out
		}
		why = "an earlier change has not come to its end: "
	}
	if min(has, want) == 1 {
		return append(out, why+"the only node is replaced: clients are cut and nothing serves until it is back; "+memoryLoses)
	}
	return append(out, why+some(n, "is replaced; ", "are replaced, one at a time; ")+alone)
}

// noRoom says that clients which have to leave a node will be refused elsewhere:
// EMQX empties the node all the same, and calls that done.
func noRoom(c ecp.ConnectionsInfo) string {
	if c.Limit == 0 || c.Current < c.Limit {
		return ""
	}
	return fmt.Sprintf("; warning: %d clients are connected and the limit is %d, so that those that leave a node may be refused by the others until there is room; raise the limit first", c.Current, c.Limit)
}

// What no node keeps where none runs.
const (
	memoryLoses = "what EMQX keeps in memory is lost: sessions, and retained messages unless they are set to be kept on disk"
	stopLoses   = "all clients are cut; " + memoryLoses + "; configuration, users and rules stay on the volumes"
)

// some counts nodes in words.
func some(n int, one, many string) string {
	if n == 1 {
		return "1 node " + one
	}
	return fmt.Sprintf("%d nodes %s", n, many)
}
