package derive

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// PlannedNodes returns the nodes that an operation touches, from one record of a hosted
// cluster to another. outdated are the ordinals of those that the platform would make in
// another way now.
func PlannedNodes(kind ecp.OperationKind, before, after ecp.ClusterRecord, outdated []int) ecp.PlannedNodes {
	has := 0
	if WantedNodes(before) > 0 {
		has = OrdinalsOf(before)
	}
	anew := kind == ecp.OpRestart || before.Spec.Hosted != nil && replacesCores(before, after)
	return planned(kind, has, WantedNodes(after), anew, after, outdated)
}

// PlannedReplicants returns the same of replicants; nil where there are none before and after.
func PlannedReplicants(kind ecp.OperationKind, before, after ecp.ClusterRecord, outdated []int) *ecp.PlannedNodes {
	has, is := 0, after.Spec.Hosted
	if before.Spec.Hosted != nil {
		has = WantedReplicants(before)
	}
	if is == nil || has == 0 && is.Replicants.Nodes == 0 {
		return nil
	}
	anew := kind == ecp.OpRestart || before.Spec.Hosted != nil && replacesReplicants(before, after)
	out := planned(kind, has, WantedReplicants(after), anew, after, outdated)
	if WantedNodes(after) > 0 && WantedReplicants(after) == 0 { // they leave, and are not stopped
		out.Removed, out.Stopped = out.Stopped, []int{}
	}
	return &out
}

func planned(kind ecp.OperationKind, has, want int, anew bool, after ecp.ClusterRecord,
	outdated []int) ecp.PlannedNodes {
	out := ecp.PlannedNodes{Replaced: []int{}, Resized: []int{}, Added: []int{}, Removed: []int{}, Stopped: []int{}}
	if kind == "" || kind == ecp.OpTakeOver || kind == ecp.OpPutBack { // their notes say it, from what is found
		return out
	}
	if want == 0 {
		out.Stopped = downFrom(has, 0)
		return out
	}
	out.Removed = downFrom(has, want)
	for i := has; i < want; i++ {
		out.Added = append(out.Added, i)
	}
	stay := min(has, want)
	switch {
	case anew:
		out.Replaced = downFrom(stay, 0)
	case !after.Status.KeepOutdated:
		out.Replaced = slices.DeleteFunc(downFrom(stay, 0), func(i int) bool { return !slices.Contains(outdated, i) })
	}
	return out
}

// downFrom lists ordinals below from, down to and with to.
func downFrom(from, to int) []int {
	out := []int{}
	for i := from - 1; i >= to; i-- {
		out = append(out, i)
	}
	return out
}

// PlanClients puts into the plan of a change of a hosted cluster what becomes of the clients
// that are connected now. inPlace: nodes get another size where they run.
func PlanClients(t ecp.Timings, plan *ecp.Plan, before, after ecp.ClusterRecord, inPlace bool,
	nodes []ecp.NodeInfo) {
	if after.Mode != ecp.Hosted {
		return
	}
	var takes time.Duration
	has := map[ecp.NodeRole]map[int]int{ecp.RoleCore: {}, ecp.RoleReplicant: {}}
	for _, n := range nodes {
		has[n.NodeObservation.Role][n.Ordinal] = n.Connections
	}
	for role, planned := range map[ecp.NodeRole]*ecp.PlannedNodes{ecp.RoleCore: &plan.Nodes,
		ecp.RoleReplicant: plan.Replicants} {
		if planned == nil {
			continue
		}
		if inPlace {
			planned.Resized, planned.Replaced = planned.Replaced, []int{}
		}
		others := len(nodes) > len(has[role])
		c, each := PlannedClients(t, before.Resolved.Image.Version, after.Spec.Hosted.Evacuation, *planned,
			has[role], others)
		plan.Clients.Moved, plan.Clients.Cut, takes = plan.Clients.Moved+c.Moved, plan.Clients.Cut+c.Cut, takes+each
	}
	plan.Seconds = int(takes.Seconds())
}

// PlannedClients returns what becomes of the clients of the nodes of one role, and how long
// moving them takes at least. clients are those of each node, by ordinal; others tells that
// there are nodes of another role that clients can go to.
func PlannedClients(t ecp.Timings, version string, e ecp.Evacuation, nodes ecp.PlannedNodes, clients map[int]int,
	others bool) (out ecp.PlannedClients, takes time.Duration) {
	for _, i := range nodes.Stopped {
		out.Cut += clients[i]
	}
	leave := slices.Concat(nodes.Removed, nodes.Replaced)
	alone := len(leave) == 1 && !others &&
		!slices.ContainsFunc(slices.Collect(maps.Keys(clients)), func(i int) bool { return i != leave[0] })
	for _, i := range leave {
		if alone || MovesNoClients(version) {
			out.Cut += clients[i]
			continue
		}
		out.Moved += clients[i]
		takes += NoticePeriod(t, version) + t.Takeover + MovingTime(e, clients[i])
	}
	return out, takes
}

