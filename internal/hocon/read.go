package hocon

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// ErrSyntax has no details, since the text may contain secrets.
var ErrSyntax = errors.New("it is not HOCON as EMQX writes it")

// Limits of what is read.
const (
	maxDepth = 64
	maxParts = 1 << 20 // number of all values
)

// reader reads HOCON as EMQX prints it: objects, lists, strings in one or three pairs
// of quotes, numbers and bare words. EMQX does not print includes, substitutions and other
// features of the language.
type reader struct {
	text  string
	at    int
	parts int
}

// Read returns the tree of a text. It consists of map[string]any, []any, string, bool
// and json.Number.
func Read(text string) (map[string]any, error) {
	r := reader{text: text}
	out, err := r.fields(0)
	if err != nil {
		return nil, err
	}
	if r.at < len(r.text) {
		return nil, ErrSyntax
	}
	return out, nil
}

// skip skips white space, commas and comments.
func (r *reader) skip() {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case strings.IndexByte(" \t\r\n,", c) >= 0:
			r.at++
		case c == '#' || strings.HasPrefix(r.text[r.at:], "//"):
			if end := strings.IndexByte(r.text[r.at:], '\n'); end >= 0 {
				r.at += end
			} else {
				r.at = len(r.text)
			}
		default:
			return
		}
	}
}

func (r *reader) next() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// fields reads the fields of an object up to its end, or to the end of the text.
func (r *reader) fields(depth int) (map[string]any, error) {
	out := map[string]any{}
	for {
		r.skip()
		if c := r.next(); c == '}' || r.at >= len(r.text) {
			return out, nil
		}
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		r.skip()
		if c := r.next(); c == '=' || c == ':' {
			r.at++
		} else if c != '{' {
			return nil, ErrSyntax
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out[key] = value
	}
}

func (r *reader) key() (string, error) {
	if r.next() == '"' {
		return r.quoted()
	}
	word := r.word("={:")
	if word == "" {
		return "", ErrSyntax
	}
	return word, nil
}

func (r *reader) value(depth int) (any, error) {
	r.skip()
	if r.parts++; depth > maxDepth || r.parts > maxParts {
		return nil, ErrSyntax
	}
	switch r.next() {
	case '{':
		r.at++
		out, err := r.fields(depth)
		return out, r.closed('}', err)
	case '[':
		r.at++
		return r.list(depth)
	case '"':
		return r.quoted()
	}
	word := r.word(",]}{[\"=")
	switch {
	case word == "":
		return nil, ErrSyntax
	case word == "true", word == "false":
		return word == "true", nil
	case word == "null":
		return nil, nil //nolint:nilnil // HOCON has a null
	case plainNumber.MatchString(word):
		return json.Number(word), nil
	}
	return word, nil
}

// plainNumber matches numbers that are also valid in JSON.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$`)

func (r *reader) closed(end byte, err error) error {
	if err == nil && r.next() != end {
		return ErrSyntax
	}
	r.at++
	return err
}

func (r *reader) list(depth int) (any, error) {
	out := []any{}
	for {
		r.skip()
		if r.next() == ']' {
			r.at++
			return out, nil
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// word reads bare text up to the end of the line or to one of the characters.
func (r *reader) word(until string) string {
	rest := r.text[r.at:]
	if end := strings.IndexAny(rest, "\n"+until); end >= 0 {
		rest = rest[:end]
	}
	r.at += len(rest)
	return strings.TrimSpace(rest)
}

// escapes are all escapes of EMQX's HOCON.
var escapes = map[byte]string{'"': `"`, '\\': `\`, 'n': "\n", 'r': "\r", 't': "\t", 'b': "\b", 'f': "\f", '/': "/"}

// quoted reads a quoted string.
func (r *reader) quoted() (string, error) {
	if strings.HasPrefix(r.text[r.at:], `"""`) {
		return r.threeQuotes()
	}
	var b strings.Builder
	for i := r.at + 1; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"':
			r.at = i + 1
			return b.String(), nil
		case c == '\\' && i+1 < len(r.text) && escapes[r.text[i+1]] != "":
			i++
			b.WriteString(escapes[r.text[i]])
		default:
			b.WriteByte(c)
		}
	}
	return "", ErrSyntax
}

// threeQuotes reads a string of several lines. If it begins with a tilde, its lines are
// indented like the lines around it.
func (r *reader) threeQuotes() (string, error) {
	text, _, found := strings.Cut(r.text[r.at+3:], `"""`)
	if !found {
		return "", ErrSyntax
	}
	r.at += len(text) + 6
	lines, indented := strings.CutPrefix(text, "~\n")
	if !indented {
		return text, nil
	}
	lines = strings.TrimSuffix(strings.TrimRight(lines, " \t"), "~")
	all := strings.Split(lines, "\n")
	indent := len(all[0]) - len(strings.TrimLeft(all[0], " "))
	for i, line := range all {
		all[i] = line[min(indent, len(line)-len(strings.TrimLeft(line, " "))):]
	}
	return strings.TrimSuffix(strings.Join(all, "\n"), "\n"), nil
}
