package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attempt is one request made from the document by breaking one thing.
type attempt struct {
	what    string
	method  string
	path    string // with its query
	header  map[string]string
	body    string
	pointer string // what the answer has to point at, or below
	refuse  bool   // the document forbids it; else it only must not be a fault
}

// Bad input made from the document, for every operation of it: the answer is
// never a fault, what the document forbids is refused with a pointer to it,
// and what is refused has changed nothing.
func TestBadInput(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	places := f.seed()
	total := 0
	for _, pattern := range slices.Sorted(maps.Keys(f.api.routes)) {
		op := f.api.routes[pattern]
		t.Run(pattern, func(t *testing.T) {
			f.t = t
			attempts := f.attempts(op, places)
			total += len(attempts)
			require.NotEmpty(t, attempts)
			for _, a := range attempts {
				f.try(op, a)
			}
		})
	}
	t.Logf("%d requests to %d operations", total, len(f.api.routes))
}

// serve answers a request without a network.
func (f *fixture) serve(token, method, path, body string, header map[string]string) reply {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, strings.NewReader(body))
	if token != nobody {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	f.conforming(f.api).ServeHTTP(w, r)
	return reply{f.t, w.Code, w.Header(), w.Body.Bytes()}
}

// seed makes one of everything that can be made, from the samples of the
// document, and gives where each is, by the path of its list.
func (f *fixture) seed() map[string]string {
	f.t.Helper()
	places := map[string]string{}
	for _, pattern := range slices.Sorted(maps.Keys(f.api.routes)) {
		op := f.api.routes[pattern]
		if op.Method != http.MethodPost || !strings.HasPrefix(op.OperationID, "create") {
			continue
		}
		body := string(mustJSON(f.t, requestExamples[op.OperationID][0].body))
		got := f.serve(asSystem, op.Method, op.Path, body, nil)
		require.Less(f.t, got.status, 300, "%s: %s", pattern, got.body)
		require.NotEmpty(f.t, got.header.Get("Location"), pattern)
		places[op.Path] = got.header.Get("Location")
		if at := got.header.Get("Operation-Location"); at != "" {
			places[operationsPath] = at
		}
	}
	return places
}

// pathOf fills the parameters of a path: with the thing that was made, else
// with the document's examples.
func pathOf(op *route, places map[string]string) string {
	list, _, _ := strings.Cut(op.Path, "/{")
	path := op.Path
	if at, ok := places[list]; ok && list != op.Path {
		n := strings.Count(at, "/")
		parts := strings.Split(path, "/")
		path = strings.Join(append([]string{at}, parts[min(n+1, len(parts)):]...), "/")
	}
	for _, p := range op.Parameters {
		if p.In == "path" {
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(fmt.Sprint(p.Schema.Examples[0])), 1)
		}
	}
	return path
}

func (f *fixture) try(op *route, a attempt) {
	f.t.Helper()
	before := f.stored()
	got := f.serve(asSystem, a.method, a.path, a.body, a.header)
	what := fmt.Sprintf("%s: %s %s %.200s", a.what, a.method, a.path, a.body)
	assert.Less(f.t, got.status, http.StatusInternalServerError, "%s: %s", what, got.body)
	if got.status < http.StatusBadRequest {
		assert.False(f.t, a.refuse, "%s is taken: %d %s", what, got.status, got.body)
		return
	}
	f.unchanged(before, what)
	p := got.problem()
	assert.Less(f.t, len(got.body), 8<<10, what)
	if a.refuse && a.what != "path" {
		assert.Contains(f.t,
			[]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
				http.StatusUnprocessableEntity}, got.status, "%s: %s", what, got.body)
	}
	if a.refuse && a.pointer != "" && p.Code != ecp.CodeUnsupported { // else whatever is sent, it cannot be done
		assert.Truef(f.t, slices.ContainsFunc(p.Errors, func(e fieldView) bool {
			return e.Pointer == a.pointer || strings.HasPrefix(e.Pointer, a.pointer+"/")
		}), "%s: %s does not point at %s", what, got.body, a.pointer)
	}
}

