package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
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

// mergePatchType is the media type of a merge patch (RFC 7396).
const mergePatchType = "application/merge-patch+json"

// body is the JSON of a request, parsed once. Its zero value is that of a route
// which takes no body.
type body struct {
	root  any         // map[string]any, []any, string, bool, json.Number or nil
	twice []fieldView // fields that were given twice
}

// readBody reads and parses the body of a request that may have one, bounded in
// size and time.
func (rt *route) readBody(w http.ResponseWriter, r *http.Request) (body, *problemView) {
	if !rt.mayHaveBody() {
		return body{}, nil
	}
	if r.ContentLength > MaxBody {
		return body{}, tooLarge()
	}
	control := http.NewResponseController(w)
	// Not every writer can set a deadline; the server has a limit of its own then.
	_ = control.SetReadDeadline(time.Now().Add(requestTimeout))
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return body{}, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return body{}, newProblem(ecp.CodeInvalid, "the body did not arrive in time").
			as(http.StatusRequestTimeout).with("Connection", "close")
	case err != nil:
		return body{}, malformed("the body could not be read to its end")
	case len(raw) == 0 && rt.body != nil:
		return body{}, malformed("the body is missing; a JSON object is wanted")
	case len(raw) == 0:
		return body{}, nil
	case !rt.takesMedia(r.Header.Get("Content-Type")):
		return body{},
			newProblem(ecp.CodeInvalid, `the body has to be JSON; send the header "Content-Type: application/json"`,
				fieldView{"/header/Content-Type", "is not application/json"}).
				as(http.StatusUnsupportedMediaType).with("Accept", "application/json")
	}
	b, p := parse(raw)
	if p == nil && rt.body == nil {
		p = b.fill(&struct{}{}, false)
	}
	return b, p
}

func (rt *route) takesMedia(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == "application/json" || t == mergePatchType && rt.Method == http.MethodPatch)
}

func tooLarge() *problemView {
	return newProblem(ecp.CodeInvalid, "the body is too large; 1 MiB is allowed").
		as(http.StatusRequestEntityTooLarge).with("Connection", "close")
}

func malformed(detail string) *problemView {
	return newProblem(ecp.CodeInvalid, detail, fieldView{Detail: detail}).as(http.StatusBadRequest)
}

