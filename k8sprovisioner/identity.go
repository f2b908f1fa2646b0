package k8sprovisioner

import (
	"context"
	"fmt"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

var _ ecp.Identified = (*Provisioner)(nil)

// Identity implements [ecp.Identified]. It returns the UID of the namespace kube-system,
// which every Kubernetes cluster has, and which is unique.
func (p *Provisioner) Identity(ctx context.Context) (string, error) {
	uid, err := kubeSystemUID(ctx, p.client)
	if err == nil {
		p.mu.Lock()
		p.identity = uid
		p.mu.Unlock()
	}
	return uid, err
}

const asking = "ask Kubernetes which one it is"

func kubeSystemUID(ctx context.Context, client clients) (string, error) {
	n := new(corev1.Namespace)
	err := core(client).Get().Resource("namespaces").Name(metav1.NamespaceSystem).Do(ctx).Into(n)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		return "", &ecp.Error{Code: ecp.CodeUnsupported, Op: asking, Cause: err,
			Message: "the account may not read the namespace " + metav1.NamespaceSystem +
				", whose uid tells this Kubernetes from every other; deploy/kubernetes/rights.yaml gives the right " +
				"(get namespaces)"}
	case err != nil:
		return "", failure(asking, err)
	}
	return string(n.UID), nil
}

// getKubeSystem is the right to identify the Kubernetes cluster.
var getKubeSystem = &right{"get namespaces", "to tell this Kubernetes from another one: of kube-system",
	func(p *Provisioner) *rest.Request {
		return core(p.client).Get().Resource("namespaces").Name(metav1.NamespaceSystem)
	}}

// sameKubernetes returns an error if a configuration leads to another Kubernetes cluster
// than the one in use. If that is not known yet, it is checked again during use.
func (p *Provisioner) sameKubernetes(ctx context.Context, next *rest.Config) error {
	p.mu.Lock()
	is := p.identity
	p.mu.Unlock()
	if is == "" {
		return nil
	}
	var client clients
	over, err := rest.HTTPClientFor(next)
	if err == nil {
		client, err = newClients(next, over)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	uid, err := kubeSystemUID(ctx, client)
	if err != nil || uid == is {
		return nil // its errors appear when it is used
	}
	return fmt.Errorf("it leads to another Kubernetes (%s) than the one in use (%s); the one in use stays, until "+
		"the daemon is started again", uid, is)
}
