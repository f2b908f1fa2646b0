package k8sprovisioner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Check implements [ecp.Checker]. It asks the API server, by dry runs, whether it would
// accept the objects that Apply would write, and let volumes grow. For a cluster without
// a namespace it checks only the namespace and the storage class, since a dry run needs
// an existing namespace.
func (p *Provisioner) Check(ctx context.Context, d ecp.Desired) error {
	op := "check cluster " + string(d.ID)
	in, err := newInput(d, p.cfg)
	if err != nil {
		return err
	}
	f, err := p.objectsOf(ctx, d.ID, op, !d.Create)
	if err != nil {
		return err
	}
	if f.foreign != "" || f.unlabeled || f.namespace != nil && f.namespace.DeletionTimestamp != nil {
		return nil // nothing would be written, and the cluster says so
	}
	missed := p.checkClass(ctx, f, in)
	in.keepLive(f)
	in.auth, in.settings = f.auth, "settings"
	objects, err := render(renderers, in)
	if err != nil {
		return err
	}
	if f.namespace == nil {
		objects = slices.DeleteFunc(objects, func(o object) bool { return o.kind != kindNamespace })
	}
	return append(missed, p.dryRunAll(ctx, f, in, objects)...).checkError(op)
}

// dryRunAll makes a dry run of every write of Apply, until one is not answered.
func (p *Provisioner) dryRunAll(ctx context.Context, f clusterObjects, in input,
	objects []object) (missed applyErrors) {
	for _, o := range objects {
		if was := f.liveObject(o); was != nil && len(differences(o, fields(o, was))) == 0 {
			continue
		}
		if err := p.dryRun(ctx, f, o); err != nil {
			missed = append(missed, objectError{o, failure("try "+o.String(), err)})
			if missed.unanswered() {
				return missed
			}
		}
	}
	thin := f.undersized(in.want, claimCount(in.Desired))
	if len(thin) > 0 && p.rights.lacks(patchClaims) {
		return append(missed, objectError{claimObject(thin[0]), missingRight("whether volumes can grow", patchClaims)})
	}
	for _, c := range thin {
		err := p.send(ctx, growRequest(p, c, in.want).Param("dryRun", metav1.DryRunAll), nil)
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			// the others are of the same class
			return append(missed, objectError{claimObject(c), failure("let "+c.Name+" grow", err)})
		}
	}
	return missed
}

// dryRun makes a dry run of writing an object.
func (p *Provisioner) dryRun(ctx context.Context, f clusterObjects, o object) error {
	row := kinds[o.kind]
	r := applying(row.client(p.client), row.resource, o).Param("dryRun", metav1.DryRunAll)
	if o.kind != kindNamespace {
		r.Namespace(string(f.id))
	}
	return p.send(ctx, r, nil)
}

func claimObject(c *corev1.PersistentVolumeClaim) object {
	return object{kind: kindClaim, name: c.Name}
}

func missingRight(what string, r *right) error {
	return &ecp.Error{Code: ecp.CodeUnsupported, Message: what + " cannot be told: the account has no right to " +
		r.name}
}

// checkClass returns an error for a storage class that does not exist, before the first
// claims are created, and for a class other than that of existing claims, since volumes
// cannot be moved.
func (p *Provisioner) checkClass(ctx context.Context, f clusterObjects, in input) applyErrors {
	class := in.storage.class
	if class == nil {
		return nil
	}
	never := func(why string) applyErrors {
		field := "spec.storage"
		if in.Spec.Storage == "" {
			field = "spec.size"
		}
		return applyErrors{{object{kind: kindClass, name: *class},
			&ecp.Error{Code: ecp.CodeInvalid, Message: why, Fields: []ecp.FieldError{{Field: field, Message: why}}}}}
	}
	if f.workload != nil {
		if is := f.storageClass(); is != "" && is != *class {
			return never(fmt.Sprintf("the volumes of the cluster are of the storage class %q, and no volume changes "+
				"its class: take a size of that class, or make a new cluster", is))
		}
		return nil
	}
	if p.rights.lacks(getClasses) {
		return applyErrors{{object{kind: kindClass, name: *class},
			missingRight(fmt.Sprintf("whether there is a StorageClass %q", *class), getClasses)}}
	}
	err := p.send(ctx, classes(p.client).Get().Resource("storageclasses").Name(*class), new(storagev1.StorageClass))
	switch {
	case apierrors.IsNotFound(err):
		return never(fmt.Sprintf("there is no StorageClass %q: no volume would ever be made; make it first (for "+
			"volumes made by hand, one with the provisioner kubernetes.io/no-provisioner), or name another", *class))
	case err != nil:
		return applyErrors{{object{kind: kindClass, name: *class}, failure("read StorageClass "+*class, err)}}
	}
	return nil
}

// storageClass returns the storage class of the existing claims, or an empty string if it
// is not known.
func (f clusterObjects) storageClass() string {
	for _, c := range f.claims() {
		if c.Spec.StorageClassName != nil {
			return *c.Spec.StorageClassName // the platform's default, too
		}
	}
	return ""
}

// checkError returns all definite refusals as one error. If there is none, it returns the
// first reason why that cannot be decided.
func (m applyErrors) checkError(op string) error {
	if len(m) == 0 {
		return nil
	}
	never := slices.DeleteFunc(slices.Clone(m),
		func(x objectError) bool { return ecp.CodeOf(x.err) != ecp.CodeInvalid })
	if len(never) == 0 {
		return m[0].err
	}
	out := &ecp.Error{Code: ecp.CodeInvalid, Op: op, Message: "Kubernetes would never take it",
		Cause: never.joined(true)}
	for _, x := range never {
		out.Fields = append(out.Fields, ecp.FieldError{Field: x.field(), Message: message(x.err)})
	}
	return out
}

// fieldsOfSpec maps a field of an object, by kind and the beginning of its path, to the
// field of the cluster's spec that it is rendered from. The first match counts.
var fieldsOfSpec = []struct{ kind, path, field string }{
	{kindService, "spec.loadBalancerClass", "spec.network.loadBalancerClass"},
	{kindService, "spec.ports", "spec.network.listeners"},
	{kindService, "metadata.annotations", "spec.network.annotations"},
	{kindService, "", "spec.network"},
	{kindClaim, "", "spec.size"},
	{kindStatefulSet, "spec.template.spec.tolerations", "spec.placement.tolerations"},
	{kindStatefulSet, "spec.template.spec.nodeSelector", "spec.placement.nodeSelector"},
	{kindStatefulSet, "spec.template.spec.containers[0].resources", "spec.size"},
	{kindStatefulSet, "spec.template.spec.containers[0].image", "spec.image"},
}

// field returns the field of the cluster's spec that a refusal is about.
func (m objectError) field() string {
	path := ""
	var own *ecp.Error
	if errors.As(m.err, &own) && len(own.Fields) > 0 {
		return own.Fields[0].Field
	}
	var status apierrors.APIStatus
	if errors.As(m.err, &status) {
		if d := status.Status().Details; d != nil && len(d.Causes) > 0 {
			path = d.Causes[0].Field
		}
	}
	for _, row := range fieldsOfSpec {
		if row.kind == m.kind && strings.HasPrefix(path, row.path) {
			return row.field
		}
	}
	return "spec"
}

var _ ecp.Checker = (*Provisioner)(nil)
