package main

import (
	"net/http"
	"strings"

	"github.com/openecp/openecp/docs"
	"github.com/openecp/openecp/internal/docsite"
)

// docsPath is where the documentation is read. The API's own page is below it, at
// /docs/api, and is the API's.
const docsPath = "/docs/"

// withDocs serves the documentation beside the API, to everybody: it is no secret.
func withDocs(api http.Handler) (http.Handler, error) {
	site, err := docsite.New(docsite.Config{
		Files: docs.Files, Prefix: docsPath, Name: "OpenECP",
		More: []docsite.Link{{To: "api", Text: "Every call of the API"}},
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch rest, below := strings.CutPrefix(r.URL.Path, docsPath); {
		case r.URL.Path == "/docs" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			w.Header().Set("Location", "docs/") // relative, so that a proxy may serve all this below a prefix
			w.WriteHeader(http.StatusFound)
		case below && rest != "api" && !strings.HasPrefix(rest, "api/"):
			site.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	}), nil
}
