package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// routeProblem is a status that is no success, and the codes that come with it.
type routeProblem struct {
	status int
	codes  []ecp.Code
}

// commonProblems are the problems that a route can answer with because of what it takes:
// a token, a body, an id in its path.
var commonProblems = []struct {
	has    func(*route) bool
	status int // 0 means the usual one of the code
	code   ecp.Code
}{
	{anyRoute, http.StatusBadRequest, ecp.CodeInvalid},
	{anyRoute, 0, ecp.CodeInvalid},
	{anyRoute, 0, ecp.CodeUnavailable},
	{anyRoute, 0, ecp.CodeInternal},
	{isLogin, http.StatusUnauthorized, ecp.CodeDenied},
	{hasToken, http.StatusUnauthorized, ecp.CodeDenied},
	{hasToken, 0, ecp.CodeDenied},
	{namesOne, 0, ecp.CodeNotFound},
	{(*route).mayHaveBody, http.StatusRequestTimeout, ecp.CodeInvalid},
	{(*route).mayHaveBody, http.StatusRequestEntityTooLarge, ecp.CodeInvalid},
	{mayHaveJSON, http.StatusUnsupportedMediaType, ecp.CodeInvalid},
	{isPassthrough, http.StatusExpectationFailed, ecp.CodeInvalid},
	{isPassthrough, http.StatusBadGateway, ecp.CodeUnavailable},
	{isPassthrough, http.StatusGatewayTimeout, ecp.CodeUnavailable},
}

func anyRoute(*route) bool         { return true }
func hasToken(rt *route) bool      { return !rt.open }
func isLogin(rt *route) bool       { return rt.id == "login" || rt.id == "signIn" }
func namesOne(rt *route) bool      { return strings.Contains(rt.path, "{") }
func isPassthrough(rt *route) bool { return rt.passthrough }
func mayHaveJSON(rt *route) bool   { return rt.mayHaveBody() && !rt.passthrough }

func (rt *route) mayHaveBody() bool {
	return rt.method != http.MethodGet && rt.method != http.MethodHead
}

// problems lists what a route can answer that is no success, by status.
func (rt *route) problems() []routeProblem {
	found := map[int][]ecp.Code{}
	add := func(status int, code ecp.Code) {
		if !slices.Contains(found[status], code) {
			found[status] = append(found[status], code)
		}
	}
	for _, f := range commonProblems {
		if f.has(rt) {
			status := f.status
			if status == 0 {
				status = newProblem(f.code, "").Status
			}
			add(status, f.code)
		}
	}
	for _, code := range rt.refuses {
		add(newProblem(code, "").Status, code)
	}
	out := make([]routeProblem, 0, len(found))
	for status, codes := range found {
		slices.Sort(codes)
		out = append(out, routeProblem{status, codes})
	}
	slices.SortFunc(out, func(a, b routeProblem) int { return a.status - b.status })
	return out
}

// describeProblems writes into the document what every route can answer that
// is no success. Routes that can answer the same share the description.
func (a *api) describeProblems() {
	shared := a.openapi.Components.Responses
	for _, rt := range a.routes {
		for _, r := range rt.problems() {
			name := r.name()
			if shared[name] == nil {
				shared[name] = a.describeProblem(r)
			}
			rt.Responses[strconv.Itoa(r.status)] = &huma.Response{Ref: responsesPrefix + name}
		}
	}
}

// name is what a problem is called in the document, e.g. Problem409ConflictExists.
func (r routeProblem) name() string {
	var b strings.Builder
	b.WriteString("Problem" + strconv.Itoa(r.status))
	for _, code := range r.codes {
		for _, word := range strings.Split(string(code), "_") {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// problemHeaders are the headers that come with a status.
var problemHeaders = map[int]struct{ name, says string }{
	http.StatusUnauthorized:       {"WWW-Authenticate", "what kind of token is wanted"},
	http.StatusServiceUnavailable: {"Retry-After", "seconds to wait before trying again"},
	http.StatusTooManyRequests:    {"Retry-After", "seconds to wait before trying again"},
}

func (a *api) describeProblem(r routeProblem) *huma.Response {
	words := make([]string, len(r.codes))
	for i, code := range r.codes {
		words[i] = string(code)
	}
	example := newProblem(r.codes[0], "says what was wrong this time and what to do next")
	if example.Status != r.status {
		example = example.as(r.status)
	}
	out := &huma.Response{
		Description: http.StatusText(r.status) + "; code " + strings.Join(words, " or "),
		Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: schemaOf[problemView](a.schemas()), Example: example},
		},
		Extensions: map[string]any{"x-codes": words},
	}
	if h, ok := problemHeaders[r.status]; ok {
		out.Headers = map[string]*huma.Param{h.name: {Description: h.says, Schema: schemaOf[string](a.schemas())}}
	}
	return out
}
