package k8sprovisioner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Apply implements [ecp.Provisioner]. It writes the objects that differ from d, in an
// order in which every object finds what it needs. If none differs it sends no request.
func (p *Provisioner) Apply(ctx context.Context, d ecp.Desired) error {
	op := "apply cluster " + string(d.ID)
	in, err := newInput(d, p.cfg)
	if err != nil {
		return err
	}
	// Of a new cluster nothing is expected, and its namespace is not asked for: making it shows if there is one.
	f, err := p.objectsOf(ctx, d.ID, op, !d.Create)
	if err != nil {
		return err
	}
	err = p.applyTo(ctx, f, in, op)
	if errors.Is(err, errNamespaceThere) {
		if f, err = p.objectsOf(ctx, d.ID, op, true); err == nil {
			err = p.applyTo(ctx, f, in, op)
		}
	}
	return err
}

// applyTo is Apply for objects as they were seen.
func (p *Provisioner) applyTo(ctx context.Context, f clusterObjects, in input, op string) error {
	d := in.Desired
	if older := d.Older(f.generation(), f.annotation(annotationChange)); older != nil && f.foreign == "" {
		return ecp.RecordOlderError(op, older)
	}
	leave, err := p.beginWrite(ctx, &f, op)
	if err != nil {
		return err
	}
	defer leave()
	in.keepLive(f)
	p.withMemo(d.ID, func(m *memo) { m.expect(claimCount(d)) })
	if err := p.checkWritable(f, in, op); err != nil {
		return errors.Join(err, failure(op, p.scaleDown(ctx, f, in)))
	}
	if err := p.createOnce(ctx, &f, &in); err != nil {
		return failure(op, err)
	}
	objects, err := render(renderers, in)
	if err != nil {
		return err
	}
	missed := p.convergeAll(ctx, f, in.names, objects, op)
	r := f.ofReplicants()
	if missed.hasWorkload() {
		return missed.joined(false)
	}
	p.withMemo(d.ID, func(m *memo) { m.rendered = objects })
	if err := errors.Join(p.growClaims(ctx, f, in), p.deleteClaims(ctx, f, d), p.resizePods(ctx, f, d.Resize),
		p.replaceOutdated(ctx, f, d.Roll, d.Abandon), p.replaceNamed(ctx, f, d.Replace),
		p.resizePods(ctx, r, d.Replicants.Resize), p.replaceOutdated(ctx, r, d.Replicants.Roll, d.Abandon),
		p.replaceNamed(ctx, r, d.Replicants.Replace)); err != nil {
		return failure(op, err)
	}
	return missed.joined(true)
}

// checkWritable returns an error if nothing may be written: the namespace belongs to
// another owner, or something was lost that is created again only on request.
func (p *Provisioner) checkWritable(f clusterObjects, in input, op string) error {
	switch {
	case f.foreign != "":
		return conflict(op, fmt.Sprintf("the namespace %s belongs to %s and is not touched", f.id, f.foreign), nil)
	case f.unlabeled:
		return conflict(op, strings.Join(f.labelObstacles(), "; "), nil)
	case f.namespace != nil && f.namespace.DeletionTimestamp != nil && in.Create:
		return unavailable(op, fmt.Sprintf("the namespace %s is still being removed; it is tried again", f.id))
	case in.Create:
		p.withMemo(f.id, func(m *memo) { clear(m.claims) })
		return nil
	case f.namespace == nil || f.namespace.DeletionTimestamp != nil:
		return loss(op, ecp.ReasonDataLost, "namespace "+string(f.id))
	case f.auth == "":
		return loss(op, ecp.ReasonSecretLost, "secret "+authName(f.id))
	}
	if lost := p.lostClaim(f, claimCount(in.Desired)); lost != "" && in.Replicas > 0 {
		return loss(op, ecp.ReasonDataLost, "claim "+lost)
	}
	return nil
}

// lostClaim returns the name of a claim that existed and does not any more, among the
// ordinals below a number. It returns an empty string if there is none. That a claim
// existed is known from earlier observations of this process, from a pod that uses it,
// and, for a stopped cluster, from the StatefulSet.
func (p *Provisioner) lostClaim(f clusterObjects, below int) string {
	if f.workload == nil {
		return ""
	}
	n := names{f.id, majorOfWorkload(f.workload.Name)}
	claims := f.claims()
	was := map[int]string{}
	p.withMemo(f.id, func(m *memo) {
		for i, uid := range m.claims {
			was[i] = uid
		}
	})
	for i := range annotatedVolumes(f) {
		was[i] += ""
	}
	for i, pod := range f.pods() {
		if pod.Spec.NodeName != "" {
			was[i] += ""
		}
	}
	maps.DeleteFunc(was, func(i int, _ string) bool { return i >= below })
	for i, uid := range was {
		c := claims[i]
		if c == nil || c.DeletionTimestamp != nil || uid != "" && string(c.UID) != uid {
			return n.claimOf(i)
		}
	}
	return ""
}

