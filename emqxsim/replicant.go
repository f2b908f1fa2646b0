package emqxsim

import (
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// replicant is the role of nodes that hold clients and no data. The role of all others is
// core.
const replicant = string(ecp.RoleReplicant)

// MakesReplicants returns true. See [ecp.ReplicantMaker].
func (p *Provisioner) MakesReplicants() bool { return true }

var _ ecp.ReplicantMaker = (*Provisioner)(nil)

// applyReplicants changes the second StatefulSet towards d.
func (s *state) applyReplicants(d ecp.Desired, now time.Time, t pace) error {
	want := d.Replicants
	s.Front = want.Front && want.Replicas > 0
	if want.Replicas == 0 && d.Spec.Replicants.Nodes == 0 {
		s.removeReplicants(now, t)
		return nil
	}
	if s.Replicants == nil {
		s.Replicants = &state{Role: ecp.RoleReplicant}
	}
	d.Replicas, d.Size, d.Roll, d.Resize, d.Replace = want.Replicas, want.Size, want.Roll, want.Resize, want.Replace
	r := s.Replicants
	r.share(s)
	r.setWorkload(d)
	r.scale(d.Replicas, now, t)
	r.resize(d.Resize, now, t)
	return r.roll(r.named(d), d.Abandon, now, t)
}

// share takes over what concerns the pods of the whole cluster.
func (s *state) share(all *state) {
	s.ID, s.UID, s.Auth, s.Refusal, s.NoResize, s.NoRoom, s.Held = all.ID, all.UID, all.Auth, all.Refusal,
		all.NoResize, all.NoRoom, all.Held
	s.BadImage, s.BadWhy = all.BadImage, all.BadWhy
}

// removeReplicants deletes the second StatefulSet, and its pods with it.
func (s *state) removeReplicants(now time.Time, t pace) {
	s.Front = false
	r := s.Replicants
	if r == nil {
		return
	}
	r.Workload = nil
	for i := range r.Pods {
		r.Pods[i].end(now, t)
		if !s.Gone.IsZero() && r.Pods[i].Gone.After(s.Gone) {
			s.Gone = r.Pods[i].Gone
		}
	}
}

func (s *state) settleReplicants(now time.Time, t pace) {
	r := s.Replicants
	if r == nil {
		return
	}
	r.share(s)
	r.settle(now, t)
	if r.Workload == nil && len(r.Pods) == 0 {
		s.Replicants = nil
	}
}

// observeReplicants adds the pods of replicants. One without a core node of its version is
// not ready.
func (s *state) observeReplicants(o *ecp.Observation, now time.Time) {
	r := s.Replicants
	if r == nil {
		return
	}
	if w := r.Workload; w != nil {
		o.Replicants, o.ReplicantsInFront = w.Replicas, s.Front
		o.Converged = o.Converged && r.converged(now)
		if w.Replicas != w.Rendered {
			o.Drift = append(o.Drift, "StatefulSet "+r.names().workload())
		}
	}
	for i, n := range r.observePods(now) {
		if n.Ready && !s.serves(r.Pods[i], now) {
			n.Ready, n.Reason, n.Message = false, "ContainersNotReady", "no core node of its version runs"
			o.Converged = false
		}
		o.Nodes = append(o.Nodes, n)
	}
}

// serves reports whether a core node runs that a replicant can copy from: of its version, and
// with its cookie.
func (s *state) serves(p pod, now time.Time) bool {
	return slices.ContainsFunc(s.Pods, func(core pod) bool {
		return core.Image.Version == p.Image.Version && core.ready(now) && core.Keys.cookie() == p.Keys.cookie()
	})
}

// podOf returns the pod of a node, or nil.
func (s *state) podOf(node string) *pod {
	for i := range s.Pods {
		if s.names().node(s.Pods[i].Ordinal) == node {
			return &s.Pods[i]
		}
	}
	if s.Replicants != nil {
		return s.Replicants.podOf(node)
	}
	return nil
}

// allPods returns the pods of both roles.
func (s *state) allPods() (out []*pod) {
	for i := range s.Pods {
		out = append(out, &s.Pods[i])
	}
	if s.Replicants != nil {
		out = append(out, s.Replicants.allPods()...)
	}
	return out
}

// changesOfReplicants returns what happened to the pods of replicants since the last call of
// follow. A replicant that ends is no member any more: it has nothing to come back with.
func (h *hosted) changesOfReplicants(st *state, now time.Time) (out []podEvent) {
	r := st.Replicants
	if r == nil {
		r = &state{ID: st.ID, Role: ecp.RoleReplicant}
	}
	is := map[int]podLife{}
	for _, p := range r.Pods {
		if p.runs(now, h.lead) {
			is[p.Ordinal] = podLife{uid: p.UID, ready: p.Ready, version: p.Image.Version, revision: p.Revision,
				keys: st.keysOf(p)}
		}
	}
	for ordinal, was := range h.replicants {
		if is[ordinal] != was {
			ended := now
			if p := r.pod(ordinal); p != nil {
				ended = p.since(now)
			}
			out = append(out, podEvent{ended, func(t time.Time) { h.sim.removeNode(r.names().node(ordinal), t) }})
		}
	}
	for ordinal, life := range is {
		if h.replicants[ordinal] == life {
			continue
		}
		name := r.names().node(ordinal)
		out = append(out, podEvent{life.ready.Add(-h.lead), func(t time.Time) {
			h.sim.bootReplicant(name, life, t)
			h.startWith(st, name, life.revision)
		}})
	}
	h.replicants = is
	if front := st.Front; front != h.sim.front {
		out = append(out, podEvent{now, func(time.Time) { h.sim.front = front }})
	}
	return out
}

// bootReplicant starts a replicant, which is a member at once.
func (c *Cluster) bootReplicant(name string, life podLife, t time.Time) {
	n := c.find(name)
	if n == nil {
		n = c.add(name)
	}
	n.role, n.version, n.serves, n.cookie = replicant, life.version, life.ready, life.keys.cookie()
	n.start(t)
}

// DeleteReplicant deletes the pod of a replicant as kubectl would. Another one takes its
// place.
func (p *Provisioner) DeleteReplicant(id ecp.ID, ordinal int) error {
	return p.changeReplicant(id, ordinal, func(_ *state, pod *pod, now time.Time) { pod.end(now, p.pace) })
}

// KillReplicant kills EMQX in the pod of a replicant, until [Provisioner.ReviveReplicant].
func (p *Provisioner) KillReplicant(id ecp.ID, ordinal int) error {
	return p.changeReplicant(id, ordinal, func(_ *state, pod *pod, now time.Time) { pod.kill(now) })
}

// ReviveReplicant starts EMQX in the pod of a replicant again.
func (p *Provisioner) ReviveReplicant(id ecp.ID, ordinal int) error {
	return p.changeReplicant(id, ordinal, func(s *state, pod *pod, now time.Time) { pod.revive(now, p.pace, s.Auth) })
}

// CordonReplicant lets the machine of a replicant take no new pods, or take them again, as "kubectl cordon" does. The
// error is "not found" if there is no such pod.
func (p *Provisioner) CordonReplicant(id ecp.ID, ordinal int, cordoned bool) error {
	return p.changeReplicant(id, ordinal, func(_ *state, pod *pod, _ time.Time) { pod.Cordoned = cordoned })
}

// EvictReplicant evicts the pod of a replicant, as "kubectl drain" does. The error is
// "unavailable" while the disruption budget of replicants does not allow it.
func (p *Provisioner) EvictReplicant(id ecp.ID, ordinal int) error {
	if !p.mayEvict(id, ecp.RoleReplicant, ordinal) {
		return errBudget
	}
	return p.DeleteReplicant(id, ordinal)
}

func (p *Provisioner) changeReplicant(id ecp.ID, ordinal int, fn func(s *state, pod *pod, now time.Time)) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		if s.Replicants == nil || s.Replicants.pod(ordinal) == nil {
			return noSuch(id, fmt.Sprintf("pod of replicant %d", ordinal))
		}
		fn(s, s.Replicants.pod(ordinal), now)
		return nil
	})
}
