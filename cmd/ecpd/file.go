package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile is the size of the largest file of settings that is read, in bytes.
const maxFile = 1 << 20

// given is a setting as a file gives it.
type given struct {
	text string
	line int
}

// readSettings reads a file of settings strictly: each key must be known, appear once
// and have a value of its kind. It returns what is right, by key, and an error that
// says everything that is wrong, with the line of each.
func readSettings(name string) (map[string]given, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read settings: %w", err)
	case len(content) > maxFile:
		return nil, fmt.Errorf("%s is larger than 1 MiB; it is no file of settings", name)
	}
	root, err := parse(name, content)
	switch {
	case err != nil || root == nil:
		return nil, err
	case root.Kind != yaml.MappingNode:
		return nil, fmt.Errorf(`%s:%d: "key: value" lines are wanted; deploy/ecpd.yaml shows them`, name, root.Line)
	}
	r := &settingsReader{name: name, table: new(config).settings(), found: map[string]given{}, seen: map[string]int{}}
	r.section("", root)
	return r.found, errors.Join(r.wrong...)
}

// parse returns the root of the one document, and nil where the file is empty.
func parse(name string, content []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var document, more yaml.Node
	err := dec.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil {
		if err = dec.Decode(&more); err == nil {
			return nil, fmt.Errorf("%s:%d: a second document begins; one is wanted", name, more.Line)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, syntaxError(name, content, err)
	}
	if root := document.Content[0]; root.Tag != "!!null" {
		return root, nil
	}
	return nil, nil
}

var lineInError = regexp.MustCompile(`^yaml: line (\d+): `)

// syntaxError puts the line where compilers have it. The parser names none for the
// first line, and none for characters that no line may have.
func syntaxError(name string, content []byte, err error) error {
	if m := lineInError.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("%s:%s: %s", name, m[1], strings.TrimPrefix(err.Error(), m[0]))
	}
	odd := strings.IndexFunc(string(content), func(r rune) bool {
		return r == utf8.RuneError || r == 0x7f || r < ' ' && !strings.ContainsRune("\t\r\n", r)
	})
	line := 1 + bytes.Count(content[:max(odd, 0)], []byte("\n"))
	return fmt.Errorf("%s:%d: %s", name, line, strings.TrimPrefix(err.Error(), "yaml: "))
}

type settingsReader struct {
	name  string
	table []setting
	found map[string]given
	seen  map[string]int // line, by key
	wrong []error
}

func (r *settingsReader) bad(n *yaml.Node, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf("%s:%d: "+format, append([]any{r.name, n.Line}, args...)...))
}

// section reads the keys of a mapping.
func (r *settingsReader) section(prefix string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		path := prefix + key.Value
		if first, twice := r.seen[path]; twice {
			r.bad(key, "%s stands in line %d already", path, first)
			continue
		}
		r.seen[path] = key.Line
		s := slices.IndexFunc(r.table, func(s setting) bool { return s.key != "" && s.key == path })
		below := keysBelow(r.table, path+".")
		switch {
		case s >= 0:
			r.setting(r.table[s], val)
		case below == nil:
			r.bad(key, "the key %s is not known; %s", path, advice(r.table, prefix, path))
		case val.Kind == yaml.MappingNode:
			r.section(path+".", val)
		case val.Tag != "!!null": // a section whose keys are all commented out
			r.bad(val, "%s is a section; its keys are %s, each on a line of its own below it",
				path, strings.Join(below, ", "))
		}
	}
}

// setting reads one value.
func (r *settingsReader) setting(s setting, val *yaml.Node) {
	v := s.flag()
	kind, shown := kinds[v.Type()], s.shown(val.Value)
	quoted := val.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	switch {
	case val.Kind != yaml.ScalarNode:
		r.bad(val, "%s takes one value, no list, section or alias", s.key)
	case val.Tag == "!!null":
		r.bad(val, `%s has no value; give one, or leave the line out`, s.key)
	case val.Tag == kind.tag && v.Set(val.Value) == nil:
		r.found[s.key] = given{val.Value, val.Line}
	case v.Type() == "string":
		r.bad(val, "%s is %s, which YAML does not take as text; put it in quotes", s.key, shown)
	case quoted && val.Tag != kind.tag:
		r.bad(val, "%s is %s in quotes; %w, without them", s.key, shown, kind.wanted)
	default:
		r.bad(val, "%s is %s; %w", s.key, shown, kind.wanted)
	}
}

// keysBelow lists what may stand below a prefix, in the order of the table.
func keysBelow(table []setting, prefix string) (out []string) {
	for _, s := range table {
		rest, ok := strings.CutPrefix(s.key, prefix)
		key, _, _ := strings.Cut(rest, ".")
		if ok && key != "" && !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// advice says which key was meant, or which there are.
func advice(table []setting, prefix, path string) string {
	keys := keysBelow(table, "")
	for _, s := range table {
		keys = append(keys, s.key)
	}
	if meant := nearest(path, keys); meant != "" {
		return "did you mean " + meant + "?"
	}
	return "known here are " + strings.Join(keysBelow(table, prefix), ", ")
}
