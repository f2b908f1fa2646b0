package k8sprovisioner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openecp/openecp/ecp"
)

// found is what there is of one cluster.
type found struct {
	sight     *sight
	id        ecp.ID
	namespace *corev1.Namespace                     // nil = there is none
	foreign   string                                // whose the namespace is, if not ours
	unlabeled bool                                  // the namespace is ours and has lost its label
	strays    map[int]*corev1.PersistentVolumeClaim // claims of ours that have lost their label, by ordinal
	workload  *appsv1.StatefulSet
	pass      *pass  // what lets us write; nil = we only look
	auth      string // UID of the auth Secret; "" = it is not there
}

// find looks a cluster up: in what the watches have brought, and, where that
// says that something is missing which is never made anew, at the API server.
func (p *Provisioner) find(ctx context.Context, id ecp.ID, op string) (found, error) {
	f := found{id: id}
	var err error
	if f.sight, err = p.eyes.look(ctx, op); err != nil {
		return f, err
	}
	f.namespace, _ = f.sight.get(kindNamespace, "", string(id)).(*corev1.Namespace)
	if f.namespace == nil {
		n, err := p.read(ctx, core(p.client), "namespaces", "", string(id), new(corev1.Namespace))
		if err != nil {
			return f, failure(op, err)
		}
		f.namespace, _ = n.(*corev1.Namespace)
	}
	if f.namespace == nil {
		return f, nil
	}
	if f.namespace.Labels[labelCluster] != string(id) {
		if !ours(f.namespace) {
			f.foreign = owner(f.namespace)
			return f, nil
		}
		f.unlabeled = true
	}
	f.workload = f.findWorkload()
	if f.namespace.DeletionTimestamp != nil {
		return f, nil
	}
	if f.strays, err = p.findStrays(ctx, f); err != nil {
		return f, failure(op, err)
	}
	f.auth, err = p.findAuth(ctx, f)
	return f, failure(op, err)
}

// ours reports whether a namespace without our label is one that we made: it
// has a cluster's name, and still says which cluster of which project it is
// for. Nobody else writes these annotations, and taking a label off by mistake
// takes neither.
func ours(n *corev1.Namespace) bool {
	_, named := n.Annotations[annotationName]
	_, placed := n.Annotations[annotationProject]
	return named && placed && n.Labels[labelCluster] == ""
}

// findStrays reads the claims that must be there, by what was seen before and by
// the pods that use them, and that no watch shows: one without our label is not
// lost.
func (p *Provisioner) findStrays(ctx context.Context, f found) (map[int]*corev1.PersistentVolumeClaim, error) {
	if f.workload == nil {
		return nil, nil
	}
	claims, used := f.claims(), map[int]string{}
	p.remember(f.id, func(m *memo) {
		for i := range m.claims {
			if m.dropped[i] == "" {
				used[i] = names{f.id, majorOfWorkload(f.workload.Name)}.claimOf(i)
			}
		}
	})
	for i, pod := range f.pods() {
		if pod.Spec.NodeName != "" {
			used[i] = claim + "-" + pod.Name
		}
	}
	var out map[int]*corev1.PersistentVolumeClaim
	for i, name := range used {
		if claims[i] != nil {
			continue
		}
		o, err := p.read(ctx, core(p.client), "persistentvolumeclaims", string(f.id), name, new(corev1.PersistentVolumeClaim))
		if err != nil {
			return nil, err
		}
		if c, ok := o.(*corev1.PersistentVolumeClaim); ok && c.Labels[labelCluster] == "" {
			if out == nil {
				out = map[int]*corev1.PersistentVolumeClaim{}
			}
			out[i] = c
		}
	}
	return out, nil
}

// unlabeledObstacles say what has lost our label, and how it gets it back. That
// takes a person: the shipped account may label neither.
func (f found) unlabeledObstacles() (out []string) {
	label := labelCluster + "=" + string(f.id)
	if f.unlabeled {
		out = append(out, fmt.Sprintf("the namespace %s has lost its label, and nothing is written in it until it is back: kubectl label namespace %s %s", f.id, f.id, label))
	}
	for _, i := range slices.Sorted(maps.Keys(f.strays)) {
		name := f.strays[i].Name
		out = append(out, fmt.Sprintf("the claim %s has lost its label; its data is there: kubectl label pvc -n %s %s %s", name, f.id, name, label))
	}
	return out
}

