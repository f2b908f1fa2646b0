package main

import (
	"net/http"
	"strings"

	"github.com/openecp/openecp/console"
	"github.com/openecp/openecp/docs"
	"github.com/openecp/openecp/internal/docsite"
)

// docsPath is where the documentation is read. The API's own page is below it, at
// /docs/api, and is the API's.
const docsPath = "/docs/"

// entrances are the paths that people try first, and where they lead: relative, so that a
// proxy may serve all this below a prefix.
var entrances = map[string]string{"/": "console/", "/console": "console/", "/docs": "docs/"}

// withPages serves the console and the documentation beside the API, to everybody: they
// hold no secrets.
func withPages(api http.Handler) (http.Handler, error) {
	site, err := docsite.New(docsite.Config{
		Files: docs.Files, Prefix: docsPath, Name: "OpenECP",
		More: []docsite.Link{{To: "api", Text: "Every call of the API"}, {To: "../console/", Text: "Console"}},
	})
	if err != nil {
		return nil, err
	}
	pages := console.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, entrance := entrances[r.URL.Path]
		page, below := strings.CutPrefix(r.URL.Path, docsPath)
		switch {
		case entrance && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		case strings.HasPrefix(r.URL.Path, console.Path):
			pages.ServeHTTP(w, r)
		case below && page != "api" && !strings.HasPrefix(page, "api/"):
			site.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	}), nil
}