// annotatedVolumes returns how many ordinals of a stopped cluster have claims, according
// to the annotation of its StatefulSet.
func annotatedVolumes(f clusterObjects) int {
	if f.workload == nil || replicas(f) > 0 {
		return 0
	}
	n, _ := strconv.Atoi(f.workload.Annotations[annotationVolumes])
	return max(n, 0)
}

// replicas returns the replicas of the StatefulSet, or -1 if there is none.
func replicas(f clusterObjects) int {
	if f.workload == nil {
		return -1
	}
	if f.workload.Spec.Replicas == nil {
		return 1
	}
	return int(*f.workload.Spec.Replicas)
}

// scaleDown stops nodes that should not run. It may be called after a loss, since it
// creates nothing.
func (p *Provisioner) scaleDown(ctx context.Context, f clusterObjects, in input) error {
	if f.foreign != "" || f.unlabeled || f.workload == nil || f.namespace.DeletionTimestamp != nil {
		return nil
	}
	shrinks := map[string]bool{in.names.workload(): in.Replicas < replicas(f),
		in.names.replicants(): in.Replicants.Replicas < replicas(f.ofReplicants())}
	objects, err := render(renderers, in)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.kind != kindStatefulSet || !shrinks[o.name] {
			continue
		}
		if err := p.converge(ctx, f, o); err != nil {
			return err
		}
	}
	return nil
}

// keepLive takes over from the live objects what rendering must not change.
func (in *input) keepLive(f clusterObjects) {
	in.network, in.completed = f.network(in.network), f.completedServices(in.names)
	in.replicants = in.replicants || f.replicants != nil
	if w := f.workload; w != nil && w.Name == in.names.workload() {
		for _, t := range w.Spec.VolumeClaimTemplates {
			in.storage = storage{class: t.Spec.StorageClassName,
				size: t.Spec.Resources.Requests[corev1.ResourceStorage]}
		}
	}
	if in.Replicas == 0 && f.workload != nil {
		claims := f.claims()
		in.volumes = annotatedVolumes(f)
		for i := range claims {
			in.volumes = max(in.volumes, i+1)
		}
		in.volumes = min(in.volumes, claimCount(in.Desired))
		for i := range in.volumes {
			if in.Create && claims[i] == nil { // its loss is accepted
				in.volumes = i
				break
			}
		}
	}
}

// createOnce creates the objects that are created once.
func (p *Provisioner) createOnce(ctx context.Context, f *clusterObjects, in *input) error {
	if f.namespace == nil {
		o, err := newObject(namespace(*in))
		if err != nil {
			return err
		}
		if err := p.createNamespace(ctx, f, o); err != nil {
			return err
		}
	}
	if f.auth == "" {
		if err := p.createAuth(ctx, f); err != nil {
			return err
		}
	}
	in.auth = f.auth
	return p.applySecrets(ctx, *f, in)
}

// errNamespaceThere says that a namespace could not be made because there is one.
var errNamespaceThere = errors.New("there is a namespace of that name")

// createNamespace creates the namespace. The error is errNamespaceThere if there is one
// already, be it of somebody else or of an earlier attempt.
func (p *Provisioner) createNamespace(ctx context.Context, f *clusterObjects, o object) error {
	made, err := p.create(ctx, o.stamped(f.permit.epochStamp(), nil))
	if apierrors.IsAlreadyExists(err) {
		return conflict("create namespace", fmt.Sprintf("a namespace %s has been created meanwhile; it is tried again",
			f.id), errors.Join(errNamespaceThere, err))
	}
	if err != nil {
		return err
	}
	f.namespace, _ = made.(*corev1.Namespace)
	p.recordWritten(f.id, o, made)
	return nil
}

// createAuth creates the auth Secret with random keys.
func (p *Provisioner) createAuth(ctx context.Context, f *clusterObjects) error {
	made := new(corev1.Secret)
	err := p.sendWrite(ctx, core(p.client).Post().Namespace(string(f.id)).Resource("secrets").
		VersionedParams(&metav1.CreateOptions{FieldManager: fieldManager}, parameterCodec).
		Body(authSecret(f.id)), made)
	if err != nil {
		return err
	}
	f.auth = string(made.UID)
	p.withMemo(f.id, func(m *memo) { m.hashKey = hashKeyOf(made) })
	return nil
}

// convergeTries bounds how often a write is tried again with a fresh object, after
// another writer, such as a controller, has changed it between our read and our write.
const convergeTries = 4

