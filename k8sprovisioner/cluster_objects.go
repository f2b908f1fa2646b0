package k8sprovisioner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// clusterObjects are the objects of one cluster, as they were last seen.
type clusterObjects struct {
	informers       *informerSet
	id              ecp.ID
	namespace       *corev1.Namespace                     // nil if there is none
	foreign         string                                // owner of the namespace if it is not ours
	unlabeled       bool                                  // the namespace is ours and has lost its label
	unlabeledClaims map[int]*corev1.PersistentVolumeClaim // claims of ours that have lost their label, by ordinal
	workload        *appsv1.StatefulSet
	replicants      *appsv1.StatefulSet // nil if there is none
	role            ecp.NodeRole        // whose workload and pods are; see ofReplicants
	permit          *writePermit        // for a call that writes; nil for one that only reads
	auth            string              // UID of the auth Secret; empty if there is none
}

// objectsOf returns the objects of a cluster from the informers. If something is missing
// there that is never created again, it asks the API server; for the namespace, only if
// it is expected.
func (p *Provisioner) objectsOf(ctx context.Context, id ecp.ID, op string, expected bool) (clusterObjects, error) {
	p.takeOver(ctx, id)
	f := clusterObjects{id: id}
	var err error
	if f.informers, err = p.watch.current(ctx, op); err != nil {
		return f, err
	}
	f.namespace, _ = f.informers.get(kindNamespace, "", string(id)).(*corev1.Namespace)
	if f.namespace == nil && expected {
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
	f.workload, f.replicants = f.lookupWorkload(), f.lookupReplicants()
	if f.namespace.DeletionTimestamp != nil {
		return f, nil
	}
	if f.unlabeledClaims, err = p.findUnlabeledClaims(ctx, f); err != nil {
		return f, failure(op, err)
	}
	f.auth, err = p.findAuthSecret(ctx, f)
	return f, failure(op, err)
}

// ours reports whether a namespace without our label was created by us: it still has
// the annotations with the names of the cluster and its project. Only this package
// writes them, and removing the label by mistake does not remove them.
func ours(n *corev1.Namespace) bool {
	_, named := n.Annotations[annotationName]
	_, placed := n.Annotations[annotationProject]
	return named && placed && n.Labels[labelCluster] == ""
}

// findUnlabeledClaims reads the claims that must exist, because they were seen before or
// a pod uses them, and that no watch shows. A claim that has lost our label is not lost.
func (p *Provisioner) findUnlabeledClaims(ctx context.Context, f clusterObjects) (map[int]*corev1.PersistentVolumeClaim,
	error) {
	if f.workload == nil {
		return nil, nil
	}
	claims, used := f.claims(), map[int]string{}
	p.withMemo(f.id, func(m *memo) {
		for i := range m.claims {
			if m.deletedClaims[i] == "" {
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
		o, err := p.read(ctx, core(p.client), "persistentvolumeclaims", string(f.id), name,
			new(corev1.PersistentVolumeClaim))
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

// labelObstacles names what has lost our label, and the command that restores it. That
// takes a person, since the shipped account may set neither label.
func (f clusterObjects) labelObstacles() (out []string) {
	label := labelCluster + "=" + string(f.id)
	if f.unlabeled {
		out = append(out, fmt.Sprintf("the namespace %s has lost its label, and nothing is written in it until it "+
			"is back: kubectl label namespace %s %s", f.id, f.id, label))
	}
	for _, i := range slices.Sorted(maps.Keys(f.unlabeledClaims)) {
		name := f.unlabeledClaims[i].Name
		out = append(out, fmt.Sprintf("the claim %s has lost its label; its data is there: kubectl label pvc -n %s "+
			"%s %s", name, f.id, name, label))
	}
	return out
}

// owner returns the owner of a namespace in words.
func owner(n *corev1.Namespace) string {
	if by := n.Labels["app.kubernetes.io/managed-by"]; by != "" {
		return by
	}
	return "somebody else: it has no label " + labelCluster
}

// generation returns the generation that was applied last, or zero if it is not known.
func (f clusterObjects) generation() int64 {
	if f.workload == nil {
		return 0
	}
	n, _ := strconv.ParseInt(f.workload.Annotations[annotationGeneration], 10, 64)
	return n
}

// annotation returns an annotation of the StatefulSet, or an empty string.
func (f clusterObjects) annotation(name string) string {
	if f.workload == nil {
		return ""
	}
	return f.workload.Annotations[name]
}

func (f clusterObjects) lookupWorkload() *appsv1.StatefulSet {
	if f.role == ecp.RoleReplicant {
		return f.lookupReplicants()
	}
	for _, m := range []major{major5, major4} {
		if s, ok := f.informers.get(kindStatefulSet, string(f.id),
			names{f.id, m}.workload()).(*appsv1.StatefulSet); ok {
			return s
		}
	}
	return nil
}

// controllerCaughtUp reports whether the StatefulSet controller has seen the present
// StatefulSet, so that its status has the newest revision.
func (f clusterObjects) controllerCaughtUp() bool {
	w := f.workload
	return w != nil && w.Status.ObservedGeneration >= w.Generation
}

// findAuthSecret returns the UID of the auth Secret, or an empty string if there is none.
// Secrets are not watched, but the Secret owns the ConfigMap, which the garbage
// collector removes after it.
func (p *Provisioner) findAuthSecret(ctx context.Context, f clusterObjects) (string, error) {
	if c, ok := f.informers.get(kindConfigMap, string(f.id), configName(f.id)).(*corev1.ConfigMap); ok &&
		c.DeletionTimestamp == nil {
		for _, o := range c.OwnerReferences {
			if o.Kind == kindSecret && o.Name == authName(f.id) {
				return string(o.UID), nil
			}
		}
	}
	s, err := p.readAuthSecret(ctx, f.id)
	if err != nil || s == nil {
		return "", err
	}
	return string(s.UID), nil
}

// readAuthSecret reads the auth Secret. It returns nil if there is none, or if it is
// being deleted.
func (p *Provisioner) readAuthSecret(ctx context.Context, id ecp.ID) (*corev1.Secret, error) {
	s, err := p.read(ctx, core(p.client), "secrets", string(id), authName(id), new(corev1.Secret))
	if err != nil || s == nil || s.GetDeletionTimestamp() != nil {
		return nil, err
	}
	secret, _ := s.(*corev1.Secret)
	return secret, nil
}

// pods returns the pods of the StatefulSet by ordinal.
func (f clusterObjects) pods() map[int]*corev1.Pod {
	out := map[int]*corev1.Pod{}
	for _, o := range f.informers.list(kindPod, string(f.id)) {
		if pod, ok := o.(*corev1.Pod); ok {
			out[f.ordinal(pod.Name, "")] = pod
		}
	}
	delete(out, -1) // somebody else's
	return out
}

// claims returns the volume claims of the StatefulSet by ordinal.
func (f clusterObjects) claims() map[int]*corev1.PersistentVolumeClaim {
	out := map[int]*corev1.PersistentVolumeClaim{}
	for _, o := range f.informers.list(kindClaim, string(f.id)) {
		if c, ok := o.(*corev1.PersistentVolumeClaim); ok {
			out[f.ordinal(c.Name, claim+"-")] = c
		}
	}
	maps.Copy(out, f.unlabeledClaims)
	delete(out, -1) // somebody else's
	return out
}

// ordinal returns the ordinal in the name of a pod or a claim of either major version's
// StatefulSet, or of a replicant's pod, and -1 for other names.
func (f clusterObjects) ordinal(name, prefix string) int {
	if f.role == ecp.RoleReplicant {
		if strings.HasPrefix(name, prefix+names{id: f.id}.replicants()+"-") {
			return ordinal(name)
		}
		return -1
	}
	for _, m := range []major{major5, major4} {
		if rest, ok := strings.CutPrefix(name, prefix+names{f.id, m}.workload()+"-"); ok &&
			!strings.Contains(rest, "-") {
			return ordinal(name)
		}
	}
	return -1
}
