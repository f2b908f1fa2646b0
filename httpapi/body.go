package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/openecp/openecp/ecp"
)

// Bounds of what is said about one body, so that a bad one does not have a
// long answer.
const (
	maxFindings = 20
	maxPointer  = 256
	maxDetail   = 600
)

// decode reads a body into a pointer to a struct. Where encoding/json looks
// away (unknown fields, fields twice, fields in another case, invalid UTF-8),
// it does not, and it names everything of a wrong type at once. What the
// values mean is checked by the domain.
func decode(body []byte, into any) *problemView { return decodeWith(body, into, walker{}) }

func decodeWith(body []byte, into any, w walker) *problemView {
	if !utf8.Valid(body) {
		return malformed("the body is not valid UTF-8")
	}
	if err := json.Unmarshal(body, new(json.RawMessage)); err != nil {
		return malformed(syntax(err, len(body)))
	}
	w.dec = json.NewDecoder(bytes.NewReader(body))
	w.dec.UseNumber()
	w.value(reflect.TypeOf(into).Elem(), "")
	if len(w.found) > 0 {
		return newProblem(ecp.CodeInvalid, "the body does not have the documented form", w.found...)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return newProblem(ecp.CodeInvalid, "the body does not have the documented form")
	}
	return nil
}

// decodeAs reads a body into a T.
func decodeAs[T any](body []byte) (T, error) {
	var v T
	if p := decode(body, &v); p != nil {
		return v, p
	}
	return v, nil
}

// decodePatch reads a merge patch into a struct of pointers: what is left out
// stays nil, and null, which takes a value back, is the zero value where there can
// be none.
func decodePatch[T any](body []byte) (T, error) {
	v, err := decodeAs[T](body)
	if err != nil {
		return v, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return v, malformed("the body is not a JSON object")
	}
	s := reflect.ValueOf(&v).Elem()
	if p := keepsValues(s.Type(), func(field string) bool { return string(raw[field]) == "null" }); p != nil {
		return v, p
	}
	for i, f := range fieldsOf(s.Type()) {
		if string(raw[f.name]) == "null" {
			s.Field(i).Set(reflect.New(f.t.Elem()))
		}
	}
	return v, nil
}

// keepsValues refuses null for numbers and booleans. They always have a value, and
// the one that null would leave is rarely meant: a limit that is gone, a user who
// may log in again.
func keepsValues(t reflect.Type, null func(field string) bool) *problemView {
	var found []fieldView
	for _, f := range fieldsOf(t) {
		if none := noneOf(f.t); none != "" && null(f.name) {
			found = append(found, fieldView{"/" + f.name, "is null; leave it out to keep what is there, or give " + none})
		}
	}
	if found == nil {
		return nil
	}
	return newProblem(ecp.CodeInvalid, "what has to have a value would have none", found...)
}

// noneOf is the value that a number or a boolean has in place of none; "" for other
// types.
func noneOf(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Bool:
		return "false"
	case t.ConvertibleTo(reflect.TypeFor[int]()) && t.Kind() != reflect.String:
		return "0"
	}
	return ""
}

func malformed(detail string) *problemView {
	return newProblem(ecp.CodeInvalid, detail, fieldView{Detail: detail}).as(http.StatusBadRequest)
}

func syntax(err error, length int) string {
	var e *json.SyntaxError
	if !errors.As(err, &e) {
		return "the body is not JSON"
	}
	if e.Offset >= int64(length) && strings.Contains(e.Error(), "unexpected end") {
		return fmt.Sprintf("the body ends within its JSON, after byte %d", length)
	}
	return fmt.Sprintf("the body is not JSON at byte %d: %s", e.Offset, e.Error())
}

// walker compares the tokens of syntactically correct JSON with a Go type.
type walker struct {
	dec     *json.Decoder
	found   []fieldView
	lenient bool // nothing has to be there: a patch
}

func (w *walker) add(at, format string, args ...any) {
	if len(w.found) == maxFindings {
		return
	}
	w.found = append(w.found, fieldView{Pointer: shorten(at, maxPointer), Detail: fmt.Sprintf(format, args...)})
}

