package k8sprovisioner

import (
	"context"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
)

// Clusters implements [ecp.ClusterLister]. It returns all namespaces with our label, from
// the informers.
func (p *Provisioner) Clusters(ctx context.Context) ([]ecp.FoundCluster, error) {
	s, err := p.watch.current(ctx, "list clusters")
	if err != nil {
		return nil, err
	}
	var out []ecp.FoundCluster
	for _, o := range s.caches[kindNamespace].List() {
		n, ok := o.(*corev1.Namespace)
		if ok && ecp.ID(n.Name).Valid() && n.Labels[labelCluster] == n.Name {
			out = append(out, ecp.FoundCluster{ID: ecp.ID(n.Name), Name: n.Annotations[annotationName],
				Project: n.Annotations[annotationProject], Since: n.CreationTimestamp.UTC()})
		}
	}
	return out, nil
}