// parse reads JSON into a tree. Numbers stay as they are written, and fields that
// are given twice are noted: encoding/json would lose both.
func parse(raw []byte) (body, *problemView) {
	if !utf8.Valid(raw) {
		return body{}, malformed("the body is not valid UTF-8")
	}
	if err := json.Unmarshal(raw, new(json.RawMessage)); err != nil { // the syntax, and how deep it is
		return body{}, malformed(syntax(err, len(raw)))
	}
	var b body
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	b.root = b.value(d, "")
	return b, nil
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

// value reads the next value, which stands at a pointer. Tokens have no errors
// here, since the syntax was checked.
func (b *body) value(d *json.Decoder, at string) any {
	token, _ := d.Token()
	switch token {
	case json.Delim('['):
		out := []any{}
		for d.More() {
			out = append(out, b.value(d, at+"/"+strconv.Itoa(len(out))))
		}
		_, _ = d.Token()
		return out
	case json.Delim('{'):
		out := map[string]any{}
		for d.More() {
			name, _ := d.Token()
			key, _ := name.(string)
			below := at + "/" + escapePointer(key)
			if _, given := out[key]; given && len(b.twice) < maxFindings {
				b.twice = append(b.twice, fieldView{shorten(below, maxPointer), "stands twice"})
			}
			out[key] = b.value(d, below)
		}
		_, _ = d.Token()
		return out
	}
	return token
}

// field returns what the body gives for a field of its own.
func (b body) field(name string) (v any, given bool) {
	object, _ := b.root.(map[string]any)
	v, given = object[name]
	return v, given
}

// secret returns the secret that a patch gives; nil means that the secret stays.
func (b body) secret(name string) *ecp.Secret {
	v, given := b.field(name)
	if !given {
		return nil
	}
	text, _ := v.(string)
	secret := ecp.Secret(text)
	return &secret
}

// decode returns the body as a T, a struct that has the documented form.
func decode[T any](b body) (T, error) {
	var v T
	if p := b.fill(&v, false); p != nil {
		return v, p
	}
	return v, nil
}

// decodePatch returns a merge patch as a struct of pointers: what is left out stays
// nil, and null, which takes a value back, is a pointer to the zero value.
func decodePatch[T any](b body) (T, error) {
	var v T
	if p := b.fill(&v, true); p != nil {
		return v, p
	}
	return v, nil
}

// fill writes the body into the struct that a pointer leads to. As a patch it
// changes only what is given (RFC 7396). What does not have the documented form is
// told all at once; what the values mean is checked by the domain.
func (b body) fill(into any, patch bool) *problemView {
	f := filler{patch: patch, found: slices.Clip(b.twice)}
	f.value(reflect.ValueOf(into).Elem(), b.root, "")
	if len(f.found) == 0 {
		return nil
	}
	return newProblem(ecp.CodeInvalid, "the body does not have the documented form", f.found...)
}

// filler writes parsed JSON into Go values and notes what does not fit.
type filler struct {
	patch bool
	found []fieldView
}

func (f *filler) add(at, format string, args ...any) {
	if len(f.found) < maxFindings {
		f.found = append(f.found, fieldView{shorten(at, maxPointer), fmt.Sprintf(format, args...)})
	}
}

var timeType = reflect.TypeFor[time.Time]()

// value writes what stands at a pointer into v.
func (f *filler) value(v reflect.Value, tree any, at string) {
	if v.Kind() == reflect.Pointer && (tree != nil || f.patch) {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	fits := false
	switch t := tree.(type) {
	case nil: // as if it were not given
		v.SetZero()
		fits = at != ""
	case string:
		if fits = v.Kind() == reflect.String; fits {
			v.SetString(t)
		} else if fits = v.Type() == timeType; fits {
			f.time(v, t, at)
		}
	case bool:
		if fits = v.Kind() == reflect.Bool; fits {
			v.SetBool(t)
		}
	case json.Number:
		if fits = v.CanInt(); fits {
			f.number(v, t.String(), at)
		}
	case []any:
		if fits = v.Kind() == reflect.Slice; fits {
			v.Set(reflect.MakeSlice(v.Type(), len(t), len(t)))
			for i, item := range t {
				f.value(v.Index(i), item, at+"/"+strconv.Itoa(i))
			}
		}
	case map[string]any:
		if fits = v.Kind() == reflect.Struct && v.Type() != timeType; fits {
			f.object(v, t, at)
		} else if fits = v.Kind() == reflect.Map; fits {
			f.entries(v, t, at)
		}
	}
	if !fits && v.Kind() != reflect.Interface {
		f.add(at, "is %s; %s is wanted", kindOf(tree), wanted(v.Type()))
	}
}

func (f *filler) time(v reflect.Value, text, at string) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		f.add(at, "is not a time such as 2026-01-02T03:04:05Z")
	}
	v.Set(reflect.ValueOf(t))
}

func (f *filler) number(v reflect.Value, text, at string) {
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err != nil {
		f.add(at, "is %.40s; a whole number is wanted that is not too large", text)
	}
	v.SetInt(n)
}

// object writes the fields of a struct. A patch keeps those that it leaves out.
func (f *filler) object(v reflect.Value, tree map[string]any, at string) {
	var names []string
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		names = append(names, name)
		value, given := tree[name]
		switch none := noneOf(field.Type); {
		case f.patch && at == "" && given && value == nil && none != "":
			f.add("/"+name, "is null; leave it out to keep what is there, or give %s", none)
		case given:
			f.value(v.Field(i), value, at+"/"+name)
		}
		if field.Tag.Get("required") == "true" && !f.patch && (value == nil || value == "") {
			f.add(at+"/"+name, "is missing or empty; %s is wanted", wanted(field.Type))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if !slices.Contains(names, name) {
			f.add(at+"/"+escapePointer(name), "is not known; %s", known(names))
		}
	}
}

// entries writes a map. A patch keeps what it leaves out, and null takes away.
func (f *filler) entries(v reflect.Value, tree map[string]any, at string) {
	out := reflect.MakeMap(v.Type())
	if f.patch {
		for key, old := range v.Seq2() {
			out.SetMapIndex(key, old)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		each := reflect.New(v.Type().Elem()).Elem()
		f.value(each, tree[name], at+"/"+escapePointer(name))
		if f.patch && tree[name] == nil {
			each = reflect.Value{} // deletes
		}
		out.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), each)
	}
	v.Set(out)
}

func known(names []string) string {
	if len(names) == 0 {
		return "no field is"
	}
	return "known are " + strings.Join(names, ", ")
}

// noneOf is the value that a number or a boolean has in place of none, which null
// must not stand for: a limit that is gone, or a user who may log in again, is
// rarely meant. It is empty for other types.
func noneOf(t reflect.Type) string {
	switch wanted(t) {
	case "a boolean":
		return "false"
	case "a whole number":
		return "0"
	}
	return ""
}

// kindOf names the type of a parsed value as JSON does.
func kindOf(tree any) string {
	switch tree.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

// wanted names a Go type as JSON does.
func wanted(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == timeType {
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
