package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/openecp/openecp/ecp"
)

// processRoutes are about the process itself; they need no token.
func (a *api) processRoutes() {
	a.json(route{
		method: http.MethodGet, path: "/healthz", id: "healthz", summary: "Say that the process lives", open: true,
		success: returns[health](http.StatusOK),
	}, func(context.Context, *http.Request, body) (success, error) {
		return success{status: http.StatusOK, body: health{Status: "ok"}}, nil
	})
	a.json(route{
		method: http.MethodGet, path: "/readyz", id: "readyz", summary: "Say whether requests should be sent here",
		open:    true,
		success: returns[health](http.StatusOK),
	}, a.readiness)
	a.json(route{
		method: http.MethodGet, path: "/api/v1/version", id: "getVersion", summary: "Say which build answers",
		open:    true,
		success: returns[versionView](http.StatusOK),
	}, func(context.Context, *http.Request, body) (success, error) {
		build := versionView{a.version.Version, a.version.Commit, a.version.Go, a.dev}
		return success{status: http.StatusOK, body: build}, nil
	})
	a.stream(route{
		method: http.MethodGet, path: "/openapi.json", id: "openapi", summary: "Get this document", open: true,
		success: []answer{{status: http.StatusOK, content: map[string]schema{"application/json": nil}}},
	}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(a.document)
	})
}

func (a *api) readiness(ctx context.Context, _ *http.Request, _ body) (success, error) {
	if a.ready != nil {
		if err := a.ready(ctx); err != nil {
			a.log.InfoContext(ctx, "not ready", "error", err)
			if errors.Is(err, ecp.ErrConflict) { // another daemon is where requests should go
				return success{}, newProblem(ecp.CodeUnavailable, "not ready; "+ecp.MessageOf(err))
			}
			return success{}, newProblem(ecp.CodeUnavailable, "not ready; the cause is logged")
		}
	}
	out := health{Status: "ready"}
	if a.notes != nil {
		out.Notes = a.notes()
	}
	return success{status: http.StatusOK, body: out}, nil
}

type health struct {
	Status string   `json:"status"`
	Notes  []string `json:"notes,omitempty" doc:"what people who run the server should put right"`
}

type versionView struct {
	Version string `json:"version" doc:"version of the build"`
	Commit  string `json:"commit" doc:"commit it was built from"`
	Go      string `json:"go" doc:"Go version it was built with"`
	Dev     bool   `json:"dev" doc:"an installation for trying things out"`
}

// indented is the form in which the document is checked in.
func indented(document any) ([]byte, error) {
	b, err := json.MarshalIndent(document, "", "  ")
	return append(b, '\n'), err
}
