package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecpmetrics"
)

// newMetrics gives the page of a registry of our own with the fleet's, Go's and
// the process's metrics.
func newMetrics(m *ecp.Manager) (http.Handler, error) {
	reg := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	if err := ecpmetrics.Register(reg, m); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), nil
}

// metricsOnly serves /metrics to whoever can connect, and nothing else.
func metricsOnly(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	return mux
}

// withMetrics serves /metrics beside the API, to system administrators only:
// the page tells of every project.
func withMetrics(api, metrics http.Handler, m *ecp.Manager) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			api.ServeHTTP(w, r)
			return
		}
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem(w, http.StatusUnauthorized, ecp.CodeDenied, "send a token: Authorization: Bearer TOKEN")
			return
		}
		actor, err := m.Authenticate(r.Context(), strings.TrimSpace(token))
		switch {
		case ecp.CodeOf(err) == ecp.CodeDenied:
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			problem(w, http.StatusUnauthorized, ecp.CodeDenied, ecp.MessageOf(err))
		case err != nil:
			problem(w, http.StatusInternalServerError, ecp.CodeInternal, ecp.MessageOf(err))
		case !actor.May(ecp.RightAdmin, ""):
			problem(w, http.StatusForbidden, ecp.CodeDenied, "metrics tell of every project; a system administrator may read them")
		default:
			metrics.ServeHTTP(w, r)
		}
	})
}

// problemBody is an error as the API writes it (RFC 9457).
type problemBody struct {
	Type   string   `json:"type"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Code   ecp.Code `json:"code"`
	Detail string   `json:"detail"`
}

// problem answers as the API does.
func problem(w http.ResponseWriter, status int, code ecp.Code, detail string) {
	b, err := json.Marshal(problemBody{"about:blank", http.StatusText(status), status, code, detail})
	if err != nil {
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the caller has gone if this fails
}
