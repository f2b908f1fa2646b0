package emqxsim

import (
	"context"

	"github.com/openecp/openecp/ecp"
)

// Clusters lists the clusters on the platform, whoever created them. See
// [ecp.ClusterLister].
func (p *Provisioner) Clusters(ctx context.Context) ([]ecp.FoundCluster, error) {
	if err := p.checkReachable(ctx, "list clusters"); err != nil {
		return nil, err
	}
	var out []ecp.FoundCluster
	now := p.now()
	for _, id := range p.ids() {
		if st := p.at(id, now); st.UID != "" && st.ForeignOwner == "" {
			out = append(out, ecp.FoundCluster{ID: id, Name: st.Name, Project: st.Project})
		}
	}
	return out, nil
}
