package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

// processRoutes are about the process itself; they need no token.
func (a *api) processRoutes() {
	open := func(path, id, summary string) huma.Operation {
		op := a.operation(http.MethodGet, path, id, summary)
		op.Security = nil
		return op
	}
	huma.Register(a.huma, open("/healthz", "healthz", "Say that the process lives"), func(context.Context, *struct{}) (*healthOutput, error) {
		return &healthOutput{health{Status: "ok"}}, nil
	})
	huma.Register(a.huma, open("/readyz", "readyz", "Say whether requests should be sent here"), func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		if a.ready != nil {
			if err := a.ready(ctx); err != nil {
				a.log.InfoContext(ctx, "not ready", "error", err)
				if errors.Is(err, ecp.ErrConflict) { // another daemon is where requests should go
					return nil, newProblem(ecp.CodeUnavailable, "not ready; "+ecp.MessageOf(err))
				}
				return nil, newProblem(ecp.CodeUnavailable, "not ready; the server's log has the cause")
			}
		}
		out := &healthOutput{health{Status: "ready"}}
		if a.notes != nil {
			out.Body.Notes = a.notes()
		}
		return out, nil
	})
	huma.Register(a.huma, open("/api/v1/version", "getVersion", "Say which build answers"), func(context.Context, *struct{}) (*versionOutput, error) {
		return &versionOutput{versionView{a.version.Version, a.version.Commit, a.version.Go, a.dev}}, nil
	})
	document := open("/openapi.json", "openapi", "Get this document")
	a.plain(document, "application/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(a.document)
	})
}

type health struct {
	Status string   `json:"status"`
	Notes  []string `json:"notes,omitempty" doc:"what people who run the server should put right"`
}

type healthOutput struct{ Body health }

type versionView struct {
	Version string `json:"version" doc:"version of the build"`
	Commit  string `json:"commit" doc:"commit it was built from"`
	Go      string `json:"go" doc:"Go version it was built with"`
	Dev     bool   `json:"dev" doc:"an installation for trying things out"`
}

type versionOutput struct{ Body versionView }

// indented is the form in which the document is checked in.
func indented(document any) ([]byte, error) {
	b, err := json.MarshalIndent(document, "", "  ")
	return append(b, '\n'), err
}
