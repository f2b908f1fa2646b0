package k8sprovisioner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The pods of a dead machine stay in Kubernetes: they are marked as deleted after five
// minutes, and never go, since no kubelet reports that their processes have ended. Only
// a person knows whether the machine is off or merely cut off. They tell Kubernetes by
// the taint out-of-service, or by deleting the Node.
const (
	// before which the machine of a pod that does not end, or is not ready, is not checked
	machineCheckAfter = 10 * time.Second
	machineCheckEvery = 10 * time.Second // between two checks of one machine
)

// machine is what is known of a Kubernetes node.
type machine struct {
	checkedAt time.Time
	state     ecp.MachineState
	reason    string // for people; empty if nothing is wrong with it
}

// observeMachines adds the states of machines to nodes whose pods do not end, or are not
// ready without a reason of their own.
func (p *Provisioner) observeMachines(ctx context.Context, f clusterObjects, o *ecp.Observation, now time.Time) {
	pods := f.podsByName()
	for i := range o.Nodes {
		n := &o.Nodes[i]
		pod := pods[n.Pod]
		if pod == nil || n.Host == "" || !pastGrace(pod, now) && !lostContact(pod, now) {
			continue
		}
		m := p.machine(ctx, n.Host, now)
		n.Machine = m.state
		switch {
		case m.state != ecp.MachineThere:
			n.Reason, n.Message = "Machine"+strings.ToUpper(string(m.state[:1]))+string(m.state[1:]), m.reason
		case pastGrace(pod, now):
			n.Reason, n.Message = "EndOverdue", joinParts(deletionObstacle(pod), m.reason)
		}
	}
}

// pastGrace reports whether a pod should have ended by now. Its deletion time is the end
// of its grace period.
func pastGrace(pod *corev1.Pod, now time.Time) bool {
	return pod.DeletionTimestamp != nil && now.Sub(pod.DeletionTimestamp.Time) > machineCheckAfter
}

// lostContact reports whether a pod is not ready although its container was ready in the
// kubelet's last report, so that it was not the kubelet that changed it.
func lostContact(pod *corev1.Pod, now time.Time) bool {
	c, r := statusOf(pod), condition(pod, corev1.PodReady)
	return c != nil && c.Ready && r != nil && r.Status != corev1.ConditionTrue &&
		now.Sub(r.LastTransitionTime.Time) > machineCheckAfter
}

func deletionObstacle(pod *corev1.Pod) string {
	if len(pod.Finalizers) == 0 {
		return "it should have ended at " + pod.DeletionTimestamp.UTC().Format(time.RFC3339)
	}
	return "it is held by the finalizers " + strings.Join(pod.Finalizers, ", ")
}

// machine returns the state of a Kubernetes node, which is read once in a while for all
// clusters.
func (p *Provisioner) machine(ctx context.Context, name string, now time.Time) machine {
	if p.rights.lacks(getNodes) {
		return machine{}
	}
	p.mu.Lock()
	m, known := p.machines[name]
	p.mu.Unlock()
	if known && now.Sub(m.checkedAt) < machineCheckEvery {
		return m
	}
	node := new(corev1.Node)
	err := p.send(ctx, core(p.client).Get().Resource("nodes").Name(name), node)
	switch {
	case apierrors.IsNotFound(err):
		node = nil
	case err != nil:
		return m // as it was last seen
	}
	m = machineOf(name, node)
	m.checkedAt = now
	p.mu.Lock()
	defer p.mu.Unlock()
	p.machines[name] = m
	return m
}

// machineOf returns the state of the machine of a Kubernetes node, which is nil if it does
// not exist.
func machineOf(name string, node *corev1.Node) machine {
	if node == nil {
		return machine{state: ecp.MachineGone,
			reason: fmt.Sprintf("its machine %s has been removed from Kubernetes", name)}
	}
	for _, t := range node.Spec.Taints {
		if t.Key == corev1.TaintNodeOutOfService {
			return machine{state: ecp.MachineGone,
				reason: fmt.Sprintf("its machine %s is out of service, as its taint says", name)}
		}
	}
	i := slices.IndexFunc(node.Status.Conditions,
		func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
	if i >= 0 && node.Status.Conditions[i].Status != corev1.ConditionTrue {
		c := node.Status.Conditions[i]
		return machine{state: ecp.MachineUnanswered, reason: joinParts(
			fmt.Sprintf("its machine %s is not ready since %s (%s)", name,
				c.LastTransitionTime.UTC().Format(time.RFC3339), joinParts(c.Reason, c.Message)),
			fmt.Sprintf("if it is off for good, say so: kubectl taint node %s %s=nodeshutdown:NoExecute, or kubectl "+
				"delete node %s", name, corev1.TaintNodeOutOfService, name))}
	}
	var taints []string
	for _, t := range node.Spec.Taints {
		if t.Effect == corev1.TaintEffectNoExecute {
			taints = append(taints, t.ToString())
		}
	}
	if len(taints) > 0 {
		return machine{state: ecp.MachineThere,
			reason: fmt.Sprintf("its machine %s has the taint %s, which sends pods away", name,
				strings.Join(taints, ", "))}
	}
	return machine{state: ecp.MachineThere}
}
