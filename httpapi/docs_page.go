package httpapi

import (
	"embed"
	"io/fs"
	"net/http"
	"path"

	"github.com/openecp/openecp/ecp"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page load what this process serves and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
}

// pagePath is where people read the document.
const pagePath = "/docs/api"

// docsRedirects are the paths that people try first. Each leads to the page by an
// address relative to it, so that a proxy may serve all this below a prefix.
var docsRedirects = map[string]string{
	"/": "docs/api", "/docs": "docs/api", "/docs/": "api", "/docs/api/": "../api",
	"/api": "docs/api", "/api/": "../docs/api", "/api/v1": "../docs/api", "/api/v1/": "../../docs/api",
}

// redirectToDocs leads a reader of one of the paths in docsRedirects to the page, and
// reports whether it did.
func redirectToDocs(w http.ResponseWriter, r *http.Request) bool {
	to, ok := docsRedirects[r.URL.EscapedPath()]
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
	return true
}

// pageRoutes serve the document for people: a page that draws openapi.json.
func (a *api) pageRoutes() {
	a.stream(route{
		method: http.MethodGet, path: pagePath, id: "docs", summary: "Read this document as a page", open: true,
		success: []answer{{status: http.StatusOK, content: map[string]schema{"text/html": nil}}},
	}, func(w http.ResponseWriter, _ *http.Request) { servePage(w, "index.html") })
	a.stream(route{
		method: http.MethodGet, path: pagePath + "/{file}", id: "docsFile", summary: "Get a part of the page",
		open:    true,
		success: []answer{{status: http.StatusOK, content: map[string]schema{"text/css": nil, "text/javascript": nil}}},
	}, func(w http.ResponseWriter, r *http.Request) { servePage(w, r.PathValue("file")) })
}

func servePage(w http.ResponseWriter, name string) {
	b, err := fs.ReadFile(pageFiles, "page/"+path.Base(name))
	if err != nil || path.Base(name) != name {
		newProblem(ecp.CodeNotFound, "the page has no such part; open "+pagePath).write(w)
		return
	}
	w.Header().Set("Content-Type", pageTypes[path.Ext(name)])
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(b)
}
