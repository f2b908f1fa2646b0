package ecp_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

type purging struct{ ecp.Store }

func (purging) Purge(context.Context, time.Time) (int64, error) { return 7, nil }

type wrapping struct{ ecp.Store }

func (w wrapping) Unwrap() ecp.Store { return w.Store }

// A wrapper keeps what the Store within can do.
func TestStoreAs(t *testing.T) {
	p, ok := ecp.StoreAs[ecp.Purger](wrapping{wrapping{purging{}}})
	require.True(t, ok)
	n, err := p.Purge(t.Context(), time.Time{})
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	for _, without := range []ecp.Store{nil, wrapping{}, wrapping{struct{ ecp.Store }{}}} {
		_, ok = ecp.StoreAs[ecp.Purger](without)
		require.False(t, ok)
	}
}