// attempts breaks a request to an operation in every way the document tells of.
func (f *fixture) attempts(op *route, places map[string]string) []attempt {
	path := pathOf(op, places)
	if op.passthrough { // queries and bodies are the broker's own
		good := attempt{method: op.Method, path: path}
		return append(slices.DeleteFunc(brokenQueries(op, good),
			func(a attempt) bool { return a.what == "unknown parameter" }), brokenPaths(op, good)...)
	}
	good := attempt{method: op.Method, path: path}
	samples := requestExamples[op.OperationID]
	if len(samples) > 0 {
		good.body = string(mustJSON(f.t, samples[0].body))
	}
	out := slices.Concat(brokenQueries(op, good), brokenHeaders(op, good), brokenPaths(op, good),
		brokenBodies(op, good))
	if op.RequestBody != nil {
		for _, s := range samples {
			b := breaker{f: f, good: good}
			schema := b.resolved(op.RequestBody.Content["application/json"].Schema)
			if len(schema.OneOf) > 0 {
				schema = f.choice(schema, plain(f.t, s.body))
			}
			b.walk(schema, nil, plain(f.t, s.body))
			out = append(out, b.out...)
		}
	}
	if op.unbounded {
		out = slices.DeleteFunc(out, func(a attempt) bool { return !a.refuse }) // it would go on for ever
	}
	return out
}

// choice is the one of several schemas that a value fits.
func (f *fixture) choice(s *huma.Schema, v any) *huma.Schema {
	for _, one := range s.OneOf {
		if len(f.violations(one, v, huma.ModeWriteToServer)) == 0 {
			return one
		}
	}
	f.t.Fatalf("the sample fits none of the schemas: %v", v)
	return nil
}

func brokenQueries(op *route, good attempt) (out []attempt) {
	add := func(what, query, pointer string, refuse bool) {
		a := good
		a.what, a.pointer, a.refuse = what, pointer, refuse
		a.path += "?" + query
		out = append(out, a)
	}
	add("unknown parameter", "zz=1", "/query/zz", true)
	add("malformed query", "a=%zz", "/query", true)
	for _, p := range op.Parameters {
		if p.In != "query" {
			continue
		}
		at, name := "/query/"+p.Name, p.Name+"="
		add("parameter twice", name+"1&"+name+"1", at, true)
		for _, v := range brokenScalars(p.Schema) {
			add("parameter", name+url.QueryEscape(v), at, true)
		}
		add("long parameter", name+strings.Repeat("x", 6000), at, p.Schema.Type != huma.TypeString)
		add("strange parameter", name+"%00%ff%e2%80%ae", at, p.Schema.Type != huma.TypeString)
	}
	return out
}

// brokenScalars are texts that a parameter's schema forbids.
func brokenScalars(s *huma.Schema) []string {
	var out []string
	switch s.Type {
	case huma.TypeInteger:
		out = append(out, "", "x", "1.5", "1e2", "99999999999999999999", " 1")
		if s.Minimum != nil {
			out = append(out, fmt.Sprintf("%.0f", *s.Minimum-1))
		}
		if s.Maximum != nil {
			out = append(out, fmt.Sprintf("%.0f", *s.Maximum+1))
		}
	case huma.TypeBoolean:
		out = append(out, "", "yes", "2", "null")
	case huma.TypeString:
		if s.MaxLength != nil {
			out = append(out, strings.Repeat("x", *s.MaxLength+1))
		}
		out = append(out, strangers(s)...)
	}
	return out
}

