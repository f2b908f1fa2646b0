package docsite

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// heading is a heading of a page, for the list of what is on it.
type heading struct {
	Level    int
	ID, Text string
}

// Link is a link of the navigation.
type Link struct {
	To   string // an address, seen from the site's
	Text string
}

// rendered is a page as HTML.
type rendered struct {
	title    string
	headings []heading // without the first, which is the title
	body     string
}

// newMarkdown returns a parser and renderer of what GitHub's Markdown and ours have in
// common. HTML in a page is dropped: it is comments for those who edit the page.
func newMarkdown() goldmark.Markdown {
	return goldmark.New(
		// A style attribute would be against the policy of the pages.
		goldmark.WithExtensions(extension.NewTable(
			extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(noHTML{}, 1))),
	)
}

// noHTML renders HTML as nothing.
type noHTML struct{}

func (noHTML) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	nothing := func(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
		return ast.WalkSkipChildren, nil
	}
	r.Register(ast.KindHTMLBlock, nothing)
	r.Register(ast.KindRawHTML, nothing)
}

// render makes HTML of a page.
func (s *Site) render(source []byte) (rendered, error) {
	doc := s.markdown.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext()))
	var out rendered
	used := map[string]int{}
	var outside []*ast.Link
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			h := heading{Level: n.Level, Text: plain(n, source)}
			h.ID = anchor(h.Text, used)
			n.SetAttributeString("id", []byte(h.ID))
			if out.title == "" {
				out.title = h.Text
			} else {
				out.headings = append(out.headings, h)
			}
		case *ast.Link:
			to, ok := s.target(string(n.Destination))
			if !ok {
				outside = append(outside, n)
			}
			n.Destination = []byte(to)
		case *ast.Image:
			if !s.isPicture(string(n.Destination)) {
				n.Destination = nil // the policy allows none from elsewhere
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return out, err
	}
	for _, l := range outside {
		unlink(l)
	}
	var b bytes.Buffer
	if err := s.markdown.Renderer().Render(&b, source, doc); err != nil {
		return out, fmt.Errorf("render: %w", err)
	}
	out.body = b.String()
	return out, nil
}

// target returns where a link of a page leads on the site. It reports false for a file of
// the source tree that is no page, which readers of the site have no way to.
func (s *Site) target(to string) (string, bool) {
	file, fragment, _ := strings.Cut(to, "#")
	if file == "" || strings.Contains(file, "://") {
		return to, true
	}
	if !s.has(file) {
		return to, false
	}
	to = address(file)
	if fragment != "" {
		to += "#" + fragment
	}
	return to, true
}

// has reports whether a file is a page.
func (s *Site) has(file string) bool { return s.isFile(file, ".md") }

func (s *Site) isPicture(file string) bool { return s.isFile(file, ".jpg") }

func (s *Site) isFile(file, ext string) bool {
	_, err := fs.Stat(s.Files, file)
	return err == nil && path.Dir(file) == "." && strings.HasSuffix(file, ext)
}

// address returns the address of a page below the site's.
func address(file string) string {
	if file == indexFile {
		return "./"
	}
	return strings.TrimSuffix(file, ".md") + ".html"
}

// unlink leaves of a link its text.
func unlink(l *ast.Link) {
	parent := l.Parent()
	for c := l.FirstChild(); c != nil; c = l.FirstChild() {
		parent.InsertBefore(parent, l, c)
	}
	parent.RemoveChild(parent, l)
}

// plain returns the text of a node without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				b.WriteByte(' ')
			}
			continue
		}
		b.WriteString(plain(c, source))
	}
	return b.String()
}

// anchor returns the name under which a heading is linked to: as on GitHub, so that one
// link leads to it in both places.
func anchor(heading string, used map[string]int) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
	n := used[id]
	used[id]++
	if n > 0 {
		id += "-" + strconv.Itoa(n)
	}
	return id
}

// links returns the files of the pages that a page links to, each once, and the texts of
// the links.
func (s *Site) links(source []byte) (out []Link) {
	doc := s.markdown.Parser().Parse(text.NewReader(source))
	seen := map[string]bool{}
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it returns what this returns
		l, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		file := string(l.Destination)
		if s.has(file) && !seen[file] {
			seen[file] = true
			out = append(out, Link{To: file, Text: plain(l, source)})
		}
		return ast.WalkContinue, nil
	})
	return out
}
