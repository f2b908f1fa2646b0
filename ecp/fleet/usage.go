package fleet

import (
	"context"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
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
	all, err := m.observed.Roster.All(ctx, m.observed.Store)
	if err != nil {
		return nil, ecp.WrapError(op, err, "", "")
	}
	out := map[string]Usage{}
	seen := observed.Filter(ecp.ListOptions{}, actor)
	for _, l := range all {
		if seen(l) {
			u := out[l.Project]
			out[l.Project] = Usage{u.Clusters + 1, u.Connections + l.Connections}
		}
	}
	return out, nil
}
