package fleet

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// notes say what nodes and clients will see of a command: for plans. outdated
// is how many nodes are of an older pod template than the platform has now.
func notes(t ecp.Timings, now ecp.Info, d decision, plan ecp.Plan, outdated int) []string {
	var out []string
	nodes := derive.Together(plan)
	rec := now.ClusterRecord
	if rec.Mode == ecp.Hosted && !d.nothing && d.kind == ecp.OpStop {
		return append(out, stopLoses)
	}
	if rec.Mode != ecp.Hosted || d.nothing ||
		d.kind != ecp.OpUpdate && d.kind != ecp.OpRestart && d.kind != ecp.OpRepair {
		return out
	}
	if d.kind == ecp.OpRepair && len(now.ForeignMembers) > 0 {
		out = append(out, derive.DescribeForeign(now.ForeignMembers))
	}
	if runs := derive.WantedNodes(rec); runs == 0 && d.kind != ecp.OpRepair {
		return append(out, "no node runs: it shows when the cluster is started")
	}
	has, want := derive.OrdinalsOf(rec)+rec.Spec.Hosted.Replicants.Nodes, d.rec.Spec.Hosted.AllNodes()
	out = append(out, derive.ReplicantNotes(rec, d.rec)...)
	e := d.rec.Spec.Hosted.Evacuation
	alone := fmt.Sprintf("clients are moved to other nodes before, up to %s for each; %s", derive.DrainDeadline(e),
		derive.DescribeDrainTime(t, rec.Resolved.Image.Version, e, now.Current.Current,
			max(derive.ClientNodes(*rec.Spec.Hosted), 1)))
	if derive.MovesNoClients(rec.Resolved.Image.Version) {
		alone = "clients are cut: EMQX before 4.4.12 moves none"
	}
	alone += noRoom(now.Current)
	if added := len(nodes.Added); added > 0 {
		out = append(out, some(added, "is added", "are added"))
	}
	if removed := len(nodes.Removed); removed > 0 {
		with, all := "with its volume", "with their volumes"
		if len(plan.Nodes.Removed) == 0 {
			with, all = "and keeps nothing", "and keep nothing"
		}
		out = append(out, some(removed, "leaves for good "+with+"; ",
			"leave for good "+all+", one at a time; ")+alone)
	}
	why, n := "", len(nodes.Replaced)+len(nodes.Resized)
	switch {
	case outdated > 0 && d.rec.Status.KeepOutdated:
		return append(out, some(outdated, "runs", "run")+" on an older pod template than the platform has now; this "+
			"replaces none: a restart, or a change of image, size or placement does")
	case n == 0:
		return out
	case !derive.ReplacesNodes(rec, d.rec):
		why = "an earlier change has not come to its end: "
	}
	if len(nodes.Resized) > 0 {
		return append(out,
			some(n, "gets its CPU and memory",
				"get their CPU and memory, one at a time,")+" in place: clients stay; where that is refused, or "+
				"there is no room for it, the node is replaced, and its clients are moved before")
	}
	_, not := derive.InPlace(rec, d.rec, now.Nodes)
	if not != "" {
		not = "; not in place: " + not
	}
	if min(has, want) == 1 {
		return append(out,
			why+"the only node is replaced: clients are cut and nothing serves until it is back; "+memoryLoses+not)
	}
	return append(out, why+some(n, "is replaced; ", "are replaced, one at a time; ")+alone+not)
}

// noRoom says that clients which have to leave a node will be refused elsewhere:
// EMQX empties the node all the same, and calls that done.
func noRoom(c ecp.ConnectionsInfo) string {
	if c.Limit == 0 || c.Current < c.Limit {
		return ""
	}
	return fmt.Sprintf("; warning: %d clients are connected and the limit is %d, so that those that leave a node may "+
		"be refused by the others until there is room; raise the limit first", c.Current, c.Limit)
}

// What no node keeps where none runs.
const (
	memoryLoses = "what EMQX keeps in memory is lost: " +
		"sessions, and retained messages unless they are set to be kept on disk"
	stopLoses = "all clients are cut; " + memoryLoses + "; configuration, users and rules stay on the volumes"
)

// some counts nodes in words.
func some(n int, one, many string) string {
	if n == 1 {
		return "1 node " + one
	}
	return fmt.Sprintf("%d nodes %s", n, many)
}

// settingNotes say in a plan which settings need other nodes.
func settingNotes(was ecp.ClusterRecord, d decision) []string {
	if d.nothing || d.kind != ecp.OpUpdate || was.Mode != ecp.Hosted {
		return nil
	}
	return derive.SettingNotes(was, d.rec)
}

