package derive

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// Nodes read the cluster's cookie and keys when they start. Where the Secret with those has
// gone, or is another one now, nodes that run keep what they have: they refuse the new keys,
// and a node that starts with another cookie cannot join them. So a repair that accepts the
// loss stops all nodes before any starts again.

// keysLost reports whether the Secret that is known is not there any more.
func keysLost(rec ecp.ClusterRecord, found ecp.Observation) bool {
	return rec.Status.Auth != "" && found.Auth != rec.Status.Auth
}

// UnforeseenKeys reports whether a repair that is about to be applied has to stop all nodes
// before, and nobody knew that when it was asked for.
func UnforeseenKeys(rec ecp.ClusterRecord, found ecp.Observation) bool {
	return !rec.Status.Dispatched && !rec.Deleting && keysLost(rec, found)
}

// AcceptLoss lets a repair make anew what is lost. seen tells whether found is what is there:
// otherwise it shows later whether the keys are lost.
func AcceptLoss(rec *ecp.ClusterRecord, found ecp.Observation, seen bool) {
	rec.Status.Dispatched, rec.Status.Seen, rec.Status.Volumes = false, false, nil
	if seen && keysLost(*rec, found) {
		leaveKeys(&rec.Status, found)
	}
}

// leaveKeys notes that the pods which are there have keys that nobody knows any more.
func leaveKeys(st *ecp.Status, found ecp.Observation) {
	st.Auth, st.OldKeys = "", nil
	for _, n := range found.Nodes {
		st.OldKeys = append(st.OldKeys, n.PodUID)
	}
}

// recordKeys takes up a Secret that somebody has put back, and forgets pods that had other
// keys when they have gone. unforeseen is what UnforeseenKeys said in this pass.
func recordKeys(rec *ecp.ClusterRecord, snap Snapshot, unforeseen bool) {
	st, f := &rec.Status, snap.Found
	if snap.Unseen != "" || f.ForeignOwner != "" || rec.Deleting {
		return
	}
	switch {
	case keysLost(*rec, f) && takesKeys(snap):
		st.Auth = f.Auth
	case unforeseen:
		leaveKeys(st, f)
	}
	if len(st.OldKeys) > 0 && !oldKeys(*rec, f) {
		st.OldKeys = nil
	}
}

// takesKeys reports whether every node that serves takes the keys of the Secret that is there,
// so that it holds what the lost one held. Where no node runs any will do.
func takesKeys(snap Snapshot) bool {
	if snap.Found.Auth == "" || !snap.Found.Exists {
		return false
	}
	ready := 0
	for _, n := range snap.Found.Nodes {
		if !n.Ready || n.Terminating {
			continue
		}
		ready++
		counted := false
		for _, view := range snap.Views {
			counted = counted || HasMember(view, n.Name)
		}
		if !counted {
			return false
		}
	}
	return ready > 0 || len(snap.Found.Nodes) == 0
}

// oldKeys reports whether pods are there that have other keys than the Secret. One that is
// being deleted and whose machine does not answer cannot be waited for: it never starts again.
func oldKeys(rec ecp.ClusterRecord, found ecp.Observation) bool {
	return slices.ContainsFunc(found.Nodes, func(n ecp.NodeObservation) bool {
		return slices.Contains(rec.Status.OldKeys, n.PodUID) && (!n.Terminating || !offMachine(n))
	})
}

func (v View) oldKeys() bool { return oldKeys(v.Rec, v.Snapshot.Found) }

// whyAllStop says why no node runs while those with other keys are stopped.
const whyAllStop = "nodes with different cookies cannot be in one cluster: all are stopped before any starts with " +
	"the new one"

// stopped tells how many of the pods with other keys have gone.
func stopped(v View) (done, total int) {
	old := v.Rec.Status.OldKeys
	if UnforeseenKeys(v.Rec, v.Snapshot.Found) {
		return 0, len(v.Snapshot.Found.Nodes)
	}
	if len(old) == 0 {
		return v.All(), v.All()
	}
	for _, uid := range old {
		if !slices.ContainsFunc(v.Snapshot.Found.Nodes,
			func(n ecp.NodeObservation) bool { return n.PodUID == uid }) {
			done++
		}
	}
	return done, len(old)
}

// planKeys says in the plan of a repair that all nodes are stopped, whose clients are cut.
// after is the record that the repair makes.
func planKeys(plan *ecp.Plan, v View, after ecp.Status, nodes []ecp.NodeInfo) {
	if len(after.OldKeys) == 0 {
		return
	}
	cut := 0 // as far as it is known: with the keys gone no node can be asked
	for _, n := range nodes {
		cut += n.Connections
	}
	var pods []ecp.NodeObservation
	for _, n := range v.Snapshot.Found.Nodes {
		if of := plannedOf(plan, n.Role); !slices.Contains(of.Replaced, n.Ordinal) {
			of.Replaced = append(of.Replaced, n.Ordinal)
		}
		pods = append(pods, n)
	}
	plan.Clients = ecp.PlannedClients{Cut: cut}
	what := fmt.Sprintf("the Secret %s-auth has gone: a new one is made, with another cookie and other keys", v.Rec.ID)
	if v.Snapshot.Found.Auth != "" {
		what = fmt.Sprintf("another Secret %s-auth is there than nodes have started with: it stays", v.Rec.ID)
	}
	plan.Notes = slices.Insert(plan.Notes, 0, fmt.Sprintf("%s; all nodes are stopped at once, since nodes with "+
		"different cookies cannot be in one cluster, and start together: %s; all clients are cut, and nothing serves "+
		"until then; volumes stay, with what EMQX keeps there: users, further API keys, the dashboard's password",
		what, strings.Join(PodsOf(pods), ", ")))
}

// plannedOf returns the part of a plan that is about the nodes of a role.
func plannedOf(plan *ecp.Plan, role ecp.NodeRole) *ecp.PlannedNodes {
	if role == ecp.RoleReplicant && plan.Replicants != nil {
		return plan.Replicants
	}
	return &plan.Nodes
}