// converge writes one object if it differs from its rendering, unless another writer
// keeps undoing that. The write succeeds only for the UID and version that were compared,
// or if there is still no such object.
func (p *Provisioner) converge(ctx context.Context, f clusterObjects, o object) error {
	for try := 1; ; try++ {
		differs, fields := p.differs(f, o)
		if !differs || try == 1 && p.contestOf(f.id, o).paused(time.Now(), o.hash(), fields) {
			return nil
		}
		was := f.liveObject(o)
		if err := f.permit.checkEpoch("write "+o.String(), was); err != nil {
			return err
		}
		if try == 1 {
			p.recordContest(ctx, f.id, o, fields)
		}
		write := o.stamped(f.permit.epochStamp(), was)
		if was == nil {
			write = write.onlyNew()
		}
		answer, err := p.apply(ctx, f.id, write)
		if err == nil {
			p.recordWritten(f.id, o, answer)
			return nil
		}
		if !apierrors.IsConflict(err) || try == convergeTries {
			return err
		}
		if err := p.reread(ctx, f, o); err != nil {
			return err
		}
	}
}

// reread reads an object again that has changed since it was seen.
func (p *Provisioner) reread(ctx context.Context, f clusterObjects, o object) error {
	row, namespace := kinds[o.kind], string(f.id)
	if o.kind == kindNamespace {
		namespace = ""
	}
	now, err := p.read(ctx, row.client(p.client), row.resource, namespace, o.name, row.empty())
	if err != nil {
		return err
	}
	if now == nil {
		return conflict("write "+o.String(), "it has been deleted meanwhile; it is tried again", nil)
	}
	p.writes.put(o.kind, now)
	return nil
}

// liveObject returns an object as it was last seen, or nil if there is none.
func (f clusterObjects) liveObject(o object) live {
	namespace := string(f.id)
	if o.kind == kindNamespace {
		namespace = ""
	}
	return f.informers.get(o.kind, namespace, o.name)
}

// beginWrite returns nil if the call may write: this process holds the lease of the
// target, and no object was written under a later lease. leave must be called at the end.
func (p *Provisioner) beginWrite(ctx context.Context, f *clusterObjects, op string) (leave func(), err error) {
	if f.permit, err = p.fence.acquire(ctx, op); err != nil {
		return nil, err
	}
	carriers := []metav1.Object{}
	if f.namespace != nil {
		carriers = append(carriers, f.namespace)
	}
	for _, f := range f.eachRole() {
		if f.workload != nil {
			carriers = append(carriers, f.workload)
		}
	}
	for _, o := range carriers {
		if err := f.permit.checkEpoch(op, o); err != nil {
			f.permit.release()
			return nil, err
		}
	}
	return f.permit.release, nil
}

// recordWritten remembers how an object differs from its rendering right after our own
// write: the API server stores the same in another form.
func (p *Provisioner) recordWritten(id ecp.ID, o object, l live) {
	c := checked{hash: o.hash(), version: l.GetResourceVersion(), accepted: differences(o, fields(o, l))}
	p.withMemo(id, func(m *memo) { m.checked[o.String()] = c })
}

// differs reports whether a live object has to be written, and returns the fields that
// differ. There are none if it never existed in this rendering. Each version of a live
// object is compared once.
func (p *Provisioner) differs(f clusterObjects, o object) (bool, []string) {
	l := f.liveObject(o)
	var last checked
	p.withMemo(f.id, func(m *memo) { last = m.checked[o.String()] })
	switch {
	case l == nil && last.hash == o.hash():
		return true, []string{gone}
	case l == nil || l.GetDeletionTimestamp() != nil:
		return l == nil, nil // one that is being deleted is waited for
	}
	if last.hash == o.hash() && last.version == l.GetResourceVersion() {
		return last.differs, last.fields
	}
	now := checked{hash: o.hash(), version: l.GetResourceVersion()}
	if last.hash == now.hash {
		now.accepted = last.accepted
	}
	found := differences(o, fields(o, l))
	now.differs = !slices.Equal(found, now.accepted)
	now.fields = fieldsOf(slices.DeleteFunc(found, func(d string) bool { return slices.Contains(now.accepted, d) }))
	p.withMemo(f.id, func(m *memo) { m.checked[o.String()] = now })
	return now.differs, now.fields
}

// fields returns a live object as a tree, with the kind that typed objects lack.
func fields(o object, l live) map[string]any {
	out, err := runtime.DefaultUnstructuredConverter.ToUnstructured(l)
	if err != nil {
		panic(fmt.Sprintf("convert %v: %v", o, err)) // the API's own types convert
	}
	out["apiVersion"], out["kind"] = o.body["apiVersion"], o.body["kind"]
	return out
}
