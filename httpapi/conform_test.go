package httpapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// conforming serves like h and holds every answer against the document: its
// status, code, headers and body have to be described there. Every fixture
// answers through it, so that the document is true of all that tests see.
func (f *fixture) conforming(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, _ := f.api.find(r)
		if op == nil || r.Method == http.MethodHead {
			h.ServeHTTP(w, r)
			return
		}
		kept := &keeper{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(kept, r)
		if r.Context().Err() == nil { // else it was cut off, and the test may be over
			f.conform(op, kept)
		}
	})
}

// keeper keeps an answer while it is written.
type keeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeper) Write(b []byte) (int, error) {
	if k.body.Len() < MaxBody {
		k.body.Write(b)
	}
	return k.ResponseWriter.Write(b)
}

func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// ordinaryHeaders come with any answer.
var ordinaryHeaders = []string{"Content-Type", "Content-Length", "Date", "Connection", "X-Content-Type-Options",
	"Cache-Control", "Accept", "Link", "X-Accel-Buffering", "X-Request-Id", "Content-Disposition",
	"Content-Security-Policy", "Referrer-Policy"}

func (f *fixture) conform(op *route, got *keeper) {
	name := op.Method + " " + op.Path + " " + strconv.Itoa(got.status)
	declared := responseTo(op, got.status)
	if !assert.NotNil(f.t, declared, "%s is not in the document: %s", name, got.body.String()) {
		return
	}
	if short, ok := strings.CutPrefix(declared.Ref, responsesPrefix); ok {
		declared = f.api.openapi.Components.Responses[short]
	}
	for header := range got.Header() {
		if !slices.Contains(ordinaryHeaders, header) {
			has := slices.ContainsFunc(slices.Collect(maps.Keys(declared.Headers)),
				func(h string) bool { return http.CanonicalHeaderKey(h) == header })
			assert.True(f.t, has, "%s: the header %s is not in the document", name, header)
		}
	}
	if len(declared.Content) == 0 {
		assert.Empty(f.t, got.body.String(), name)
		return
	}
	kind, _, _ := strings.Cut(got.Header().Get("Content-Type"), ";")
	media := declared.Content[kind]
	if any := declared.Content["*/*"]; media == nil {
		media = any
	}
	if !assert.NotNil(f.t, media, "%s: the type %s is not in the document", name, kind) {
		return
	}
	isJSON := strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json")
	if !isJSON || media.Schema == nil || got.body.Len() >= MaxBody {
		return
	}
	var body any
	if !assert.NoError(f.t, json.Unmarshal(got.body.Bytes(), &body), name) {
		return
	}
	for _, wrong := range f.violations(media.Schema, body, huma.ModeReadFromServer) {
		assert.Fail(f.t, name+": the body is not as documented", "%v in %s", wrong, got.body.String())
	}
	if codes, ok := declared.Extensions["x-codes"].([]string); ok {
		code, _ := body.(map[string]any)["code"].(string)
		assert.Contains(f.t, codes, code, name)
	}
}

// violations says where a value is not as a schema says.
func (f *fixture) violations(s *huma.Schema, v any, mode huma.ValidateMode) []error {
	var result huma.ValidateResult
	huma.Validate(f.api.schemas(), s, huma.NewPathBuffer(nil, 0), mode, v, &result)
	return result.Errors
}

// Every operation says what it may be refused with, has a group and a summary,
// describes each of its parameters, and gives an example of its body.
func TestDocumentIsComplete(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	for pattern, op := range f.api.routes {
		require.NotContains(t, op.Responses, "default", pattern)
		for _, r := range op.problems() {
			require.Contains(t, op.Responses, strconv.Itoa(r.status), pattern)
			require.NotEmpty(t, r.codes, pattern)
		}
		require.NotEmpty(t, op.Summary, pattern)
		require.Len(t, op.Tags, 1, pattern)
		for _, p := range op.Parameters {
			require.NotEmpty(t, p.Description, "%s %s", pattern, p.Name)
			if p.In == "path" {
				require.NotEmpty(t, p.Schema.Examples, "%s %s", pattern, p.Name)
			}
		}
		success := false
		for status, r := range op.Responses {
			success = success || strings.HasPrefix(status, "2")
			for name, h := range r.Headers {
				require.NotEmpty(t, h.Description, "%s %s %s", pattern, status, name)
			}
		}
		require.True(t, success, pattern)
		if op.RequestBody == nil || op.passthrough {
			continue
		}
		media := op.RequestBody.Content["application/json"]
		require.NotEmpty(t, media.Examples, pattern)
		for name, e := range media.Examples {
			require.Empty(t, f.violations(media.Schema, plain(t, e.Value), huma.ModeWriteToServer), "%s %s", pattern,
				name)
		}
	}
	for id := range requestExamples {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Values(f.api.routes)),
			func(op *route) bool { return op.OperationID == id }), id)
	}
}

// plain returns a value as it looks after JSON.
func plain(t testing.TB, v any) (out any) {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func TestExamplesFitTheirSchemas(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	var answers map[string]any
	require.NoError(t, json.Unmarshal(answerExamples, &answers))
	require.NotEmpty(t, answers)
	for name, v := range answers {
		require.Empty(t, f.violations(&huma.Schema{Ref: schemaPrefix + name}, v, huma.ModeReadFromServer), name)
	}
}

// A route that answers with what it does not declare is noticed.
func TestConformanceNotices(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.t = new(testing.T)
	op := f.api.routes["GET /api/v1/sizes"]
	for _, k := range []*keeper{
		{ResponseWriter: &headerOnly{http.Header{}}, status: http.StatusConflict},
		{ResponseWriter: &headerOnly{http.Header{"Content-Type": {"text/html"}}}, status: http.StatusOK},
		{ResponseWriter: &headerOnly{http.Header{"Content-Type": {"application/json"}, "Etag": {"1"}}},
			status: http.StatusOK},
		{ResponseWriter: &headerOnly{http.Header{"Content-Type": {"application/json"}}}, status: http.StatusOK,
			body: *bytes.NewBufferString(`{"items":[{}]}`)},
		{ResponseWriter: &headerOnly{http.Header{"Content-Type": {"application/problem+json"}}},
			status: http.StatusForbidden,
			body:   *bytes.NewBufferString(string(mustJSON(t, newProblem(ecp.CodeGone, "x"))))},
	} {
		f.t = new(testing.T)
		f.conform(op, k)
		require.True(t, f.t.Failed(), "%+v", k)
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

// responseTo is what the document says of a status.
func responseTo(rt *route, status int) *huma.Response {
	if r := rt.Responses[strconv.Itoa(status)]; r != nil {
		return r
	}
	return rt.Responses[strconv.Itoa(status/100)+"XX"]
}
