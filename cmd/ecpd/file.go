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

// readSettings reads a file of settings strictly: every key has to be known, to
// stand once and to have a value of its kind. It gives what is right, by key,
// and everything that is wrong, each with its line.
func readSettings(name string) (map[string]given, error) {
	content, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	root, err := parse(name, content)
	if err != nil || root == nil {
		return nil, err
	}
	r := &settingsReader{name: name, found: map[string]given{}, seen: map[string]int{}}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf(`%s:%d: "key: value" lines are wanted; deploy/ecpd.yaml shows them`, name, root.Line)
	}
	r.section("", root)
	return r.found, errors.Join(r.wrong...)
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB; it is no file of settings", name)
	}
	return content, nil
}

// parse gives the root of the one document; nil where the file is empty.
func parse(name string, content []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var document, more yaml.Node
	switch err := dec.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntaxError(name, content, err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, syntaxError(name, content, err)
		}
		return nil, fmt.Errorf("%s:%d: a second document begins; one is wanted", name, more.Line)
	}
	root := document.Content[0]
	if root.Tag == "!!null" {
		return nil, nil
	}
	return root, nil
}

var lineInError = regexp.MustCompile(`^yaml: line (\d+): `)

// syntaxError puts the line where compilers have it. The parser names none for
// the first line, and none for characters that no line may have.
func syntaxError(name string, content []byte, err error) error {
	if m := lineInError.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("%s:%s: %s", name, m[1], strings.TrimPrefix(err.Error(), m[0]))
	}
	return fmt.Errorf("%s:%d: %s", name, oddLine(content), strings.TrimPrefix(err.Error(), "yaml: "))
}

// oddLine is the line of the first character that YAML does not have; 1 if all
// are fine.
func oddLine(content []byte) int {
	line := 1
	for _, r := range string(content) {
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError, r == 0x7f, r < ' ' && r != '\t' && r != '\r':
			return line
		}
	}
	return 1
}

type settingsReader struct {
	name  string
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
		o := slices.IndexFunc(options, func(o option) bool { return o.key != "" && o.key == path })
		switch {
		case o >= 0:
			r.setting(options[o], val)
		case !isSection(path):
			r.bad(key, "the key %s is not known; %s", path, advice(prefix, path))
		case val.Kind == yaml.MappingNode:
			r.section(path+".", val)
		case val.Tag != "!!null": // a section whose keys are all commented out
			r.bad(val, "%s is a section; its keys are %s, each on a line of its own below it", path, keysOf(path+"."))
		}
	}
}

// setting reads one value.
func (r *settingsReader) setting(o option, val *yaml.Node) {
	v := o.field(new(config))
	_, isText := v.(*text)
	switch {
	case val.Kind == yaml.ScalarNode && val.Tag == "!!null":
		r.bad(val, `%s has no value; give one, or leave the line out`, o.key)
	case val.Kind == yaml.ScalarNode && val.Tag == v.tag():
		if err := v.Set(val.Value); err != nil {
			r.bad(val, "%s is %s; %w", o.key, o.shown(val.Value), err)
			return
		}
		r.found[o.key] = given{val.Value, val.Line}
	case val.Kind == yaml.ScalarNode && isText:
		r.bad(val, "%s is %s, which YAML does not take as text; put it in quotes", o.key, o.shown(val.Value))
	case val.Kind == yaml.ScalarNode && val.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		r.bad(val, "%s is %s in quotes; %w, without them", o.key, o.shown(val.Value), v.Set("?"))
	case val.Kind == yaml.ScalarNode:
		r.bad(val, "%s is %s; %w", o.key, o.shown(val.Value), v.Set("?"))
	default:
		r.bad(val, "%s takes one value, no list, section or alias", o.key)
	}
}

// shown is a value as errors repeat it.
func (o option) shown(value string) string {
	if o.hidden {
		return redacted
	}
	return fmt.Sprintf("%q", value)
}

func isSection(path string) bool {
	return slices.ContainsFunc(options, func(o option) bool { return strings.HasPrefix(o.key, path+".") })
}

// keysOf lists what may stand in a section.
func keysOf(prefix string) string {
	var out []string
	for _, o := range options {
		rest, ok := strings.CutPrefix(o.key, prefix)
		key, _, _ := strings.Cut(rest, ".")
		if ok && key != "" && !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return strings.Join(out, ", ")
}

// advice says which key was meant, or which there are.
func advice(prefix, path string) string {
	var keys []string
	for _, o := range options {
		if o.key != "" {
			keys = append(keys, o.key)
		}
		if section, _, ok := strings.Cut(o.key, "."); ok && !slices.Contains(keys, section) {
			keys = append(keys, section)
		}
	}
	if meant := nearest(path, keys); meant != "" {
		return "did you mean " + meant + "?"
	}
	return "known here are " + keysOf(prefix)
}
