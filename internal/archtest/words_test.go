package archtest

import (
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRetiredWords keeps words out that readers had to look up.
func TestRetiredWords(t *testing.T) {
	texts := sources(t)
	used := map[string]bool{} // "package word"
	for _, w := range retiredWords {
		for _, s := range texts {
			at := w.find(s)
			if at == nil || slices.Contains(strings.Split(w.but, ", "), s.path) {
				continue
			}
			if p := stillIn(w.word, s.dir); p != "" {
				used[p+" "+w.word] = true
				continue
			}
			t.Errorf("%s:%d: %q is a word of the past; write %s", s.path, at[0], w.word, w.use)
		}
	}
	for p, list := range stillUsed {
		for word := range strings.SplitSeq(list, ", ") {
			if !slices.ContainsFunc(retiredWords, func(w retiredWord) bool { return w.word == word }) {
				t.Errorf("%s: the row of %s has %q, which is none of the table's words", wordsFile, p, word)
			} else if !used[p+" "+word] {
				t.Errorf("%s: %s does not use %q any more; take it off the list", wordsFile, p, word)
			}
		}
	}
}

// stillIn gives the row of stillUsed that lets a package or page use a word; "" if
// there is none.
func stillIn(word, dir string) string {
	for p, list := range stillUsed {
		if matches(p, dir) && slices.Contains(strings.Split(list, ", "), word) {
			return p
		}
	}
	return ""
}

// TestRetiredWordsAreFound keeps the check honest.
func TestRetiredWordsAreFound(t *testing.T) {
	const src = `package x
// Licences are kept.
const a = 1 // a licence
type takesBack struct {
	TakeBack int
	takeBack string
}
func (s takesBack) deeds(deed int) {
	judge := "licence"
	var deeds struct{ quay int }
	_ = time.Judge
	for quay := range deeds {}
}

// f gives what f says.
func f() {}
// F says, and gives.
func F() {}
`
	s := goSource(&file{path: "x.go", ast: parse(t, src), fset: parsed})
	for _, c := range []struct {
		word retiredWord
		want []int
	}{
		{retiredWord{word: "licence", forms: "licences", prose: true}, []int{2, 3, 9}},
		{retiredWord{word: "licence"}, nil},
		{retiredWord{word: "take back"}, []int{5, 6}},
		{retiredWord{word: "back"}, []int{4, 5, 6}},
		{retiredWord{word: "back", whole: true}, nil},
		{retiredWord{word: "deed"}, []int{8}},
		{retiredWord{word: "deed", forms: "deeds", whole: true}, []int{8, 8, 10}},
		{retiredWord{word: "judge"}, []int{9}},
		{retiredWord{word: "quay"}, []int{10, 12}},
		{retiredWord{word: "x", whole: true}, []int{1}}, // the file's name
		{retiredWord{word: "gives", verb: true}, []int{15}},
	} {
		got := c.word.find(s)
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: found in lines %v, want %v", c.word.word, got, c.want)
		}
	}
}

// source is a text that people read: a Go file that is no test, or a page of
// documentation.
type source struct {
	path  string
	dir   string   // the package of a Go file; the path itself of a page
	names []phrase // that a Go file declares, and its own
	prose []phrase // comments and strings; the lines of a page
	verbs []phrase // the words after the name in the comments of functions
}

// phrase is a name or a piece of text as words in lower case.
type phrase struct {
	line  int
	words []string
}

// sources lists the texts of the tree but the changelog, which tells what was in
// the words of its time.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	for _, p := range packages(t) {
		for _, f := range p.files {
			if !f.test {
				out = append(out, goSource(f))
			}
		}
	}
	eachPage(t, func(name, text string) {
		s := source{path: name, dir: name}
		for i, line := range strings.Split(text, "\n") {
			s.prose = append(s.prose, phrase{i + 1, words(line)})
		}
		out = append(out, s)
	})
	return out
}

// eachPage calls fn for every page of documentation but the changelog.
func eachPage(t *testing.T, fn func(name, text string)) {
	t.Helper()
	tree := os.DirFS(root(t))
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() && (strings.HasPrefix(base, ".") && name != "." || base == "bin" || base == "node_modules" ||
			base == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(name) != ".md" || name == "CHANGELOG.md" {
			return nil
		}
		text, err := fs.ReadFile(tree, filepath.ToSlash(name))
		fn(name, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goSource reads the names that a file gives to something (types, functions,
// fields, parameters, variables), its comments and its strings. Tags of fields are
// names of the outside.
func goSource(f *file) source {
	s := source{path: f.path, dir: path.Dir(f.path)}
	s.names = append(s.names, phrase{1, words(strings.TrimSuffix(path.Base(f.path), ".go"))})
	at := func(n ast.Node) int { return f.fset.Position(n.Pos()).Line }
	name := func(ids ...*ast.Ident) {
		for _, id := range ids {
			s.names = append(s.names, phrase{at(id), words(id.Name)})
		}
	}
	assigned := func(list ...ast.Expr) {
		for _, e := range list {
			if id, ok := e.(*ast.Ident); ok {
				name(id)
			}
		}
	}
	for _, g := range f.ast.Comments {
		for _, c := range g.List {
			s.prose = append(s.prose, phrase{at(c), words(c.Text)})
		}
	}
	tags := map[*ast.BasicLit]bool{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			name(n.Name)
			if rest, ok := strings.CutPrefix(n.Doc.Text(), n.Name.Name+" "); ok {
				s.verbs = append(s.verbs, phrase{at(n.Doc), words(rest)})
			}
		case *ast.TypeSpec:
			name(n.Name)
		case *ast.ValueSpec:
			name(n.Names...)
		case *ast.Field:
			name(n.Names...)
			tags[n.Tag] = true
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				assigned(n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				assigned(n.Key, n.Value)
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING && !tags[n] {
				s.prose = append(s.prose, phrase{at(n), words(n.Value)})
			}
		}
		return true
	})
	return s
}

// find gives the lines of a text in which the word or a form of it stands.
func (w retiredWord) find(s source) (lines []int) {
	var forms [][]string
	for _, f := range append(strings.Split(w.forms, ","), w.word) {
		if f := strings.Fields(f); len(f) > 0 {
			forms = append(forms, f)
		}
	}
	phrases, stands := s.names, contains
	switch {
	case w.verb:
		phrases, stands = s.verbs, begins
	case w.whole:
		stands = slices.Equal
	case w.prose:
		phrases = slices.Concat(s.names, s.prose)
	}
	for _, p := range phrases {
		if slices.ContainsFunc(forms, func(form []string) bool { return stands(p.words, form) }) {
			lines = append(lines, p.line)
		}
	}
	return lines
}

func begins(text, phrase []string) bool {
	return len(text) >= len(phrase) && slices.Equal(text[:len(phrase)], phrase)
}

// contains reports whether the words of a phrase stand in a text, in order and
// next to each other.
func contains(text, phrase []string) bool {
	for i := 0; i+len(phrase) <= len(text); i++ {
		if slices.Equal(text[i:i+len(phrase)], phrase) {
			return true
		}
	}
	return false
}
