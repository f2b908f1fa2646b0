package main

import (
	"log/slog"
	"net/http"

	"github.com/openecp/openecp/ecp"
)

// logged is an Adapter that logs every call to a broker. The brokers are those of the
// Adapter inside, so that they can do all that those can.
type logged struct {
	ecp.Adapter
	log *slog.Logger
}

func (a logged) Open(e ecp.Endpoint) (ecp.Broker, error) {
	next := e.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	e.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		a.log.InfoContext(r.Context(), "call to a broker", "method", r.Method, "path", r.URL.Path, "err", err)
		return answer, err
	})
	return a.Adapter.Open(e)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
