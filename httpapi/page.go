package httpapi

import (
	"embed"
	"io/fs"
	"net/http"
	"path"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page load what this process serves and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var pageTypes = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

// pagePath is where the document is drawn for people.
const pagePath = "/docs/api"

// pageLeads are the paths that people try first. Each leads to the page by an
// address relative to it, so that a proxy may serve all this below a prefix.
var pageLeads = map[string]string{
	"/": "docs/api", "/docs": "docs/api", "/docs/": "api", "/docs/api/": "../api",
	"/api": "docs/api", "/api/": "../docs/api", "/api/v1": "../docs/api", "/api/v1/": "../../docs/api",
}

// leadToPage answers who reads one of the paths in pageLeads; it reports
// whether it did.
func leadToPage(w http.ResponseWriter, r *http.Request) bool {
	to, ok := pageLeads[r.URL.EscapedPath()]
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
	return true
}

// pageRoutes serve the document for people: a page that draws openapi.json.
func (a *api) pageRoutes() {
	page := a.operation(http.MethodGet, pagePath, "docs", "Read this document as a page")
	page.Security = nil
	a.plain(page, "text/html", func(w http.ResponseWriter, _ *http.Request) { servePage(w, "index.html") })
	file := a.operation(http.MethodGet, pagePath+"/{file}", "docsFile", "Get a part of the page")
	file.Security = nil
	file.Parameters = []*huma.Param{{In: "path", Name: "file", Required: true, Description: "name of the part", Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{"page.js"}}}}
	a.plain(file, "text/css", func(w http.ResponseWriter, r *http.Request) { servePage(w, r.PathValue("file")) })
	file.Responses["200"].Content["text/javascript"] = file.Responses["200"].Content["text/css"]
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
