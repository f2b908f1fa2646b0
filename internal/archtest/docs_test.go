package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		want := "Package " + p.name + " "
		if p.isMain() {
			want = "Command "
		}
		if !slices.ContainsFunc(p.files,
			func(f *file) bool { return f.ast.Doc != nil && strings.HasPrefix(f.ast.Doc.Text(), want) }) &&
			slices.ContainsFunc(p.files, func(f *file) bool { return !f.test }) {
			t.Errorf("%s: no package comment; write one that begins with %q and states what the package promises",
				p.path, want)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, p := range packages(t) {
		if p.isMain() || p.isInternal() {
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, n := range undocumented(f.ast) {
				t.Errorf("%s: %s %s; say what a user cannot see from the name: units, ownership, errors, limits",
					f.at(n.node), n.name, n.what)
			}
		}
	}
}

// TestDocChecksFindBreaches keeps the checks honest.
func TestDocChecksFindBreaches(t *testing.T) {
	const src = `package x
// Good waits for the far side.
func Good() {}
func Bare() {}
// Named is Named.
type Named struct{}
// StoreOf returns the store of.
func (Named) StoreOf() {}
func (Named) Error() string { return "" }
func (hidden) Bare() {}
type hidden struct{}
// The limits, in bytes.
const (
	A = 1
	B = 2
)
const (
	C = 1 // in bytes
	D = 2
)
type I interface {
	// M may be called from any goroutine.
	M()
	N()
}
`
	want := []string{"Bare", "Named", "Named.StoreOf", "D", "I", "I.N"}
	var got []string
	for _, n := range undocumented(parse(t, src)) {
		got = append(got, n.name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("undocumented names: got %v, want %v", got, want)
	}
}

// finding is a place in a file that breaks a rule.
type finding struct {
	node ast.Node
	name string
	what string
}

// undocumented gives the exported names of a file that lack a comment of
// their own or of their group.
func undocumented(a *ast.File) []finding {
	var out []finding
	check := func(node ast.Node, name string, docs ...*ast.CommentGroup) {
		if what := judgeDoc(name, docs); what != "" {
			out = append(out, finding{node, name, what})
		}
	}
	for _, d := range a.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if name := exportedFunc(d); name != "" {
				check(d.Name, name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				checkSpec(s, d, check)
			}
		}
	}
	return out
}

// checkSpec looks at the names of one type, const or var. A comment above a
// group counts for the consts and vars in it, not for types.
func checkSpec(s ast.Spec, group *ast.GenDecl, check func(ast.Node, string, ...*ast.CommentGroup)) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		docs := []*ast.CommentGroup{s.Doc, s.Comment}
		if !group.Lparen.IsValid() {
			docs = append(docs, group.Doc)
		}
		check(s.Name, s.Name.Name, docs...)
		checkMethods(s, check)
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() && (group.Tok == token.CONST || group.Tok == token.VAR) {
				check(n, n.Name, group.Doc, s.Doc, s.Comment)
			}
		}
	}
}

// checkMethods looks at the methods of an interface: they are what
// implementers read. An interface of one method may say it in its own comment.
func checkMethods(s *ast.TypeSpec, check func(ast.Node, string, ...*ast.CommentGroup)) {
	i, ok := s.Type.(*ast.InterfaceType)
	if !ok || len(i.Methods.List) < 2 {
		return
	}
	for _, m := range i.Methods.List {
		for _, n := range m.Names {
			if n.IsExported() && !wellKnown[n.Name] {
				check(n, s.Name.Name+"."+n.Name, m.Doc, m.Comment)
			}
		}
	}
}

// exportedFunc gives the name of an exported function, or Type.Name of an
// exported method of an exported type; "" for others and for the methods
// whose meaning the standard library defines.
func exportedFunc(d *ast.FuncDecl) string {
	if !d.Name.IsExported() {
		return ""
	}
	if d.Recv == nil {
		return d.Name.Name
	}
	recv := receiver(d.Recv.List[0].Type)
	if !ast.IsExported(recv) || wellKnown[d.Name.Name] {
		return ""
	}
	return recv + "." + d.Name.Name
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// wellKnown are methods that mean the same on every type.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "As": true, "String": true, "GoString": true, "LogValue": true,
	"Len": true, "Less": true, "Swap": true, "Read": true, "Write": true, "ServeHTTP": true, "RoundTrip": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true,
}

// judgeDoc gives what is wrong with the comments of a name; "" if nothing.
func judgeDoc(name string, docs []*ast.CommentGroup) string {
	var text string
	for _, d := range docs {
		text += " " + d.Text()
	}
	if strings.TrimSpace(text) == "" {
		return "has no comment"
	}
	known := map[string]bool{}
	for _, w := range words(name) {
		known[w] = true
	}
	for _, w := range words(text) {
		if !known[w] && !empty[w] {
			return ""
		}
	}
	return "has a comment that only repeats the name"
}

// empty are words that say nothing about a name.
var empty = wordSet(`a an the of for to and or in on is are be this that it its s
	new return returns give gives get gets set sets make makes create creates represents type struct interface func function method`)

func wordSet(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// words splits text and names such as "MaxNodes" or "HTTPClient" into words in
// lower case.
func words(text string) []string {
	var out []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
		}
		word = nil
	}
	runes := []rune(text)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			end()
			continue
		}
		if i > 0 && unicode.IsUpper(r) {
			before, after := runes[i-1], i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if unicode.IsLower(before) || unicode.IsUpper(before) && after {
				end()
			}
		}
		word = append(word, r)
	}
	end()
	return out
}
