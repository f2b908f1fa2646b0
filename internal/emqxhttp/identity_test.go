package emqxhttp

import (
	"context"
	"errors"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestKnown: a cluster is asked until it says what it is, and not after that;
// who describes it anew is believed.
func TestKnown(t *testing.T) {
	var k Identity
	failed := errors.New("no")
	_, _, err := k.Get(t.Context(), func(context.Context) (ecp.Description, error) { return ecp.Description{}, failed })
	require.ErrorIs(t, err, failed)
	k.Store(ecp.Description{Edition: "enterprise"}) // says nothing
	asked := 0
	ask := func(context.Context) (ecp.Description, error) {
		asked++
		return ecp.Description{Version: "5.8.9", Edition: "enterprise"}, nil
	}
	for range 3 {
		v, e, err := k.Get(t.Context(), ask)
		require.NoError(t, err)
		require.Equal(t, []string{"5.8.9", "enterprise"}, []string{v, e})
	}
	require.Equal(t, 1, asked)
	k.Store(ecp.Description{Version: "5.10.0", Edition: "enterprise"})
	v, _, _ := k.Get(t.Context(), ask)
	require.Equal(t, "5.10.0", v)
	k.Store(ecp.Description{Version: "5.10.1"}) // the edition did not come in time
	v, e, _ := k.Get(t.Context(), ask)
	require.Equal(t, []string{"5.10.1", "enterprise"}, []string{v, e})
}
