package emqxsim

import (
	"fmt"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// DeletePod deletes a pod as kubectl would. Another one takes its place.
func (p *Provisioner) DeletePod(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, now time.Time) { pod.end(now, p.pace) })
}

// KillNode kills EMQX in a pod. The pod is not ready until [Provisioner.ReviveNode], or
// until it is replaced, and connections to it are refused.
func (p *Provisioner) KillNode(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, now time.Time) { pod.kill(now) })
}

// ReviveNode starts EMQX in a pod again, which takes BootTime.
func (p *Provisioner) ReviveNode(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(s *state, pod *pod, now time.Time) { pod.revive(now, p.pace, s.Auth) })
}

// KillAll kills EMQX in every pod of a cluster.
func (p *Provisioner) KillAll(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		for _, pod := range s.allPods() {
			pod.kill(now)
		}
		return nil
	})
}

// ReviveAll starts EMQX in every pod in which it was killed.
func (p *Provisioner) ReviveAll(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		for _, pod := range s.allPods() {
			pod.revive(now, p.pace, s.Auth)
		}
		return nil
	})
}

func (p *pod) kill(now time.Time) {
	if p.Down.IsZero() {
		p.Down = now
	}
}

func (p *pod) revive(now time.Time, d pace, a *auth) {
	if !p.Down.IsZero() && p.Broken == "" {
		p.boot(now, d, a)
		p.Restarts++
	}
}

// Break keeps a pod from starting until it is replaced, for a reason in Kubernetes' words
// such as "ImagePullBackOff". An empty reason repairs it.
func (p *Provisioner) Break(id ecp.ID, ordinal int, reason string) error {
	return p.changePod(id, ordinal, func(s *state, pod *pod, now time.Time) {
		if reason == "" && pod.Broken != "" {
			pod.boot(now, p.pace, s.Auth)
		} else if reason != "" {
			pod.kill(now)
			pod.Broken = reason
		}
	})
}

// BreakImage keeps pods of a version of EMQX that are made from now on from starting, for a reason in
// Kubernetes' words. The cluster need not exist yet. An empty reason repairs the image: its pods start.
func (p *Provisioner) BreakImage(id ecp.ID, version, reason string) error {
	return p.change(id, func(s *state, now time.Time) error {
		for _, pod := range s.allPods() {
			if reason == "" && pod.Image.Version == s.BadImage && pod.Broken == s.BadWhy {
				pod.boot(now, p.pace, s.Auth)
			}
		}
		if s.BadImage, s.BadWhy = version, reason; reason == "" {
			s.BadImage = ""
		}
		if r := s.Replicants; r != nil {
			r.share(s)
		}
		return nil
	})
}

// WithholdAddress keeps the load balancer of the cluster's Service without an address, for
// the given reason. An empty reason assigns the address.
func (p *Provisioner) WithholdAddress(id ecp.ID, why string) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		if s.Service == nil {
			return noSuch(id, "Service")
		}
		s.Service.Withheld = why
		return nil
	})
}

// RestartByHand changes the pod template as "kubectl rollout restart" does: all nodes are
// outdated, but none is replaced for it.
func (p *Provisioner) RestartByHand(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		if s.Workload == nil {
			return noSuch(id, "StatefulSet to restart")
		}
		if s.Workload.Own == "" { // stored by an earlier build
			s.Workload.Own = s.Workload.Revision
		}
		by := "restarted at " + now.Format(time.RFC3339Nano)
		s.Workload.Rest = strings.TrimSuffix(s.Workload.Rest, s.Workload.ForeignOwner) + by
		s.Workload.setForeign(by)
		return nil
	})
}

// LoseMachine cuts the power of the machine under a pod: the pod is being deleted, and
// nobody confirms that it is gone.
func (p *Provisioner) LoseMachine(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, now time.Time) {
		pod.kill(now)
		pod.Deleted, pod.Gone, pod.Machine = now, time.Time{}, ecp.MachineUnanswered
	})
}

// FenceMachine marks a lost machine as one that is known to run nothing.
func (p *Provisioner) FenceMachine(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, _ time.Time) {
		if pod.Machine == ecp.MachineUnanswered {
			pod.Machine = ecp.MachineGone
		}
	})
}

// RemoveMachine removes the machine under a pod for good, with its disk, on which the volume of the pod
// is: Kubernetes makes another pod, which can run nowhere.
func (p *Provisioner) RemoveMachine(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(s *state, pod *pod, now time.Time) {
		if c := s.claim(ordinal); c != nil {
			c.Stranded = true
		}
		pod.end(now, p.pace)
	})
}

// Cordon lets the machine under a pod take no new pods, or take them again. The machine under the pod that takes its
// place takes them.
func (p *Provisioner) Cordon(id ecp.ID, ordinal int, cordoned bool) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, _ time.Time) { pod.Cordoned = cordoned })
}

// Evict evicts a pod, as "kubectl drain" does that of a machine to be emptied. The error is "unavailable" while the
// disruption budget does not allow it.
func (p *Provisioner) Evict(id ecp.ID, ordinal int) error {
	if !p.mayEvict(id, ecp.RoleCore, ordinal) {
		return errBudget
	}
	return p.DeletePod(id, ordinal)
}

