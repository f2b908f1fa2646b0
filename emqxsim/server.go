package emqxsim

import (
	"net/http"
	"time"
)

// NewServer returns a server for the handler of a node. Like the broker's own server it
// closes idle connections, before 4.4.24 after only five seconds, which is shorter than
// most clients keep them. The caller gives it a listener and closes it.
func NewServer(version string, h http.Handler) *http.Server {
	idle := time.Minute
	if !has(version, "4.4.24") {
		idle = 5 * time.Second
	}
	return &http.Server{Handler: h, IdleTimeout: idle, ReadHeaderTimeout: 15 * time.Second}
}
