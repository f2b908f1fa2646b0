package main

import (
	"context"
	"errors"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/httpapi"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func TestStreamsAreCounted(t *testing.T) {
	m := newMetrics()
	lost := func(end httpapi.StreamEnd) float64 { return testutil.ToFloat64(m.lost.WithLabelValues(string(end))) }
	for _, end := range []httpapi.StreamEnd{httpapi.StreamDone, httpapi.StreamSlow, httpapi.StreamGone} {
		ended := m.stream(t.Context())
		require.Equal(t, 1.0, testutil.ToFloat64(m.streams))
		ended(end)
		require.Zero(t, testutil.ToFloat64(m.streams))
	}
	require.Equal(t, 1.0, lost(httpapi.StreamSlow))
	require.Equal(t, 1.0, lost(httpapi.StreamGone))
	require.Equal(t, 2, testutil.CollectAndCount(m.lost), "a stream that ends in order is not lost")
}

func TestStoreIsTimed(t *testing.T) {
	m := newMetrics()
	s := timedStore{memstore.New(), m}
	fault := errors.New("no")
	require.NoError(t, s.Read(t.Context(), func(ecp.Tx) error { return nil }))
	require.ErrorIs(t, s.Write(t.Context(), func(ecp.Tx) error { return fault }), fault)
	require.Equal(t, 2, testutil.CollectAndCount(m.store))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range s.Changes(ctx, -1) {
		require.ErrorIs(t, err, context.Canceled)
	}
}
