package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// waitFor asks again until the answer is yes.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("not after 20 s: " + what)
		}
	}
}

// flood sends a stream as the API does, until it breaks or is told to end.
func flood(patience time.Duration, end <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		line := []byte("data: " + strings.Repeat("x", 64<<10) + "\n\n")
		for {
			select {
			case <-end:
				return
			default:
			}
			_ = control.SetWriteDeadline(time.Now().Add(patience))
			if _, err := w.Write(line); err != nil {
				return
			}
			if err := control.Flush(); err != nil {
				return
			}
		}
	})
}

// dial opens a stream and reads as far as its head.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	head, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, head, "200")
	return conn
}

func TestStreamsAreCounted(t *testing.T) {
	m := newMetrics()
	open := func() float64 { return testutil.ToFloat64(m.streams) }
	lost := func(reason string) float64 { return testutil.ToFloat64(m.lost.WithLabelValues(reason)) }
	end := make(chan struct{})
	server := httptest.NewServer(m.withStreams(flood(50*time.Millisecond, end)))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")

	dial(t, address) // reads nothing more
	waitFor(t, "a client that does not read is cut off", func() bool { return lost(lostSlow) == 1 })
	require.Zero(t, open())

	patient := httptest.NewServer(m.withStreams(flood(time.Minute, end)))
	defer patient.Close()
	conn := dial(t, strings.TrimPrefix(patient.URL, "http://"))
	waitFor(t, "the stream is counted", func() bool { return open() == 1 })
	require.NoError(t, conn.Close())
	waitFor(t, "a connection that breaks", func() bool { return lost(lostGone) == 1 })
	waitFor(t, "none is open", func() bool { return open() == 0 })

	close(end)
	res, err := http.Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	waitFor(t, "none is open", func() bool { return open() == 0 })
	require.Equal(t, 1.0, lost(lostSlow))
	require.Equal(t, 1.0, lost(lostGone), "a stream that ends in order is not lost")

	plain := httptest.NewServer(m.withStreams(http.NotFoundHandler()))
	defer plain.Close()
	res, err = http.Get(plain.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Zero(t, open(), "other answers are no streams")
	http.DefaultClient.CloseIdleConnections()
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
