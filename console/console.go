// Package console is the web console: pages that a browser loads, built from the sources
// beside this file into dist/ and part of the program. They use the JSON API of package
// httpapi at ../api/v1 as seen from the page, so a proxy may serve both below a prefix.
package console

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed all:dist
var built embed.FS

// Path is where the console is served.
const Path = "/console/"

// policy lets a page load what its own origin serves, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is one file of the console as it is sent.
type file struct {
	plain  []byte
	kind   string
	zipped func() []byte // nil where that saves nothing
}

// Handler serves the console below [Path] to everybody: it holds no secrets, and the API
// asks who somebody is. Scripts and styles have a hash in their names and may be kept for a
// year; the page itself is asked for each time.
func Handler() http.Handler {
	files := map[string]file{}
	_ = fs.WalkDir(built, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := built.ReadFile(name)
		files[strings.TrimPrefix(name, "dist/")] = newFile(name, b)
		return err
	}) // what is embedded can be read
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(w, r, files)
	})
}

func newFile(name string, b []byte) file {
	f := file{plain: b, kind: mime.TypeByExtension(path.Ext(name))}
	if strings.HasPrefix(f.kind, "text/") || strings.Contains(f.kind, "svg") {
		f.zipped = sync.OnceValue(func() []byte {
			var out bytes.Buffer
			z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // a level that there is
			_, _ = z.Write(b)                                       // memory takes all
			_ = z.Close()
			return out.Bytes()
		})
	}
	return f
}

func serve(w http.ResponseWriter, r *http.Request, files map[string]file) {
	name := strings.TrimPrefix(r.URL.Path, Path)
	if name == "" {
		name = "index.html"
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the console is read with GET", http.StatusMethodNotAllowed)
		return
	}
	f, ok := files[name]
	if !ok {
		http.Error(w, "the console has no such file; open "+Path, http.StatusNotFound)
		return
	}
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Type", f.kind)
	body := f.plain
	if f.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = f.zipped()
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}
