package k8sprovisioner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// If a pod cannot be created, the reason is in events of the controllers. Events are read
// only while a pod is missing or does not start, so that a fleet that runs costs nothing.
const (
	missingAfter = 3 * time.Second  // without a pod that is wanted; only events tell who refused it
	pendingAfter = 10 * time.Second // with pods that do not start: their own status tells most reasons
	eventsEvery  = 10 * time.Second // between two reads for one cluster
	// refusalMaxAge is the age from which a refusal is no news any more: longer than
	// the longest pause of the StatefulSet controller between two attempts.
	refusalMaxAge = 20 * time.Minute
	maxEvents     = 200 // events that are read at once
)

// podEvents are the events that were read last for a cluster with missing pods.
type podEvents struct {
	since  time.Time // when it was first seen; zero if no pod is missing
	asked  time.Time
	events []corev1.Event
}

// addPodEvents adds to an observation the reasons why pods are missing or do not start.
func (p *Provisioner) addPodEvents(ctx context.Context, f clusterObjects, o *ecp.Observation) {
	missing, pending := missingPods(f)
	now := time.Now()
	var h podEvents
	p.withMemo(f.id, func(m *memo) {
		switch {
		case len(missing) == 0 && len(pending) == 0:
			m.eventHints = podEvents{}
		case m.eventHints.since.IsZero():
			m.eventHints.since = now
		}
		h = m.eventHints
	})
	after := pendingAfter
	if len(missing) > 0 {
		after = missingAfter
	}
	if !h.since.IsZero() && now.Sub(h.since) >= after && now.Sub(h.asked) >= eventsEvery &&
		!p.rights.lacks(listEvents) {
		h.asked = now
		if notes, err := p.warnings(ctx, f.id); err == nil {
			h.events = notes
		}
		p.withMemo(f.id, func(m *memo) { m.eventHints = h })
	}
	o.Obstacles = append(o.Obstacles, refusedPods(h.events, missing, now)...)
	for i := range o.Nodes {
		n := &o.Nodes[i]
		if pod := pending[n.Pod]; pod != nil {
			addEventTo(n, pod, h.events)
		}
	}
	p.observeMachines(ctx, f, o, now)
}

// missingPods returns the names of the pods that StatefulSets want and that do not
// exist, and the pods that have not started.
func missingPods(f clusterObjects) (missing []string, pending map[string]*corev1.Pod) {
	pending = map[string]*corev1.Pod{}
	if f.workload == nil {
		return nil, pending
	}
	for _, f := range f.eachRole() {
		pods := f.pods()
		for i := range max(replicas(f), 0) {
			pod := pods[i]
			switch {
			case pod == nil:
				missing = append(missing, f.workload.Name+"-"+strconv.Itoa(i))
			case pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodPending:
				pending[pod.Name] = pod
			}
		}
	}
	return missing, pending
}

// warnings reads the warning events of a cluster's namespace.
func (p *Provisioner) warnings(ctx context.Context, id ecp.ID) ([]corev1.Event, error) {
	list := new(corev1.EventList)
	err := p.send(ctx, core(p.client).Get().Namespace(string(id)).Resource("events").
		VersionedParams(&metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning, Limit: maxEvents},
			parameterCodec), list)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b corev1.Event) int {
		return cmp.Compare(lastSeenAt(b).UnixNano(),
			lastSeenAt(a).UnixNano())
	})
	return list.Items, nil
}

// lastSeenAt returns when an event last happened. Components fill in different fields.
func lastSeenAt(e corev1.Event) time.Time {
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

// refusedPods returns for people why pods do not exist: the newest refusal of each pod,
// with the pods of one cause together. The newest notes come first.
func refusedPods(notes []corev1.Event, missing []string, now time.Time) []string {
	var causes []string
	pods := map[string][]string{} // by cause
	for _, pod := range missing {
		i := slices.IndexFunc(notes, func(e corev1.Event) bool {
			return e.InvolvedObject.Kind == kindStatefulSet && e.Reason == "FailedCreate" &&
				now.Sub(lastSeenAt(e)) < refusalMaxAge && mentions(e.Message, pod)
		})
		if i < 0 {
			continue
		}
		cause := shortCause(notes[i].Message, pod)
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

// mentions reports whether a text contains the whole name of a pod.
func mentions(text, pod string) bool {
	return slices.Contains(strings.FieldsFunc(text,
		func(r rune) bool { return r == ' ' || r == '"' || r == ',' || r == ':' }), pod)
}

// shortCause removes the pod's name from the controller's message, so that refusals for
// the same cause are equal.
func shortCause(message, pod string) string {
	if _, cause, found := strings.Cut(message, "failed error: "); found {
		message = cause
	}
	return strings.TrimPrefix(message, `pods "`+pod+`" is forbidden: `)
}

// addEventTo adds the event about the pod or its claim to a node whose pod has not
// started: "ContainerCreating" is not a reason.
func addEventTo(n *ecp.NodeObservation, pod *corev1.Pod, notes []corev1.Event) {
	for _, e := range notes {
		about := e.InvolvedObject
		switch {
		// the back-off does not say it
		case about.Kind == kindPod && about.UID == pod.UID && n.Broken && explainPlatform(e.Message) != e.Message:
			n.Message = explainPlatform(e.Message)
			return
		case about.Kind == kindPod && about.UID == pod.UID && e.Reason != "FailedScheduling" && !n.Broken:
			n.Reason, n.Message = e.Reason, e.Message
			return
		case about.Kind == kindClaim && about.Name == n.Volume && pod.Spec.NodeName == "" &&
			e.Reason == "ProvisioningFailed":
			n.Reason, n.Message = e.Reason, "claim "+about.Name+": "+e.Message
			return
		}
	}
}

// terminationObstacles returns why a namespace that is being deleted still exists,
// according to its conditions and finalizers.
func terminationObstacles(n *corev1.Namespace) []string {
	var out []string
	for _, c := range n.Status.Conditions {
		if c.Status == corev1.ConditionTrue && c.Message != "" {
			out = append(out, fmt.Sprintf("the namespace %s cannot end: %s", n.Name, c.Message))
		}
	}
	if len(n.Finalizers) > 0 {
		out = append(out, fmt.Sprintf("the namespace %s is held by the finalizers %s", n.Name,
			strings.Join(n.Finalizers, ", ")))
	}
	return out
}
