package fleet_test

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestEvacuatedNodesTell: an operation says of each node whose clients it moved how
// many it had, and how many were elsewhere when it went.
func TestEvacuatedNodesTell(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("emqx-ee-5.8.9", 3)
		r.clients(c, 24)
		r.until("the clients are counted", func() bool { return r.get(c).Current.Current == 24 },
			func() any { return r.get(c).Current })
		op := r.ends(r.change(c, `{"size":"2C4G"}`), ecp.PhaseSucceeded)
		require.Len(t, op.Evacuated, 3)
		for _, n := range op.Evacuated {
			require.NotEmpty(t, n.Node)
			require.Positive(t, n.Clients, "%+v", n)
			require.Equal(t, n.Clients, n.Returned, "%+v", n)
		}
		r.ends(r.change(c, `{"config":{"listeners.tcp.default.max_connections":"10"}}`), ecp.PhaseSucceeded)
		r.sim.Cluster(c.ID()).SetListener("tcp:default", 10, true) // two nodes have no room for all
		op = r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
		short := 0
		for _, n := range op.Evacuated {
			short += n.Clients - n.Returned
		}
		require.Positive(t, short, "%+v", op.Evacuated)
	})
}
