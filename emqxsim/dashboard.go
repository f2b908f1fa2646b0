package emqxsim

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// The dashboards are web pages: EMQX 4.4 serves its own on port 18083 beside the API, EMQX
// 5 on the API's port. EMQX's pages are not part of this project. The simulated ones behave
// like them, so that a proxy in front of them can be tested: they have a login form,
// relative addresses and routes in the hash, and keep the login in the browser's storage.
// That is name and password under "uK" (4.4), or a token under "uKV5" (5.x).

//go:embed page4 page5
var pageFiles embed.FS

// pageFile answers with a file of a dashboard and reports whether there is such a file.
func pageFile(dir string, r *http.Request) (answer, bool) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	b, err := fs.ReadFile(pageFiles, dir+"/"+name)
	if err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return answer{}, false
	}
	return answer{contentType: pageTypes[path.Ext(name)], body: string(b)}, true
}

var pageTypes = map[string]string{".html": "text/html", ".css": "text/css", ".js": "application/javascript"}

// dashboard5 answers with a file of the dashboard of EMQX 5.
func dashboard5(q *request) answer {
	a, ok := pageFile("page5", q.Request)
	if !ok {
		return unknownPath5(q.Request)
	}
	return a
}
