package emqxsim

import (
	"net/http"
	"time"
)

// NewServer makes a server for the handler of a node of some version: as the
// broker's own it closes connections that idle, before 4.4.24 after five
// seconds only, which is shorter than most clients keep them. The caller gives
// it a listener, and closes it.
func NewServer(version string, h http.Handler) *http.Server {
	idle := time.Minute
	if !has(version, "4.4.24") {
		idle = 5 * time.Second
	}
	return &http.Server{Handler: h, IdleTimeout: idle, ReadHeaderTimeout: 15 * time.Second}
}