// volumeNotes say in a plan what becomes of volumes when the size is another.
func volumeNotes(was ecp.ClusterRecord, d decision) []string {
	from, to := was.Resolved.Size.Storage.Size, d.rec.Resolved.Size.Storage.Size
	a, ok := ecp.ParseQuantity(from)
	b, known := ecp.ParseQuantity(to)
	switch {
	case d.nothing || !ok || !known || a == b:
		return nil
	case a < b:
		return []string{
			fmt.Sprintf("volumes grow from %s to %s, each while its node runs or when it starts, as the storage "+
				"class has it; those of nodes that come later are made as the first ones were, and grown then", from,
				to),
		}
	}
	return []string{fmt.Sprintf("volumes stay as large as they are: none becomes smaller (%s would do)", to)}
}

// certificateNotes say in a plan how another certificate reaches clients.
func certificateNotes(was ecp.ClusterRecord, d decision) []string {
	if was.Mode != ecp.Hosted || d.nothing || d.kind != ecp.OpUpdate {
		return nil
	}
	from, to := was.Spec.Hosted.Network.Certificate, d.rec.Spec.Hosted.Network.Certificate
	switch {
	case from == to:
		return nil
	case to == "":
		return []string{"mqtts and wss serve EMQX's own certificate again, which no client has reason to trust"}
	case from == "":
		return []string{fmt.Sprintf("mqtts and wss serve the certificate %q; nodes get its files when they are "+
			"made: they are replaced for it once, and not when it is renewed", to)}
	}
	return []string{fmt.Sprintf("mqtts and wss serve the certificate %q instead of %q to who connects from some "+
		"minutes on; no node is replaced and no client is dropped for it", to, from)}
}

// limitNotes say in a plan what a change of a cluster's limit means.
func limitNotes(now ecp.Info, d decision) []string {
	was := now.ClusterRecord
	if d.nothing {
		return nil
	}
	if was.Mode == ecp.Hosted {
		return hostedLimitNotes(now, d)
	}
	n, release := d.rec.LimitTarget()
	l := cmp.Or(d.rec.Status.Limit, &ecp.BrokerLimit{})
	switch {
	case d.kind == ecp.OpUpdate && !release:
		return []string{noClientCut}
	case d.rec.Deleting && d.rec.Force && adopted.LimitLeft(d.rec) != "":
		return []string{adopted.LimitLeft(d.rec)}
	case (d.kind == ecp.OpUpdate || d.rec.OwesRelease()) && l.Former != nil:
		return []string{"EMQX gets the limit back that it had before the first change from here: " + strconv.Itoa(n)}
	}
	return nil
}

// noClientCut says what a lower limit does.
const noClientCut = "EMQX drops no client that is connected; new ones are refused beyond the limit"

// hostedLimitNotes say how the booked number is kept to, where a change divides it in
// another way.
func hostedLimitNotes(now ecp.Info, d decision) (out []string) {
	was, is := now.ClusterRecord, d.rec
	same := was.Resolved.ListenerLimit == is.Resolved.ListenerLimit && was.Spec.Connections() == is.Spec.Connections()
	if d.kind != ecp.OpUpdate || derive.WantedNodes(is) == 0 || same {
		return nil
	}
	n, nodes := is.Spec.Connections(), derive.ClientNodes(*is.Spec.Hosted)
	says := derive.DescribeShare(n, nodes)
	switch {
	case derive.LimitsAtRunTime(is.Resolved.Image.Version):
		says += fmt.Sprintf("; a license that takes a limit at run time gets %d instead; no node is restarted "+
			"for that", n)
	case derive.ReplacesNodes(was, is):
		says += "; EMQX 4 reads that only when it starts"
	default:
		says += "; EMQX 4 reads that only when it starts: nodes that run keep what they have until they are replaced"
		if nodes < derive.ClientNodes(*was.Spec.Hosted) {
			says += ", and together they may take fewer than are booked; a restart replaces them"
		}
	}
	out = append(out, says)
	switch {
	case now.Current.Current > n:
		out = append(out, fmt.Sprintf("%d clients are connected and the limit is %d: %s, until fewer are left",
			now.Current.Current, n, noClientCut))
	case n < was.Spec.Connections():
		out = append(out, noClientCut)
	}
	return out
}

// surplusNotes tell in the plan of any change which volumes it deletes of nodes
// that the cluster does not have any more.
func (m *Manager) surplusNotes(rec ecp.ClusterRecord, d decision) []string {
	f, seen := m.observed.Found(rec.ID)
	if !seen || rec.Mode != ecp.Hosted || d.nothing || d.kind == "" || d.kind == ecp.OpPutBack ||
		derive.WantedNodes(d.rec) == 0 {
		return nil
	}
	var names []string
	for _, i := range derive.Leftovers(d.rec, f) {
		for _, v := range f.Volumes {
			if v.Ordinal == i {
				names = append(names, v.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{
		"volumes of nodes that the cluster does not have are deleted with what they hold: " + strings.Join(names, ", "),
	}
}
