package docsite

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/openecp/openecp/docs"
	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

func newSite(t *testing.T, files fs.FS) *Site {
	t.Helper()
	s, err := New(Config{Files: files, Prefix: "/docs/", Name: "Pages", More: []Link{{To: "api", Text: "More"}}})
	require.NoError(t, err)
	return s
}

func ask(s http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

var (
	references = regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	anchors    = regexp.MustCompile(` id="([^"]*)"`)
)

// TestEveryPage: every page is rendered, the index leads to it, and every link on it leads to
// something that is there.
func TestEveryPage(t *testing.T) {
	s := newSite(t, docs.Files)
	pages, err := fs.Glob(docs.Files, "*.md")
	require.NoError(t, err)
	require.Greater(t, len(pages), 15)
	bodies := map[string]string{}
	get := func(path string) string {
		if _, ok := bodies[path]; !ok {
			w := ask(s, http.MethodGet, path)
			require.Equal(t, http.StatusOK, w.Code, path)
			bodies[path] = w.Body.String()
		}
		return bodies[path]
	}
	index := get("/docs/")
	for _, file := range pages {
		at := "/docs/" + strings.TrimPrefix(address(file), "./")
		if file != indexFile {
			require.Contains(t, index, `<a href="`+address(file)+`"`, "docs/README.md has no link to %s", file)
		}
		page := get(at)
		source, err := fs.ReadFile(docs.Files, file)
		require.NoError(t, err)
		title, _, _ := strings.Cut(strings.TrimPrefix(string(source), "# "), "\n")
		require.Contains(t, page, "<title>"+title+" · Pages</title>")
		require.NotContains(t, page, "<!--", file)
		require.NotRegexp(t, `(?i)<script|<style|<iframe| on[a-z]+=| style="`, page, file)
		for _, m := range pictures.FindAllStringSubmatch(page, -1) {
			require.Regexp(t, `^[a-z0-9-]+\.jpg$`, m[1], file)
			require.NotEmpty(t, get("/docs/"+m[1]), "%s shows %s", file, m[1])
		}
		base, err := url.Parse(at)
		require.NoError(t, err)
		for _, m := range references.FindAllStringSubmatch(page, -1) {
			to, err := base.Parse(m[1])
			require.NoError(t, err, file)
			switch {
			case to.IsAbs() || to.Path == "/docs/api":
			case to.Fragment != "":
				require.Contains(t, get(to.Path), ` id="`+to.Fragment+`"`, "%s links to %s", file, m[1])
			default:
				get(to.Path)
			}
		}
		seen := map[string]bool{}
		for _, m := range anchors.FindAllStringSubmatch(page, -1) {
			require.False(t, seen[m[1]], "%s has the anchor %s twice", file, m[1])
			seen[m[1]] = true
		}
	}
	require.Contains(t, get("/docs/roles.html"), "<table>")
	require.Contains(t, get("/docs/roles.html"), `<a href="./roles.html" aria-current="page">`)
}

// TestLinksInTheTree: on GitHub, every relative link and anchor of a page leads to something.
func TestLinksInTheTree(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*/README.md", "examples/README.md"} {
		found, err := filepath.Glob("../../" + pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		pages = append(pages, found...)
	}
	s := newSite(t, docs.Files)
	for _, page := range pages {
		source, err := os.ReadFile(page)
		require.NoError(t, err)
		doc := s.markdown.Parser().Parse(text.NewReader(source))
		require.NoError(t, ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			if l, ok := n.(*ast.Link); ok && entering {
				checkLink(t, s, page, string(l.Destination))
			}
			return ast.WalkContinue, nil
		}))
	}
}

func checkLink(t *testing.T, s *Site, page, to string) {
	t.Helper()
	file, fragment, _ := strings.Cut(to, "#")
	if strings.Contains(to, "://") {
		return
	}
	target := page
	if file != "" {
		target = filepath.Join(filepath.Dir(page), file)
	}
	_, err := os.Stat(target)
	require.NoError(t, err, "%s links to %s", page, to)
	if fragment == "" || !strings.HasSuffix(target, ".md") {
		return
	}
	source, err := os.ReadFile(target)
	require.NoError(t, err)
	content, err := s.render(source)
	require.NoError(t, err)
	require.Contains(t, content.body, ` id="`+fragment+`"`, "%s links to %s", page, to)
}

var pictures = regexp.MustCompile(`<img src="([^"]*)"`)

// TestPictures: a page shows those that lie beside it, and none from elsewhere.
func TestPictures(t *testing.T) {
	s := newSite(t, fstest.MapFS{
		"README.md": {Data: []byte("# T\n\n![a b](a.jpg) ![c](b.jpg) ![d](https://example.com/e.jpg) " +
			"![f](sub/a.jpg)\n")},
		"a.jpg": {Data: []byte("picture")}, "sub/a.jpg": {Data: []byte("below")},
	})
	require.Contains(t, ask(s, http.MethodGet, "/docs/").Body.String(), `<img src="a.jpg" alt="a b">`)
	var shown []string
	for _, m := range pictures.FindAllStringSubmatch(ask(s, http.MethodGet, "/docs/").Body.String(), -1) {
		shown = append(shown, m[1])
	}
	require.Equal(t, []string{"a.jpg", "", "", ""}, shown)
	w := ask(s, http.MethodGet, "/docs/a.jpg")
	require.Equal(t, "picture", w.Body.String())
	require.Equal(t, "image/jpeg", w.Header().Get("Content-Type"))
	require.Equal(t, http.StatusNotFound, ask(s, http.MethodGet, "/docs/sub/a.jpg").Code)
}