// owner says in words whose a namespace is.
func owner(n *corev1.Namespace) string {
	if by := n.Labels["app.kubernetes.io/managed-by"]; by != "" {
		return by
	}
	return "somebody else: it has no label " + labelCluster
}

// generation is the one that was applied last; 0 = not known.
func (f found) generation() int64 {
	if f.workload == nil {
		return 0
	}
	n, _ := strconv.ParseInt(f.workload.Annotations[annotationGeneration], 10, 64)
	return n
}

// annotation reads one of ours off the StatefulSet; "" = it is not there.
func (f found) annotation(name string) string {
	if f.workload == nil {
		return ""
	}
	return f.workload.Annotations[name]
}

func (f found) findWorkload() *appsv1.StatefulSet {
	for _, m := range []major{major5, major4} {
		if s, ok := f.sight.get(kindStatefulSet, string(f.id), names{f.id, m}.workload()).(*appsv1.StatefulSet); ok {
			return s
		}
	}
	return nil
}

// takenUp says that Kubernetes has taken up the StatefulSet as it stands, so
// that its status says what the newest revision is.
func (f found) takenUp() bool {
	w := f.workload
	return w != nil && w.Status.ObservedGeneration >= w.Generation
}

// findAuth tells whether the auth Secret is there without watching Secrets: it
// owns the ConfigMap, which the garbage collector removes after it.
func (p *Provisioner) findAuth(ctx context.Context, f found) (string, error) {
	if c, ok := f.sight.get(kindConfigMap, string(f.id), configName(f.id)).(*corev1.ConfigMap); ok && c.DeletionTimestamp == nil {
		for _, o := range c.OwnerReferences {
			if o.Kind == kindSecret && o.Name == authName(f.id) {
				return string(o.UID), nil
			}
		}
	}
	s, err := p.readAuth(ctx, f.id)
	if err != nil || s == nil {
		return "", err
	}
	return string(s.UID), nil
}

// readAuth reads the auth Secret; nil if it is not there, or going.
func (p *Provisioner) readAuth(ctx context.Context, id ecp.ID) (*corev1.Secret, error) {
	s, err := p.read(ctx, core(p.client), "secrets", string(id), authName(id), new(corev1.Secret))
	if err != nil || s == nil || s.GetDeletionTimestamp() != nil {
		return nil, err
	}
	secret, _ := s.(*corev1.Secret)
	return secret, nil
}

// pods gives the pods of the workload by ordinal.
func (f found) pods() map[int]*corev1.Pod {
	out := map[int]*corev1.Pod{}
	for _, o := range f.sight.list(kindPod, string(f.id)) {
		if pod, ok := o.(*corev1.Pod); ok {
			out[f.ordinal(pod.Name, "")] = pod
		}
	}
	delete(out, -1) // somebody else's
	return out
}

// claims gives the volume claims of the workload by ordinal.
func (f found) claims() map[int]*corev1.PersistentVolumeClaim {
	out := map[int]*corev1.PersistentVolumeClaim{}
	for _, o := range f.sight.list(kindClaim, string(f.id)) {
		if c, ok := o.(*corev1.PersistentVolumeClaim); ok {
			out[f.ordinal(c.Name, claim+"-")] = c
		}
	}
	maps.Copy(out, f.strays)
	delete(out, -1) // somebody else's
	return out
}

// ordinal reads the ordinal off the name of a pod or claim of either major's
// workload; -1 if it is none.
func (f found) ordinal(name, prefix string) int {
	for _, m := range []major{major5, major4} {
		if rest, ok := strings.CutPrefix(name, prefix+names{f.id, m}.workload()+"-"); ok && !strings.Contains(rest, "-") {
			return ordinal(name)
		}
	}
	return -1
}
