package emqxsim

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// The dashboard of EMQX 4.4 is a page on port 18083 beside the API. The real
// one is not ours to give; this one keeps its habits, so that what is in front
// of it can be tried: relative addresses, routes in the hash, name and password
// kept in the browser under "uK".

//go:embed page4
var pageFiles4 embed.FS

// page4 answers with a file of the dashboard; false = there is no such file.
func page4(r *http.Request) (answer, bool) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	b, err := fs.ReadFile(pageFiles4, "page4/"+name)
	if err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return answer{}, false
	}
	return answer{contentType: pageTypes4[path.Ext(name)], body: string(b)}, true
}

var pageTypes4 = map[string]string{".html": "text/html", ".css": "text/css", ".js": "application/javascript"}
