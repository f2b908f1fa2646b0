package k8sprovisioner

import (
	"context"
	"strings"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Delete implements [ecp.Provisioner]. It starts the deletion of the namespace, and with
// it of the whole cluster. It names the UID of the namespace, so that it cannot delete
// another one of the same name.
func (p *Provisioner) Delete(ctx context.Context, id ecp.ID) error {
	op := "delete cluster " + string(id)
	f, err := p.objectsOf(ctx, id, op, true)
	if err != nil {
		return err
	}
	if f.namespace == nil || f.foreign != "" || f.namespace.DeletionTimestamp != nil {
		return nil
	}
	if f.unlabeled {
		return conflict(op, strings.Join(f.labelObstacles(), "; "), nil)
	}
	leave, err := p.beginWrite(ctx, &f, op)
	if err != nil {
		return err
	}
	defer leave()
	is := f.namespace.UID
	answer := new(corev1.Namespace)
	err = p.sendWrite(ctx, core(p.client).Delete().Resource("namespaces").Name(string(id)).Body(only(f.namespace)),
		answer)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return failure(op, err)
	}
	if answer.UID == is {
		p.writes.put(kindNamespace, answer)
	}
	return nil
}
