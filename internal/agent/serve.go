package agent

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// serveSocket answers `status` and `reload` until ctx ends.
func (a *Agent) serveSocket(ctx context.Context, l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a.Status()) // the client may have gone
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, _ *http.Request) {
		a.Reload()
		w.WriteHeader(http.StatusNoContent)
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Second,
		MaxHeaderBytes: 8 << 10,
		BaseContext:    func(net.Listener) context.Context { return ctx }}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended: // the socket is gone; the agent goes on without
		a.state.problemOf("socket", err)
		<-ctx.Done()
	case <-ctx.Done():
		_ = s.Close()
		<-ended //nolint:errcheck // ended by us
	}
}
