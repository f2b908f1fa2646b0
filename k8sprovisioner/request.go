package k8sprovisioner

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// requestTimeout bounds one request. Admission webhooks may take ten seconds of it.
const requestTimeout = 20 * time.Second

// send sends one request and decodes the answer into o, which may be nil. After an error
// that is not an answer it requests a probe of the API server.
func (p *Provisioner) send(ctx context.Context, r *rest.Request, o runtime.Object) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result := r.Do(ctx)
	err := result.Error()
	if err == nil && o != nil {
		err = result.Into(o)
	}
	var status apierrors.APIStatus
	if err != nil && !errors.As(err, &status) {
		p.watch.requestProbe()
	}
	return err
}

// sendWrite is send for a request that changes something. It needs the lease of the
// target, and ends when the lease does.
func (p *Provisioner) sendWrite(ctx context.Context, r *rest.Request, o runtime.Object) error {
	ctx, cancel, err := p.fence.limitToLease(ctx, requestTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	return p.send(ctx, r, o)
}

// only returns preconditions with the UID and the version of an object that was seen.
func only(o metav1.Object) *metav1.DeleteOptions {
	uid, version := o.GetUID(), o.GetResourceVersion()
	is := &metav1.Preconditions{UID: &uid}
	if version != "" {
		is.ResourceVersion = &version
	}
	return &metav1.DeleteOptions{Preconditions: is}
}

// apply writes an object by server-side apply, and returns the new live object.
func (p *Provisioner) apply(ctx context.Context, id ecp.ID, o object) (live, error) {
	row := kinds[o.kind]
	r := applying(row.client(p.client), row.resource, o)
	if o.kind != kindNamespace {
		r.Namespace(string(id))
	}
	return p.write(ctx, r, o)
}

// applying returns the request for a server-side apply of an object.
func applying(c rest.Interface, resource string, o object) *rest.Request {
	force := true
	return c.Patch(types.ApplyPatchType).Resource(resource).Name(o.name).
		VersionedParams(&metav1.PatchOptions{FieldManager: fieldManager, Force: &force}, parameterCodec).
		Body(o.json())
}

// create creates an object. It fails if the object exists.
func (p *Provisioner) create(ctx context.Context, o object) (live, error) {
	row := kinds[o.kind]
	r := row.client(p.client).Post().Resource(row.resource).SetHeader("Content-Type", runtime.ContentTypeJSON).
		VersionedParams(&metav1.CreateOptions{FieldManager: fieldManager}, parameterCodec).
		Body(o.json())
	return p.write(ctx, r, o)
}

func (p *Provisioner) write(ctx context.Context, r *rest.Request, o object) (live, error) {
	answer := kinds[o.kind].empty()
	if err := p.sendWrite(ctx, r, answer); err != nil {
		return nil, err
	}
	p.writes.put(o.kind, answer)
	return answer, nil
}

// read reads an object from the API server. It returns nil if there is none.
func (p *Provisioner) read(ctx context.Context, c rest.Interface, resource, namespace, name string, o live) (live,
	error) {
	r := c.Get().Resource(resource).Name(name)
	if namespace != "" {
		r.Namespace(namespace)
	}
	err := p.send(ctx, r, o)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o.SetManagedFields(nil)
	return o, nil
}
