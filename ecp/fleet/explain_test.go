package fleet_test

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestExplain: the rule that holds a cluster where it is, and what can be done.
func TestExplain(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		e, err := r.m.Explain(asSystem(), c.ID())
		require.NoError(t, err)
		require.Equal(t, "as asked for", e.Rule)
		require.Empty(t, e.Advice)
		require.Nil(t, e.Operation)

		op := r.do(c, ecp.Stop{})
		e, err = r.m.Explain(asSystem(), c.ID())
		require.NoError(t, err)
		require.Equal(t, op.ID, e.Operation.ID)
		r.ends(op, ecp.PhaseSucceeded)

		_, err = r.m.Explain(t.Context(), c.ID())
		require.ErrorIs(t, err, ecp.ErrDenied)
		_, err = r.m.Explain(asSystem(), "emqx-00000000")
		require.ErrorIs(t, err, ecp.ErrNotFound)
	})
}
