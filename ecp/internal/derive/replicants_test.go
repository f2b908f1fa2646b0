package derive

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestWaitsForCore: for which replicants that are not ready nothing must wait.
func TestWaitsForCore(t *testing.T) {
	for name, c := range map[string]struct {
		core, replicant         string // images
		first                   string // image of the first core node, which has been replaced; "" = it has not
		outdated, coresOutdated bool
		want                    bool
	}{
		"upgraded before its core nodes": {core: "a", replicant: "b", coresOutdated: true, want: true},
		"of a change that was overtaken": {core: "a", replicant: "b", outdated: true, coresOutdated: true, want: true},
		"of the same image, and broken":  {core: "a", replicant: "a", outdated: true, coresOutdated: true},
		"one core node has its image":    {core: "a", replicant: "b", first: "b", coresOutdated: true},
		"all are as wanted":              {core: "a", replicant: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMoving(func(m *moving) {
				for i := range m.look.Found.Nodes {
					m.look.Found.Nodes[i].Image, m.look.Found.Nodes[i].Outdated = c.core, c.coresOutdated
				}
			})
			if c.first != "" {
				m.look.Found.Nodes[0].Image, m.look.Found.Nodes[0].Outdated = c.first, false
			}
			n := ecp.NodeObservation{Role: ecp.RoleReplicant, Image: c.replicant, Outdated: c.outdated}
			m.look.Found.Nodes = append(m.look.Found.Nodes, n)
			require.Equal(t, c.want, NewView(t0, m.rec, m.look).WaitsForCore(n))
		})
	}
}
