package httpapi

import (
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page is whole, and asks nobody but us for anything.
func TestPage(t *testing.T) {
	f := newFixture(t, setup{})
	for path, kind := range map[string]string{"/docs/api": "text/html; charset=utf-8",
		"/docs/api/page.js": "text/javascript; charset=utf-8", "/docs/api/page.css": "text/css; charset=utf-8"} {
		r := f.call(nobody, http.MethodGet, path, "").want(http.StatusOK)
		require.Equal(t, kind, r.header.Get("Content-Type"))
		require.Equal(t, pagePolicy, r.header.Get("Content-Security-Policy"))
		require.NotEmpty(t, r.body)
	}
	for _, path := range []string{"/docs/api/none.js", "/docs/api/..%2fpage.go", "/docs/none"} {
		f.call(nobody, http.MethodGet, path, "").want(http.StatusNotFound).problem()
	}
	html, err := fs.ReadFile(pageFiles, "page/index.html")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllSubmatch(html, -1) {
		if string(m[1]) != "data:," {
			f.call(nobody, http.MethodGet, path.Join("/docs", string(m[1])), "").want(http.StatusOK)
		}
	}
	files, err := fs.Glob(pageFiles, "page/*")
	require.NoError(t, err)
	for _, name := range files {
		b, err := fs.ReadFile(pageFiles, name)
		require.NoError(t, err)
		require.NotRegexp(t, `https?://|//cdn|@import|innerHTML|eval\(`, string(b), name)
	}
}