// MovesNoClients reports whether the EMQX of a version cannot move clients to other nodes.
func MovesNoClients(version string) bool {
	v, ok := ecp.ParseVersion(version)
	return ok && v.Before(ecp.Version{Major: 4, Minor: 4, Patch: 12})
}

// PlanRepair adds to the plan of a repair the nodes that it makes anew: those that are
// restarted so that they join the others, whose clients are cut, and those that will not
// start, or whose machines have gone or are abandoned. nodes are those of the cluster, with
// their clients.
func PlanRepair(plan *ecp.Plan, v View, nodes []ecp.NodeInfo, after ecp.Status) {
	abandoned := after.Abandoned
	defer func() { planKeys(plan, v, after, nodes) }()
	add := func(nodes []ecp.NodeObservation) (added []ecp.NodeObservation) {
		for _, n := range nodes {
			of := plannedOf(plan, n.Role)
			if !slices.Contains(of.Replaced, n.Ordinal) {
				of.Replaced, added = append(of.Replaced, n.Ordinal), append(added, n)
			}
		}
		return added
	}
	clients := map[string]int{}
	for _, n := range nodes {
		clients[n.Pod] = n.Connections
	}
	if apart := add(v.ToJoin().Restart); len(apart) > 0 {
		cut := 0
		for _, n := range apart {
			cut += clients[n.Pod]
		}
		plan.Clients.Cut += cut
		plan.Notes = slices.Insert(plan.Notes, 0, fmt.Sprintf("nodes count different members: those of the smaller "+
			"side are restarted, each when the one before has joined: %s; %d clients are cut; what was changed on "+
			"that side since they parted is lost", strings.Join(PodsOf(apart), ", "), cut))
	}
	for _, n := range add(slices.DeleteFunc(slices.Clone(v.Snapshot.Found.Nodes),
		func(n ecp.NodeObservation) bool {
			return !offMachine(n) || !gone(n) && !slices.Contains(abandoned, n.PodUID)
		})) {
		if gone(n) {
			plan.Notes = append(plan.Notes, fmt.Sprintf("%s is deleted without waiting for its machine, which runs "+
				"nothing any more (%s), and made anew, with its volume", n.Pod, n.Message))
			continue
		}
		plan.Notes = slices.Insert(plan.Notes, 0, fmt.Sprintf("%s is deleted by force although its machine may still "+
			"run it: if that is merely cut off, EMQX goes on there under the same name, and writes to the same "+
			"volume, whose data may be damaged by that; switch the machine off first (%s)", n.Pod, n.Message))
	}
	for _, n := range add(slices.DeleteFunc(slices.Clone(v.Snapshot.Found.Nodes), func(n ecp.NodeObservation) bool {
		return !slices.Contains(abandoned, lostVolume(v.Snapshot.Found, n))
	})) {
		plan.Notes = slices.Insert(plan.Notes, 0, fmt.Sprintf("the volume claim %s of %s is deleted, and the node "+
			"made anew with an empty volume: what only the lost one held is lost for good, such as messages that "+
			"wait on disk; what EMQX keeps on all members comes back from the others when it joins them (%s)",
			n.Volume, n.Pod, n.Message))
	}
	broken := add(slices.DeleteFunc(slices.Clone(v.Snapshot.Found.Nodes),
		func(n ecp.NodeObservation) bool { return !n.Broken || n.Terminating }))
	if len(broken) > 0 {
		plan.Notes = append(plan.Notes, "what will not start without help is made anew, with its volume: "+
			strings.Join(PodsOf(broken), ", "))
	}
}

func gone(n ecp.NodeObservation) bool { return n.Machine == ecp.MachineGone }

// AbandonedBy returns what a repair gives up, by UIDs: the pods that it deletes although their
// machines may still run them, and the claims whose volumes are lost; nil where there is
// nothing, or it is not to.
func AbandonedBy(cmd ecp.Repair, found ecp.Observation) (out []string) {
	for _, n := range found.Nodes {
		if cmd.Force && offMachine(n) && !gone(n) {
			out = append(out, n.PodUID)
		}
		if claim := lostVolume(found, n); cmd.LostVolumes && claim != "" {
			out = append(out, claim)
		}
	}
	return out
}

// lostVolume returns the UID of the claim of a node whose volume is lost; empty if it is not.
func lostVolume(found ecp.Observation, n ecp.NodeObservation) string {
	for _, v := range found.Volumes {
		if n.VolumeLost && v.Ordinal == n.Ordinal && !v.Terminating {
			return v.UID
		}
	}
	return ""
}
