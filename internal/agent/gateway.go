package agent

import (
	"net/http"
	"sync/atomic"

	"github.com/openecp/openecp/internal/agent/broker"
)

// gateway passes requests from the tunnel to the broker, as it is configured now.
type gateway struct {
	hosts atomic.Pointer[hosts]
}

type hosts struct{ api, dashboard http.Handler }

// lead sets the broker; nil means that there is none. Requests under way go on.
func (g *gateway) lead(a *broker.Access) {
	if a == nil {
		g.hosts.Store(nil)
		return
	}
	g.hosts.Store(&hosts{a.API(), a.Dashboard()})
}

func (g *gateway) api() http.Handler {
	return g.to(func(h *hosts) http.Handler { return h.api })
}

func (g *gateway) dashboard() http.Handler {
	return g.to(func(h *hosts) http.Handler { return h.dashboard })
}

func (g *gateway) to(which func(*hosts) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := g.hosts.Load()
		if h == nil {
			broker.Unknown(w)
			return
		}
		which(h).ServeHTTP(w, r)
	})
}