// strangers are texts that the words or the form of a schema exclude.
func strangers(s *huma.Schema) []string {
	if len(s.Enum) == 0 && s.Pattern == "" {
		return nil
	}
	form := regexp.MustCompile(s.Pattern)
	return slices.DeleteFunc([]string{"?no such?", "\x00", "é", "a b", "x/y/z", " "}, func(v string) bool {
		return len(s.Enum) == 0 && form.MatchString(v)
	})
}

func brokenHeaders(op *route, good attempt) (out []attempt) {
	for _, p := range op.Parameters {
		if p.In != "header" {
			continue
		}
		for _, v := range brokenScalars(p.Schema) {
			a := good
			a.what, a.header, a.pointer, a.refuse = "header "+p.Name, map[string]string{p.Name: v}, "/header/"+p.Name,
				true
			out = append(out, a)
		}
	}
	return out
}

func brokenPaths(op *route, good attempt) (out []attempt) {
	base := op.Path
	for _, p := range op.Parameters {
		if p.In != "path" {
			continue
		}
		for _, v := range []string{"%00", "%ff", "x", "..%2f..%2fetc", strings.Repeat("y", 5000), "%E2%80%AE",
			"a%2fb", "*",
			"null", "-1", " "} {
			a := good
			a.what, a.refuse = "path", true
			a.path = strings.Replace(base, "{"+p.Name+"}", strings.ReplaceAll(v, " ", "%20"), 1)
			for _, other := range op.Parameters {
				a.path = strings.ReplaceAll(a.path, "{"+other.Name+"}", "x")
			}
			out = append(out, a)
		}
	}
	return out
}

func brokenBodies(op *route, good attempt) (out []attempt) {
	if op.Method == http.MethodGet {
		return nil
	}
	add := func(what, body, pointer string, refuse bool, header map[string]string) {
		a := good
		a.what, a.body, a.pointer, a.refuse, a.header = what, body, pointer, refuse, header
		out = append(out, a)
	}
	for _, body := range []string{`null`, `[]`, `7`, `"x"`, `true`, `{`, `{"a":}`, `{"zz":1}`, `{"zz":1,"zz":1}`,
		"{\"zz\":\"\xff\"}", `{}{}`, strings.Repeat("[", 20_000), strings.Repeat(" ", 100)} {
		add("whole body", body, "", true, nil)
	}
	large := `{"zz":"` + strings.Repeat("x", MaxBody) + `"}`
	add("large body", large, "", true, nil)
	some := good.body
	if some == "" {
		some = "{}"
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/xml",
		"application/json+x", ";", "\x7f"} {
		add("content type", some, "/header/Content-Type", true, map[string]string{"Content-Type": kind})
	}
	if op.RequestBody != nil {
		add("no body", "", "", true, nil)
	}
	return out
}

// breaker breaks a good body at one place after the other.
type breaker struct {
	f    *fixture
	good attempt
	root any
	out  []attempt
}

// walk breaks what stands at a path of a body.
func (b *breaker) walk(s *huma.Schema, path []string, v any) {
	if b.root == nil {
		b.root = v
	}
	if s.Ref != "" {
		s = b.f.api.schemas().SchemaFromRef(s.Ref)
	}
	if len(path) > 0 {
		b.scalars(s, path)
	}
	switch v := v.(type) {
	case map[string]any:
		b.object(s, path, v)
	case []any:
		for i, item := range v {
			b.walk(s.Items, append(slices.Clone(path), fmt.Sprint(i)), item)
		}
	}
}

func (b *breaker) object(s *huma.Schema, path []string, v map[string]any) {
	at := func(name string) []string { return append(slices.Clone(path), name) }
	if each, ok := s.AdditionalProperties.(*huma.Schema); ok {
		for name, inner := range v {
			b.walk(each, at(name), inner)
		}
		return
	}
	b.set("unknown field", at("zz"), 1, true)
	for _, name := range s.Required {
		b.unset(at(name))
	}
	for name, p := range s.Properties {
		if inner, ok := v[name]; ok {
			b.walk(p, at(name), inner)
		} else {
			b.scalars(b.resolved(p), at(name))
		}
		b.twice(path, name)
	}
}

