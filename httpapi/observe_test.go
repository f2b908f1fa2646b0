package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is told of requests holds nothing that a client wrote.
func TestObserve(t *testing.T) {
	f := newFixture(t, setup{ready: func(context.Context) error { return errors.New("not yet") }})
	var mu sync.Mutex
	var seen []Observation
	f.api.observer = func(o Observation) {
		mu.Lock()
		defer mu.Unlock()
		require.Positive(t, o.Took)
		o.Took = 0
		seen = append(seen, o)
	}
	f.call(asUser, http.MethodGet, "/api/v1/clusters?limit=1", "").want(http.StatusOK)
	f.call(asUser, http.MethodGet, "/api/v1/clusters/emqx-00000000", "").want(http.StatusNotFound)
	f.call(asUser, http.MethodGet, "/api/v1/clusters/emqx-00000000?x=1", "")
	f.call(asUser, http.MethodGet, "/made/up", "").want(http.StatusNotFound)
	f.call(asUser, "BREW", "/api/v1/clusters", "").want(http.StatusMethodNotAllowed)
	f.call(asUser, http.MethodGet, "/readyz", "").want(http.StatusServiceUnavailable)
	ends := make(chan StreamEnd, 1)
	f.api.streamObserver = func(context.Context) func(StreamEnd) { return func(e StreamEnd) { ends <- e } }
	l := f.listen(asUser, "", "")
	close(f.done)
	f.eventually("the stream ends", func() (bool, any) {
		_, err := l.read()
		return err == io.EOF, err //nolint:errorlint // a stream that ends cleanly ends so
	})
	require.Equal(t, StreamDone, <-ends)
	f.eventually("all are told of", func() (bool, any) {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == 7, seen
	})
	require.Equal(t, []Observation{
		{Method: "GET", Route: "/api/v1/clusters", Status: 200},
		{Method: "GET", Route: "/api/v1/clusters/{id}", Status: 404},
		{Method: "GET", Route: "/api/v1/clusters/{id}", Status: 422},
		{Status: 404},
		{Status: 405},
		{Method: "GET", Route: "/readyz", Status: 503},
		{Method: "GET", Route: "/api/v1/events", Status: 200, Stream: true},
	}, seen)
}
