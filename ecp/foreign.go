package ecp

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// ReasonForeignMember means that EMQX has members that are no nodes of the cluster.
const ReasonForeignMember Reason = "ForeignMember"

// ForeignMember is a member of an EMQX cluster that is no node of ours: what
// somebody's own scaling has left behind, or a broker that was joined by hand.
type ForeignMember struct {
	Name string `json:"name"` // EMQX node name
	// Running is false where EMQX reports it as stopped. One that may run is
	// left alone: it would lose its clients and its data.
	Running bool `json:"running"`
}

// foreignMembers returns the members that EMQX knows of and that are no nodes of the
// cluster, by name: neither pods that are there nor those that are to be there.
// Where the names of nodes cannot be told it returns none.
func (v view) foreignMembers(described []Description) []ForeignMember {
	if len(v.look.Found.Nodes) == 0 || v.nameOf(0) == "" {
		return nil
	}
	own := map[string]bool{}
	for _, n := range v.look.Found.Nodes {
		own[n.Name] = true
	}
	for i := range max(v.want, ordinalsOf(v.rec), v.look.Found.Replicas, v.rec.Status.Removing+1) {
		own[v.nameOf(i)] = true
	}
	var out []ForeignMember
	for _, d := range described {
		for _, n := range d.Nodes {
			if own[n.Name] {
				continue
			}
			i := slices.IndexFunc(out, func(f ForeignMember) bool { return f.Name == n.Name })
			if i < 0 {
				i, out = len(out), append(out, ForeignMember{Name: n.Name})
			}
			out[i].Running = out[i].Running || n.Status != NodeStopped
		}
	}
	slices.SortFunc(out, func(a, b ForeignMember) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// foreignWords describes members that are no nodes, and what helps.
func foreignWords(members []ForeignMember) string {
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
		parts = append(parts, "EMQX counts members that are no nodes of the cluster and have stopped: "+strings.Join(stopped, ", ")+"; repair removes them")
	}
	if len(running) > 0 {
		parts = append(parts, "EMQX counts members that are no nodes of the cluster and run: "+strings.Join(running, ", ")+"; they are left alone, since they would lose their clients: stop them where they run, then repair removes them")
	}
	return strings.Join(parts, "; ")
}

// stoppedForeign names a member that a running repair is to remove; empty means that
// there is none.
func (v view) stoppedForeign() string {
	if v.rec.Status.RepairOf == "" || v.look.Unseen != "" {
		return ""
	}
	for _, f := range v.look.Foreign {
		if !f.Running {
			return f.Name
		}
	}
	return ""
}

// expel ends the membership of one that is no node of the cluster. The broker is asked
// just before whether it runs.
func (m *Manager) expel(ctx context.Context, p Provisioner, v view, name string) (waits string) {
	if err := m.forceLeave(ctx, p, v, name); err != nil {
		return fmt.Sprintf("%s is no node of the cluster, and is still a member: %s", name, MessageOf(err))
	}
	m.log.InfoContext(ctx, "a member of EMQX that was no node of the cluster was removed", "cluster", v.rec.ID, "member", name)
	return name + " was removed from the members of EMQX"
}

// hasForeign reports whether members that are no nodes were seen when the cluster was
// last looked at.
func hasForeign(st Status) bool {
	return ConditionOf(st.Conditions, CondHealthy).Reason == ReasonForeignMember
}

// repairExpels refuses a repair of a running cluster that has nothing to repair, or
// nothing that repair may touch.
func (m *Manager) repairExpels(rec ClusterRecord, kind CommandKind) error {
	if kind != CommandRepair || rec.Status.State != Running {
		return nil
	}
	if !hasForeign(rec.Status) {
		return illegal(rec, kind)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.looks[rec.ID]
	if mem == nil || slices.ContainsFunc(mem.look.Foreign, func(f ForeignMember) bool { return !f.Running }) {
		return nil
	}
	return fail(CodeConflict, "", foreignWords(mem.look.Foreign))
}

// foreign counts members of EMQX that are no nodes, of all clusters.
func (m *Manager) foreign() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, mem := range m.looks {
		n += len(mem.look.Foreign)
	}
	return n
}
