package fleet

import (
	"context"

	"github.com/openecp/openecp/ecp"
)

// Usage is what the clusters of one project have booked together.
type Usage struct {
	Clusters    int `json:"clusters"`
	Connections int `json:"connections"`
}

// UsageByProject says what each project the actor may read has booked of the
// pool; projects without clusters are left out. It follows a cluster that is
// transferred.
func (m *Manager) UsageByProject(ctx context.Context) (map[string]Usage, error) {
	const op = "sum up usage"
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return nil, err
	}
	all, err := m.roster.all(ctx, m.store)
	if err != nil {
		return nil, ecp.WrapError(op, err, "", "")
	}
	out := map[string]Usage{}
	seen := ListOptions{}.filter(actor)
	for _, l := range all {
		if seen(l) {
			u := out[l.project]
			out[l.project] = Usage{u.Clusters + 1, u.Connections + l.connections}
		}
	}
	return out, nil
}