func (b *breaker) resolved(s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		return b.f.api.schemas().SchemaFromRef(s.Ref)
	}
	return s
}

var kinds = map[string]any{
	huma.TypeString: "x", huma.TypeInteger: 7, huma.TypeNumber: 1.5, huma.TypeBoolean: true, huma.TypeArray: []any{},
	huma.TypeObject: map[string]any{},
}

// scalars puts values of other types, and beyond its bounds, in the place of one.
func (b *breaker) scalars(s *huma.Schema, path []string) {
	if s.Type == "" {
		return
	}
	for kind, v := range kinds {
		if kind != s.Type {
			b.set("wrong type", path, v, true)
		}
	}
	b.set("null", path, nil, false)
	switch s.Type {
	case huma.TypeInteger:
		if s.Minimum != nil {
			b.set("below the least", path, *s.Minimum-1, true)
		}
		if s.Maximum != nil {
			b.set("above the most", path, *s.Maximum+1, true)
		}
		b.set("huge number", path, json.Number("99999999999999999999"), true)
		b.set("least number", path, json.Number("-9223372036854775808"), s.Minimum != nil)
	case huma.TypeString:
		b.strings(s, path)
	}
}

func (b *breaker) strings(s *huma.Schema, path []string) {
	for _, v := range strangers(s) {
		b.set("no such word", path, v, true)
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		b.set("too short", path, strings.Repeat("x", *s.MinLength-1), true)
	}
	if s.MaxLength != nil {
		b.set("too long", path, strings.Repeat("x", *s.MaxLength+1), true)
	}
	b.set("empty", path, "", false)
	b.set("long", path, strings.Repeat("é", 40_000), false)
	b.set("strange", path, "\x00\u202e\U0001F600", false)
}

// set tries the body with another value at a path.
func (b *breaker) set(what string, path []string, v any, refuse bool) {
	b.change(what, path, refuse, func(parent map[string]any, name string) { parent[name] = v },
		func(parent []any, i int) { parent[i] = v })
}

// unset tries the body without what stands at a path.
func (b *breaker) unset(path []string) {
	b.change("missing", path, true, func(parent map[string]any, name string) { delete(parent, name) },
		func([]any, int) {})
}

func (b *breaker) change(what string, path []string, refuse bool, inMap func(map[string]any, string),
	inList func([]any, int)) {
	root := plain(b.f.t, b.root)
	at := root
	for _, part := range path[:len(path)-1] {
		at = child(at, part)
	}
	switch last := path[len(path)-1]; parent := at.(type) {
	case map[string]any:
		inMap(parent, last)
	case []any:
		var i int
		_, err := fmt.Sscan(last, &i)
		require.NoError(b.f.t, err)
		inList(parent, i)
	default:
		return // what holds it is left out of the sample
	}
	b.add(what, path, refuse, string(mustJSON(b.f.t, root)))
}

func child(v any, part string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[part]
	case []any:
		var i int
		if _, err := fmt.Sscan(part, &i); err == nil && i < len(v) {
			return v[i]
		}
	}
	return nil
}

func (b *breaker) add(what string, path []string, refuse bool, body string) {
	a := b.good
	a.what, a.refuse, a.body = what, refuse, body
	for _, part := range path {
		a.pointer += "/" + escapePointer(part)
	}
	b.out = append(b.out, a)
}

// twice repeats a field of the body's root.
func (b *breaker) twice(path []string, name string) {
	if len(path) > 0 {
		return
	}
	body := string(mustJSON(b.f.t, b.root))
	root, _ := b.root.(map[string]any)
	if v, ok := root[name]; ok {
		b.add("twice", []string{name}, true,
			strings.TrimSuffix(body, "}")+","+string(mustJSON(b.f.t, name))+":"+string(mustJSON(b.f.t, v))+"}")
	}
}