func TestAnchors(t *testing.T) {
	s := newSite(t, fstest.MapFS{"README.md": {Data: []byte(
		"# A `b.C` & d_e-f!\n\n## Same\n\n## Same\n\n## 版本 5\n\n[x](#same-1)\n")}})
	body := ask(s, http.MethodGet, "/docs/").Body.String()
	var got []string
	for _, m := range anchors.FindAllStringSubmatch(body, -1) {
		got = append(got, m[1])
	}
	require.Equal(t, []string{"a-bc--d_e-f", "same", "same-1", "版本-5"}, got)
}

// TestNothingPasses: what a page has of HTML, of scripts in links, and of links out of the
// folder does not reach the browser.
func TestNothingPasses(t *testing.T) {
	s := newSite(t, fstest.MapFS{
		"README.md": {Data: []byte("# T <b>x</b> & <script>y</script>\n\n<script>alert(1)</script>\n\n" +
			"a <img src=x onerror=alert(1)> b [l](javascript:alert(1)) [up](../secret.md#x) " +
			"[self](sub/a.md) `<i>`\n\n" +
			"<!-- a remark -->\n\n[page](a.md#h) [web](https://example.com/x) [`gone`](b.md)\n")},
		"a.md":     {Data: []byte("# A\n\n## H\n")},
		"sub/a.md": {Data: []byte("# Below\n")},
		"x.txt":    {Data: []byte("no page")},
	})
	w := ask(s, http.MethodGet, "/docs/")
	_, main, _ := strings.Cut(w.Body.String(), "<main>")
	for _, no := range []string{"<script", "<b>", "<img", "javascript", "onerror", "secret.md", "sub/", "<!--",
		"b.md"} {
		require.NotContains(t, main, no)
	}
	for _, yes := range []string{"&lt;i&gt;", `<a href="a.html#h">page</a>`, `<a href="https://example.com/x">`,
		" up ", "<code>gone</code>"} {
		require.Contains(t, main, yes)
	}
	require.Equal(t, "default-src 'none'; style-src 'self'; img-src 'self' data:; "+
		"base-uri 'none'; form-action 'none'; "+
		"frame-ancestors 'none'", w.Header().Get("Content-Security-Policy"))
	for _, path := range []string{"/docs/x.txt", "/docs/x.html", "/docs/sub/a.html", "/docs/../a.html",
		"/docs/README.html", "/docs/none", "/docs/a.html/", "/docs/%2e%2e/a.html", "/docs/a.html.html"} {
		w := ask(s, http.MethodGet, path)
		require.Equal(t, http.StatusNotFound, w.Code, path)
	}
}

func TestRequests(t *testing.T) {
	s := newSite(t, fstest.MapFS{
		"README.md": {Data: []byte("# Index\n\n[A](a.md)\n")}, "a.md": {Data: []byte("# A\n")},
	})
	w := ask(s, http.MethodGet, "/docs/a.html")
	require.Equal(t, http.StatusOK, w.Code)
	tag := w.Header().Get("Etag")
	require.NotEmpty(t, tag)
	require.NotEqual(t, tag, ask(s, http.MethodGet, "/docs/").Header().Get("Etag"))
	again := ask(s, http.MethodGet, "/docs/a.html", "If-None-Match", tag)
	require.Equal(t, http.StatusNotModified, again.Code)
	require.Empty(t, again.Body.String())
	require.Equal(t, http.StatusOK, ask(s, http.MethodGet, "/docs/a.html", "If-None-Match", `"other"`).Code)

	head := ask(s, http.MethodHead, "/docs/a.html")
	require.Equal(t, http.StatusOK, head.Code)
	require.Empty(t, head.Body.String())
	require.Equal(t, w.Header().Get("Content-Length"), head.Header().Get("Content-Length"))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		w := ask(s, method, "/docs/a.html")
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	}
	for from, to := range map[string]string{"/docs/a": "a.html", "/docs/a.md": "a.html", "/docs/README.md": "./",
		"/docs/README": "./"} {
		w := ask(s, http.MethodGet, from)
		require.Equal(t, http.StatusFound, w.Code, from)
		require.Equal(t, to, w.Header().Get("Location"), from)
	}
	for path, index := range map[string]string{"/docs/none": "./", "/docs/none/b/c": "./../../"} {
		w := ask(s, http.MethodGet, path)
		require.Equal(t, http.StatusNotFound, w.Code)
		require.Contains(t, w.Body.String(), `<p>See the <a href="`+index+`">`)
		require.Contains(t, w.Body.String(), `<a href="`+index+`a.html">A</a>`)
		require.Empty(t, ask(s, http.MethodHead, path).Body.String())
	}
	css := ask(s, http.MethodGet, "/docs/style.css")
	require.Equal(t, "text/css; charset=utf-8", css.Header().Get("Content-Type"))
	require.NotRegexp(t, `@import|url\(|https?:`, css.Body.String())
	require.NotContains(t, layoutText, "http")
}
