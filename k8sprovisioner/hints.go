package k8sprovisioner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/openecp/openecp/ecp"
)

// What stands in the way of a pod is not in the pod where there is none: the
// controllers tell it in events. Events are asked for only while a pod is
// missing or does not come up, so that a fleet that runs costs nothing.
const (
	hintAfter = 3 * time.Second  // a pod that is just being made needs no explanation
	hintEvery = 10 * time.Second // between two questions about one cluster
	// hintAge is the age from which a refusal is no news any more: longer than
	// the longest pause of the StatefulSet controller between two attempts.
	hintAge = 20 * time.Minute
	hintMax = 200 // events that are read at once
)

// hints is what was last asked about a cluster that is not as it should be.
type hints struct {
	since time.Time // when it was first seen so; zero = it is as it should be
	asked time.Time
	notes []corev1.Event
}

// explain puts into an observation what Kubernetes says of pods that are
// missing or do not come up.
func (p *Provisioner) explain(ctx context.Context, f found, o *ecp.Observation) {
	missing, pending := absentees(f)
	now := time.Now()
	var h hints
	p.remember(f.id, func(m *memo) {
		switch {
		case len(missing) == 0 && len(pending) == 0:
			m.hints = hints{}
		case m.hints.since.IsZero():
			m.hints.since = now
		}
		h = m.hints
	})
	if !h.since.IsZero() && now.Sub(h.since) >= hintAfter && now.Sub(h.asked) >= hintEvery && !p.rights.lacks(listEvents) {
		h.asked = now
		if notes, err := p.warnings(ctx, f.id); err == nil {
			h.notes = notes
		}
		p.remember(f.id, func(m *memo) { m.hints = h })
	}
	o.Obstacles = append(o.Obstacles, refusals(h.notes, missing, now)...)
	for i := range o.Nodes {
		n := &o.Nodes[i]
		if pod := pending[n.Pod]; pod != nil {
			elaborateOn(n, pod, h.notes)
		}
	}
	p.lookAtMachines(ctx, f, o, now)
}

// absentees returns the names of pods that the StatefulSet asks for and that
// are not there, and the pods that have not begun to run.
func absentees(f found) (missing []string, pending map[string]*corev1.Pod) {
	pending = map[string]*corev1.Pod{}
	if f.workload == nil {
		return nil, pending
	}
	pods := f.pods()
	for i := range max(replicas(f), 0) {
		pod := pods[i]
		switch {
		case pod == nil:
			missing = append(missing, names{f.id, majorOfWorkload(f.workload.Name)}.pod(i))
		case pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodPending:
			pending[pod.Name] = pod
		}
	}
	return missing, pending
}

// warnings reads the warning events of a cluster's namespace.
func (p *Provisioner) warnings(ctx context.Context, id ecp.ID) ([]corev1.Event, error) {
	list := new(corev1.EventList)
	err := p.send(ctx, core(p.client).Get().Namespace(string(id)).Resource("events").
		VersionedParams(&metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning, Limit: hintMax}, scheme.ParameterCodec), list)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b corev1.Event) int { return cmp.Compare(lastSeen(b).UnixNano(), lastSeen(a).UnixNano()) })
	return list.Items, nil
}

// lastSeen is when an event last happened: components fill in different fields.
func lastSeen(e corev1.Event) time.Time {
	at := e.CreationTimestamp.Time
	for _, t := range []time.Time{e.FirstTimestamp.Time, e.LastTimestamp.Time, e.EventTime.Time} {
		if t.After(at) {
			at = t
		}
	}
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	return at
}

// refusals says for people why pods that should be there are not: the newest
// refusal of each, those with the same cause together. notes are sorted, the
// newest first.
func refusals(notes []corev1.Event, missing []string, now time.Time) []string {
	var causes []string
	pods := map[string][]string{} // by cause
	for _, pod := range missing {
		i := slices.IndexFunc(notes, func(e corev1.Event) bool {
			return e.InvolvedObject.Kind == kindStatefulSet && e.Reason == "FailedCreate" && now.Sub(lastSeen(e)) < hintAge && mentions(e.Message, pod)
		})
		if i < 0 {
			continue
		}
		cause := causeIn(notes[i].Message, pod)
		if pods[cause] == nil {
			causes = append(causes, cause)
		}
		pods[cause] = append(pods[cause], pod)
	}
	var out []string
	for _, cause := range causes {
		out = append(out, fmt.Sprintf("Kubernetes refuses to make %s: %s", strings.Join(pods[cause], ", "), cause))
	}
	return out
}

// mentions reports whether a text names a pod, and not only one whose name
// begins alike.
func mentions(text, pod string) bool {
	return slices.Contains(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '"' || r == ',' || r == ':' }), pod)
}

// causeIn leaves out of the controller's sentence what names the pod once more,
// so that refusals for the same cause read alike.
func causeIn(message, pod string) string {
	if _, cause, found := strings.Cut(message, "failed error: "); found {
		message = cause
	}
	return strings.TrimPrefix(message, `pods "`+pod+`" is forbidden: `)
}

// elaborateOn adds to a node whose pod has not begun to run what events say of
// it and of its claim: "ContainerCreating" is no reason.
func elaborateOn(n *ecp.NodeObservation, pod *corev1.Pod, notes []corev1.Event) {
	for _, e := range notes {
		about := e.InvolvedObject
		switch {
		case about.Kind == kindPod && about.UID == pod.UID && n.Broken && processors(e.Message) != e.Message: // the back-off does not say it
			n.Message = processors(e.Message)
			return
		case about.Kind == kindPod && about.UID == pod.UID && e.Reason != "FailedScheduling" && !n.Broken:
			n.Reason, n.Message = e.Reason, e.Message
			return
		case about.Kind == kindClaim && about.Name == n.Volume && pod.Spec.NodeName == "" && e.Reason == "ProvisioningFailed":
			n.Reason, n.Message = e.Reason, "claim "+about.Name+": "+e.Message
			return
		}
	}
}

// holding says why a namespace that is being removed is still there, in the
// namespace's own words.
func holding(n *corev1.Namespace) []string {
	var out []string
	for _, c := range n.Status.Conditions {
		if c.Status == corev1.ConditionTrue && c.Message != "" {
			out = append(out, fmt.Sprintf("the namespace %s cannot end: %s", n.Name, c.Message))
		}
	}
	if len(n.Finalizers) > 0 {
		out = append(out, fmt.Sprintf("the namespace %s is held by the finalizers %s", n.Name, strings.Join(n.Finalizers, ", ")))
	}
	return out
}
