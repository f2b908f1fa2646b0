package derive

import (
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// ForeignMembers returns the members that EMQX knows of and that are no nodes of the
// cluster, by name: neither pods that are there nor those that are to be there.
// Where the names of nodes cannot be told it returns none.
func (v View) ForeignMembers(described []ecp.Description) []ecp.ForeignMember {
	if len(v.Snapshot.Found.Nodes) == 0 || v.NameOf(0) == "" {
		return nil
	}
	own := map[string]bool{}
	for _, n := range v.Snapshot.Found.Nodes {
		own[n.Name] = true
	}
	for i := range max(v.Want, OrdinalsOf(v.Rec), v.Snapshot.Found.Replicas, v.Rec.Status.Removing+1) {
		own[v.NameOf(i)] = true
	}
	for i := range max(v.WantReplicants, v.Snapshot.Found.Replicants) {
		own[v.nameOf(ecp.RoleReplicant, i)] = true
	}
	var out []ecp.ForeignMember
	for _, d := range described {
		for _, n := range d.Nodes {
			if own[n.Name] {
				continue
			}
			i := slices.IndexFunc(out, func(f ecp.ForeignMember) bool { return f.Name == n.Name })
			if i < 0 {
				i, out = len(out), append(out, ecp.ForeignMember{Name: n.Name})
			}
			out[i].Running = out[i].Running || n.Status != ecp.NodeStopped
		}
	}
	slices.SortFunc(out, func(a, b ecp.ForeignMember) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// DescribeForeign describes members that are no nodes, and what helps.
func DescribeForeign(members []ecp.ForeignMember) string {
	var stopped, running []string
	for _, f := range members {
		if f.Running {
			running = append(running, f.Name)
		} else {
			stopped = append(stopped, f.Name)
		}
	}
	var parts []string
	if len(stopped) > 0 {
		parts = append(parts, "EMQX counts members that are no nodes of the cluster and have stopped: "+
			""+strings.Join(stopped, ", ")+"; repair removes them")
	}
	if len(running) > 0 {
		parts = append(parts, "EMQX counts members that are no nodes of the cluster and run: "+strings.Join(running,
			", ")+"; they are left alone, since they would lose their clients: stop them where they run, then repair "+
			"removes them")
	}
	return strings.Join(parts, "; ")
}

// stoppedForeign names a member that a running repair is to remove; empty means that
// there is none.
func (v View) stoppedForeign() string {
	if v.Rec.Status.RepairOf == "" || v.Snapshot.Unseen != "" {
		return ""
	}
	for _, f := range v.Snapshot.ForeignMembers {
		if !f.Running {
			return f.Name
		}
	}
	return ""
}

// NodeNames are the EMQX names of the nodes that are there.
func (v View) NodeNames() []string {
	var names []string
	for _, n := range v.Snapshot.Found.Nodes {
		names = append(names, n.Name)
	}
	return names
}