// token gives the next token; there is one, since the syntax was checked.
func (w *walker) token() json.Token {
	t, _ := w.dec.Token()
	return t
}

// value reads one value that should fit t; nil fits everything. It says
// whether there is nothing in the value: null or an empty text.
func (w *walker) value(t reflect.Type, at string) (nothing bool) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && t.Kind() == reflect.Interface {
		t = nil
	}
	switch v := w.token().(type) {
	case json.Delim:
		if v == '{' {
			w.object(t, at)
		} else {
			w.array(t, at)
		}
	case string:
		if t == reflect.TypeFor[time.Time]() {
			w.time(at, v)
			return false
		}
		w.scalar(t, at, "a string", t != nil && t.Kind() == reflect.String)
		return v == ""
	case bool:
		w.scalar(t, at, "a boolean", t != nil && t.Kind() == reflect.Bool)
	case json.Number:
		w.number(t, at, v.String())
	case nil: // as if it were not given
		w.scalar(t, at, "null", at != "")
		return true
	}
	return false
}

func (w *walker) scalar(t reflect.Type, at, is string, fits bool) {
	if t != nil && !fits {
		w.add(at, "is %s; %s is wanted", is, wanted(t))
	}
}

func (w *walker) time(at, v string) {
	if _, err := time.Parse(time.RFC3339, v); err != nil {
		w.add(at, "is not a time such as 2026-01-02T03:04:05Z")
	}
}

func (w *walker) number(t reflect.Type, at, v string) {
	if t == nil {
		return
	}
	if !t.ConvertibleTo(reflect.TypeFor[int]()) || t.Kind() == reflect.String {
		w.add(at, "is a number; %s is wanted", wanted(t))
		return
	}
	if _, err := strconv.ParseInt(v, 10, t.Bits()); err != nil {
		w.add(at, "is %.40s; a whole number is wanted that is not too large", v)
	}
}

func (w *walker) object(t reflect.Type, at string) {
	var fields []field
	var each reflect.Type
	switch {
	case t == nil:
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
		fields = fieldsOf(t)
	case t.Kind() == reflect.Map:
		each = t.Elem()
	default:
		w.add(at, "is an object; %s is wanted", wanted(t))
		t = nil
	}
	seen, given := map[string]bool{}, map[string]bool{}
	for w.dec.More() {
		key, _ := w.token().(string)
		below := at + "/" + escapePointer(key)
		if seen[key] {
			w.add(below, "stands twice")
		}
		seen[key] = true
		inner := each
		if t != nil && t.Kind() == reflect.Struct {
			i := slices.IndexFunc(fields, func(f field) bool { return f.name == key })
			if i < 0 {
				w.add(below, "is not known%s", known(fields))
			} else {
				inner = fields[i].t
			}
		}
		given[key] = !w.value(inner, below)
	}
	w.token()
	for _, f := range fields {
		if f.required && !w.lenient && !given[f.name] {
			w.add(at+"/"+f.name, "is missing or empty; %s is wanted", wanted(f.t))
		}
	}
}

func (w *walker) array(t reflect.Type, at string) {
	var each reflect.Type
	switch {
	case t == nil:
	case t.Kind() == reflect.Slice:
		each = t.Elem()
	default:
		w.add(at, "is an array; %s is wanted", wanted(t))
	}
	for i := 0; w.dec.More(); i++ {
		w.value(each, at+"/"+strconv.Itoa(i))
	}
	w.token()
}

type field struct {
	name     string
	t        reflect.Type
	required bool
}

// fieldsOf lists the fields of a struct under their JSON names.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out = append(out, field{name, f.Type, f.Tag.Get("required") == "true"})
		}
	}
	return out
}

func known(fields []field) string {
	if len(fields) == 0 {
		return "; no field is"
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return "; known are " + strings.Join(names, ", ")
}

// wanted names a type as JSON does.
func wanted(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[time.Time]() {
		return "a time such as 2026-01-02T03:04:05Z"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "a whole number"
	}
}
