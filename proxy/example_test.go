package proxy_test

import (
	"encoding/json"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/proxy"
)

// authenticate stands for the way in which a program finds out who sends a request.
func authenticate(*http.Request) ecp.Actor { return ecp.System }

func writeError(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, ecp.MessageOf(err), http.StatusForbidden)
}

// A program with an API of its own passes what is called below /brokers/ID/ on to the
// management API of that cluster's broker.
func ExamplePassthrough() {
	handler := func(m *fleet.Manager) (http.Handler, error) {
		calls, err := proxy.NewPassthrough(proxy.PassthroughConfig{Manager: m, Refuse: writeError})
		if err != nil {
			return nil, err
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(ecp.WithActor(r.Context(), authenticate(r)))
			const prefix, idLength = "/brokers/", len("emqx-0a1b2c3d")
			path := r.URL.EscapedPath() // not the pattern of a ServeMux, which cleans paths
			if len(path) <= len(prefix)+idLength || path[:len(prefix)] != prefix {
				http.NotFound(w, r)
				return
			}
			id, rest := path[len(prefix):len(prefix)+idLength], path[len(prefix)+idLength:]
			calls.Serve(w, r, ecp.ID(id), rest)
		}), nil
	}
	_ = handler
}

// A program shows dashboards below dash.example.com, and makes links to them at
// /dashboard?cluster=ID, on the same listener.
func ExampleDashboards() {
	handler := func(m *fleet.Manager) (http.Handler, *proxy.Dashboards, error) {
		domain := proxy.Domain{Scheme: "https", Host: "dash.example.com"}
		dashboards, err := proxy.NewDashboards(proxy.DashboardsConfig{Manager: m, Domain: &domain})
		if err != nil {
			return nil, nil, err
		}
		api := http.NewServeMux()
		api.HandleFunc("POST /dashboard", func(w http.ResponseWriter, r *http.Request) {
			ctx := ecp.WithActor(r.Context(), authenticate(r))
			link, err := dashboards.Open(ctx, ecp.ID(r.FormValue("cluster")), "")
			if err != nil {
				writeError(w, r, err)
				return
			}
			_ = json.NewEncoder(w).Encode(link) // it fails only if the client has closed the connection
		})
		// Before the server is closed, the program calls dashboards.Shutdown.
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if domain.Covers(r.Host) {
				dashboards.ServeHTTP(w, r)
				return
			}
			api.ServeHTTP(w, r)
		}), dashboards, nil
	}
	_ = handler
}
