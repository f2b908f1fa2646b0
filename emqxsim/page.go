package emqxsim

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// The dashboards are pages: of EMQX 4.4 on port 18083 beside the API, of EMQX 5
// on the API's own. The real ones are not ours to give; these keep their habits,
// so that what is in front of them can be tried: a form to log in, relative
// addresses, routes in the hash, and what logs people in kept in the browser.
// That is name and password under "uK" (4.4), or a token under "uKV5" (5.x).

//go:embed page4 page5
var pageFiles embed.FS

// pageFile answers with a file of a dashboard; false = there is no such file.
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
