package docsite

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the layout and the style of the pages
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/yuin/goldmark"
)

const indexFile = "README.md"

// policy lets a page load the style and the pictures of this process and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed page.html
var layoutText string

//go:embed style.css
var style []byte

// Config is what a Site is made from.
type Config struct {
	Files  fs.FS  // the folder with the pages and their pictures (.jpg); README.md is the index
	Prefix string // of the addresses; it begins and ends with a slash, and is the index itself
	Name   string // title of the whole
	More   []Link // links that the navigation has after those to pages
}

// Site is an http.Handler of the pages of one folder, for any number of requests at once.
// What the index links to is the navigation of every page.
type Site struct {
	Config
	markdown goldmark.Markdown
	layout   *template.Template
}

// New returns a handler. A page that cannot be read is an error of its request.
func New(c Config) (*Site, error) {
	layout, err := template.New("page").Parse(layoutText)
	if err != nil {
		return nil, fmt.Errorf("layout of the pages: %w", err)
	}
	return &Site{Config: c, markdown: newMarkdown(), layout: layout}, nil
}

// ServeHTTP answers GET and HEAD.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "pages are only read: use GET", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, s.Prefix)
	switch base, ext := strings.TrimSuffix(name, path.Ext(name)), path.Ext(name); {
	case name == "style.css":
		serve(w, r, "text/css; charset=utf-8", style)
	case s.isPicture(name):
		b, _ := fs.ReadFile(s.Files, name) // it is there
		serve(w, r, "image/jpeg", b)
	case name == "":
		s.servePage(w, r, indexFile)
	case ext == ".html" && base+".md" != indexFile && s.has(base+".md"):
		s.servePage(w, r, base+".md")
	case (ext == "" || ext == ".md") && s.has(base+".md"): // as the file is called, or as people guess it
		h.Set("Location", address(base+".md"))
		w.WriteHeader(http.StatusFound)
	default:
		s.serveMissing(w, r, name)
	}
}

// page is what the layout shows.
type page struct {
	Name, Title string
	Index       string // address of the index
	Current     string // address of the page itself
	Missing     bool   // there is no such page
	All         []Link // the navigation
	Headings    []heading
	Body        template.HTML
}

func (s *Site) servePage(w http.ResponseWriter, r *http.Request, file string) {
	b, err := s.page(file)
	if err != nil {
		http.Error(w, "this page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	serve(w, r, "text/html; charset=utf-8", b)
}

// page returns a whole page.
func (s *Site) page(file string) ([]byte, error) {
	source, err := fs.ReadFile(s.Files, file)
	if err != nil {
		return nil, err
	}
	content, err := s.render(source)
	if err != nil {
		return nil, err
	}
	return s.layOut(page{
		Title: content.title, Headings: content.headings, Index: "./", Current: address(file),
		Body: template.HTML(content.body), //nolint:gosec // made by goldmark, without HTML of the page
	})
}

// navigation returns the links to all pages, in the order of the index.
func (s *Site) navigation() []Link {
	source, err := fs.ReadFile(s.Files, indexFile)
	if err != nil {
		return nil
	}
	all := s.links(source)
	for i := range all {
		all[i].To = address(all[i].To)
	}
	return append(all, s.More...)
}

func (s *Site) layOut(p page) ([]byte, error) {
	p.Name, p.All = s.Name, s.navigation()
	var b bytes.Buffer
	if err := s.layout.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("lay out: %w", err)
	}
	return b.Bytes(), nil
}

// serveMissing answers that there is no such page, with a link to those that there are.
func (s *Site) serveMissing(w http.ResponseWriter, r *http.Request, name string) {
	up := "./" + strings.Repeat("../", strings.Count(name, "/"))
	b, err := s.layOut(page{Title: "There is no such page", Index: up, Missing: true})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // a reader who has gone needs no answer
	}
}

// serve sends a page, or that it has not changed.
func serve(w http.ResponseWriter, r *http.Request, kind string, b []byte) {
	sum := sha256.Sum256(b)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Etag", `"`+hex.EncodeToString(sum[:12])+`"`)
	w.Header().Set("Cache-Control", "no-cache") // kept, and asked for again with its tag: a daemon may be upgraded
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}