var errBudget = &ecp.Error{Code: ecp.CodeUnavailable, Op: "evict a pod",
	Message: "it would violate the disruption budget"}

// mayEvict reports whether the disruption budget of a role allows that a pod goes.
func (p *Provisioner) mayEvict(id ecp.ID, role ecp.NodeRole, ordinal int) bool {
	now := p.now()
	st := p.at(id, now)
	o, there, away := st.observe(now), 0, 0
	p.probe(&o, id, st.version())
	ready := false
	for _, n := range o.Nodes {
		if n.Role != role {
			continue
		}
		there++
		if n.Ordinal == ordinal {
			ready = n.Ready
		} else if !n.Ready {
			away++
		}
	}
	want := o.Replicas
	if role == ecp.RoleReplicant {
		want = o.Replicants
	}
	return !st.Held && (!ready || away == 0 && there >= want)
}

// RefusePods makes the platform refuse new pods of a cluster for the given reason, as an
// exhausted quota does. An empty reason ends that.
func (p *Provisioner) RefusePods(id ecp.ID, why string) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		s.Refusal = why
		s.fill(now, p.pace)
		if r := s.Replicants; r != nil {
			r.share(s)
			r.fill(now, p.pace)
		}
		return nil
	})
}

// ScaleByHand sets the replicas without the Manager's knowledge.
func (p *Provisioner) ScaleByHand(id ecp.ID, n int) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		if s.Workload == nil || n < 0 {
			return noSuch(id, fmt.Sprintf("StatefulSet to scale to %d", n))
		}
		s.scale(n, now, p.pace)
		return nil
	})
}

// DeleteClaim deletes a volume claim by hand. One that is in use is deleted with its pod.
func (p *Provisioner) DeleteClaim(id ecp.ID, ordinal int) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		if s.claim(ordinal) == nil {
			return noSuch(id, fmt.Sprintf("claim %d", ordinal))
		}
		s.loseClaim(ordinal)
		return nil
	})
}

// DeleteAuth deletes the Secret with the cluster's keys by hand. Running nodes continue; a
// node that has not started yet cannot start.
func (p *Provisioner) DeleteAuth(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		if s.Auth == nil {
			return noSuch(id, "auth Secret")
		}
		s.Auth, s.Backup = nil, s.Auth
		for _, pod := range s.allPods() {
			if pod.Down.IsZero() && now.Before(pod.Ready) {
				pod.Down, pod.Broken = now, noSecret
			}
		}
		return nil
	})
}

// RestoreAuth makes the Secret again by hand, with what it held before DeleteAuth. As an
// object it is another one.
func (p *Provisioner) RestoreAuth(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		if s.Backup == nil {
			return noSuch(id, "backup of its auth Secret")
		}
		s.setAuth(auth{UID: newUID(), Username: s.Backup.Username, Password: s.Backup.Password}, now, p.pace)
		return nil
	})
}

// DeleteNamespace deletes the namespace by hand, with everything in it.
func (p *Provisioner) DeleteNamespace(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		s.remove(now, p.pace)
		return nil
	})
}

// DeleteService deletes the access Service by hand.
func (p *Provisioner) DeleteService(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		if s.Service == nil {
			return noSuch(id, "Service")
		}
		s.Service = nil
		return nil
	})
}

// SetForeign moves the namespace to another owner. What we had in it is gone. An empty
// owner removes the namespace.
func (p *Provisioner) SetForeign(id ecp.ID, owner string) error {
	return p.change(id, func(s *state, _ time.Time) error {
		*s = state{ID: id, ForeignOwner: owner}
		return nil
	})
}

// SetUnreachable makes every call fail as unavailable, as if the API server was away. The
// clusters continue, and endpoints that were handed out still work.
func (p *Provisioner) SetUnreachable(unreachable bool) {
	if p.unreachable.Swap(unreachable) != unreachable {
		p.wake(p.ids()...)
	}
}

// FailApply makes every Apply return err and do nothing, until it is called with nil.
func (p *Provisioner) FailApply(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}

// changeHosted changes a cluster that exists, or returns a "not found" error.
func (p *Provisioner) changeHosted(id ecp.ID, fn func(s *state, now time.Time) error) error {
	return p.change(id, func(s *state, now time.Time) error {
		if s.UID == "" {
			return noSuch(id, "namespace")
		}
		return fn(s, now)
	})
}

// changePod changes one pod of a cluster that exists.
func (p *Provisioner) changePod(id ecp.ID, ordinal int, fn func(s *state, pod *pod, now time.Time)) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		pod := s.pod(ordinal)
		if pod == nil {
			return noSuch(id, fmt.Sprintf("pod %d", ordinal))
		}
		fn(s, pod, now)
		return nil
	})
}

func noSuch(id ecp.ID, what string) error {
	return &ecp.Error{Code: ecp.CodeNotFound, Op: "simulate a fault", Message: "cluster " + string(id) + " has no " +
		what}
}
