package proxy_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/proxy"
)

// A program with an API of its own lets its callers through to brokers below
// /brokers/ID/, and shows dashboards below dash.example.com on the same listener.
// Who asks is for it to find out: here everybody is the program itself.
func Example() {
	serve := func(m *ecp.Manager, l net.Listener) error {
		through, err := proxy.NewPassthrough(proxy.PassthroughConfig{Manager: m, Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, ecp.MessageOf(err), http.StatusForbidden)
		}})
		if err != nil {
			return err
		}
		domain := proxy.Domain{Scheme: "https", Host: "dash.example.com"}
		dashboards, err := proxy.NewDashboards(proxy.DashboardsConfig{Manager: m, Domain: &domain})
		if err != nil {
			return err
		}
		defer func() { _ = dashboards.Shutdown(context.Background()) }()
		return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(ecp.WithActor(r.Context(), ecp.System))
			const prefix, idLength = "/brokers/", len("emqx-0a1b2c3d")
			path := r.URL.EscapedPath() // a mux would clean it
			switch {
			case domain.Covers(r.Host):
				dashboards.ServeHTTP(w, r)
			case len(path) > len(prefix)+idLength && path[:len(prefix)] == prefix:
				through.Serve(w, r, ecp.ID(path[len(prefix):len(prefix)+idLength]), path[len(prefix)+idLength:])
			default:
				link, err := dashboards.Open(r.Context(), ecp.ID(r.FormValue("cluster")), "")
				if err != nil {
					http.Error(w, ecp.MessageOf(err), http.StatusForbidden)
					return
				}
				_ = json.NewEncoder(w).Encode(link) // the caller has gone: nothing to do about it
			}
		}))
	}
	_ = serve
}
