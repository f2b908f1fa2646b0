package emqxsim

import (
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

// DeletePod deletes a pod by hand, as kubectl would: another takes its place.
func (p *Provisioner) DeletePod(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, now time.Time) { pod.end(now, p.pace) })
}

// KillNode ends EMQX in a pod: it is not ready until ReviveNode, or until the
// pod is replaced. Connections to it are refused.
func (p *Provisioner) KillNode(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, now time.Time) { pod.kill(now) })
}

// ReviveNode starts EMQX in a pod again; it takes BootTime.
func (p *Provisioner) ReviveNode(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, now time.Time) { pod.revive(now, p.pace) })
}

// KillAll ends EMQX in every pod of a cluster.
func (p *Provisioner) KillAll(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		for i := range s.Pods {
			s.Pods[i].kill(now)
		}
		return nil
	})
}

// ReviveAll starts EMQX again in every pod where it was killed.
func (p *Provisioner) ReviveAll(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		for i := range s.Pods {
			s.Pods[i].revive(now, p.pace)
		}
		return nil
	})
}

func (p *pod) kill(now time.Time) {
	if p.Down.IsZero() {
		p.Down = now
	}
}

func (p *pod) revive(now time.Time, d pace) {
	if !p.Down.IsZero() && p.Broken == "" {
		p.boot(now, d)
		p.Restarts++
	}
}

// Break keeps a pod from starting until it is replaced, for a reason in
// Kubernetes' words, e.g. "ImagePullBackOff"; "" mends it.
func (p *Provisioner) Break(id ecp.ID, ordinal int, reason string) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, now time.Time) {
		if reason == "" && pod.Broken != "" {
			pod.boot(now, p.pace)
		} else if reason != "" {
			pod.kill(now)
			pod.Broken = reason
		}
	})
}

// WithholdAddress lets the cluster's Service go without the address of a load
// balancer, where it is to have one, and says why; "" gives it.
func (p *Provisioner) WithholdAddress(id ecp.ID, why string) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		if s.Service == nil {
			return noSuch(id, "Service")
		}
		s.Service.Withheld = why
		return nil
	})
}

// RestartByHand changes the pod template past everybody, as "kubectl rollout
// restart" does: nodes are outdated, and none is replaced for it.
func (p *Provisioner) RestartByHand(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		if s.Workload == nil {
			return noSuch(id, "StatefulSet to restart")
		}
		if s.Workload.Own == "" { // stored by an earlier build
			s.Workload.Own = s.Workload.Revision
		}
		s.Workload.with("restarted at " + now.Format(time.RFC3339Nano))
		return nil
	})
}

// LoseMachine cuts the power of the machine under a pod: the pod is deleted,
// and nobody confirms that it has gone.
func (p *Provisioner) LoseMachine(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, now time.Time) {
		pod.kill(now)
		pod.Deleted, pod.Gone, pod.Machine = now, time.Time{}, ecp.MachineSilent
	})
}

// FenceMachine says of a lost machine that it is known to run nothing any more.
func (p *Provisioner) FenceMachine(id ecp.ID, ordinal int) error {
	return p.changePod(id, ordinal, func(_ *state, pod *pod, _ time.Time) {
		if pod.Machine == ecp.MachineSilent {
			pod.Machine = ecp.MachineGone
		}
	})
}

// RefusePods lets the platform make no pods of a cluster from now on, and say
// why, as a full quota does; "" ends that.
func (p *Provisioner) RefusePods(id ecp.ID, why string) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		s.Refusal = why
		s.fill(now, p.pace)
		return nil
	})
}

// ScaleByHand sets the replicas behind everybody's back.
func (p *Provisioner) ScaleByHand(id ecp.ID, n int) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		if s.Workload == nil || n < 0 {
			return noSuch(id, fmt.Sprintf("StatefulSet to scale to %d", n))
		}
		s.scale(n, now, p.pace)
		return nil
	})
}

// DeleteClaim deletes a volume claim by hand. One in use goes with its pod.
func (p *Provisioner) DeleteClaim(id ecp.ID, ordinal int) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		if s.claim(ordinal) == nil {
			return noSuch(id, fmt.Sprintf("claim %d", ordinal))
		}
		s.loseClaim(ordinal)
		return nil
	})
}

// DeleteAuth deletes the Secret with the cluster's keys by hand. Nodes that
// run go on; one that has not started yet does not.
func (p *Provisioner) DeleteAuth(id ecp.ID) error {
	return p.changeHosted(id, func(s *state, now time.Time) error {
		if s.Auth == nil {
			return noSuch(id, "auth Secret")
		}
		s.Auth = nil
		for i := range s.Pods {
			if pod := &s.Pods[i]; pod.Down.IsZero() && now.Before(pod.Ready) {
				pod.Down, pod.Broken = now, noSecret
			}
		}
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

// SetForeign makes the namespace somebody else's; what was in it of ours is
// gone with it. owner "" takes it away again.
func (p *Provisioner) SetForeign(id ecp.ID, owner string) error {
	return p.change(id, func(s *state, _ time.Time) error {
		*s = state{ID: id, Foreign: owner}
		return nil
	})
}

// SetUnreachable makes every call fail as unavailable, as while the API server
// is away. The clusters go on, and so do endpoints that were given out.
func (p *Provisioner) SetUnreachable(unreachable bool) {
	if p.unreachable.Swap(unreachable) != unreachable {
		p.wake(p.known()...)
	}
}

// FailApply makes every Apply return err and do nothing; nil ends that.
func (p *Provisioner) FailApply(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}

// changeHosted changes a cluster that is there; the error is not found else.
func (p *Provisioner) changeHosted(id ecp.ID, fn func(s *state, now time.Time) error) error {
	return p.change(id, func(s *state, now time.Time) error {
		if s.UID == "" {
			return noSuch(id, "namespace")
		}
		return fn(s, now)
	})
}

// changePod changes one pod of a cluster that is there.
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
	return &ecp.Error{Code: ecp.CodeNotFound, Op: "simulate a fault", Message: "cluster " + string(id) + " has no " + what}
}
