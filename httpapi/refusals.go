package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

// alsoRefuses is the key of a route's metadata under which stands what its
// form does not tell: the codes the Manager may refuse it with.
const alsoRefuses = "refuses"

// refusal is a status that is no success, and the codes it comes with.
type refusal struct {
	status int
	codes  []ecp.Code
}

// forms says what a route can answer, success aside, because of what it is
// made of; each code stands with the status it has there.
var forms = []struct {
	has    func(*huma.Operation) bool
	status int // 0 = the code's own
	code   ecp.Code
}{
	{every, http.StatusBadRequest, ecp.CodeInvalid},
	{every, 0, ecp.CodeInvalid},
	{every, 0, ecp.CodeUnavailable},
	{every, 0, ecp.CodeInternal},
	{isLogin, http.StatusUnauthorized, ecp.CodeDenied},
	{hasToken, http.StatusUnauthorized, ecp.CodeDenied},
	{hasToken, 0, ecp.CodeDenied},
	{namesOne, 0, ecp.CodeNotFound},
	{mayHaveBody, http.StatusRequestTimeout, ecp.CodeInvalid},
	{mayHaveBody, http.StatusRequestEntityTooLarge, ecp.CodeInvalid},
	{mayHaveJSON, http.StatusUnsupportedMediaType, ecp.CodeInvalid},
	{isThrough, http.StatusExpectationFailed, ecp.CodeInvalid},
	{isThrough, http.StatusBadGateway, ecp.CodeUnavailable},
	{isThrough, http.StatusGatewayTimeout, ecp.CodeUnavailable},
}

func every(*huma.Operation) bool       { return true }
func hasToken(op *huma.Operation) bool { return len(op.Security) > 0 }
func isLogin(op *huma.Operation) bool  { return op.OperationID == "login" }
func namesOne(op *huma.Operation) bool { return strings.Contains(op.Path, "{") }
func mayHaveBody(op *huma.Operation) bool {
	return op.Method != http.MethodGet && op.Method != http.MethodHead
}
func mayHaveJSON(op *huma.Operation) bool { return mayHaveBody(op) && !isThrough(op) }

// refusalsOf lists what a route can answer that is no success, by status.
func refusalsOf(op *huma.Operation) []refusal {
	found := map[int][]ecp.Code{}
	add := func(status int, code ecp.Code) {
		if !slices.Contains(found[status], code) {
			found[status] = append(found[status], code)
		}
	}
	for _, f := range forms {
		if f.has(op) {
			status := f.status
			if status == 0 {
				status = newProblem(f.code, "").Status
			}
			add(status, f.code)
		}
	}
	also, _ := op.Metadata[alsoRefuses].([]ecp.Code)
	for _, code := range also {
		add(newProblem(code, "").Status, code)
	}
	out := make([]refusal, 0, len(found))
	for status, codes := range found {
		slices.Sort(codes)
		out = append(out, refusal{status, codes})
	}
	slices.SortFunc(out, func(a, b refusal) int { return a.status - b.status })
	return out
}

// describeRefusals writes into the document what every route can answer that
// is no success. Routes that can answer the same share the description.
func (a *api) describeRefusals() {
	shared := a.huma.OpenAPI().Components
	if shared.Responses == nil {
		shared.Responses = map[string]*huma.Response{}
	}
	for _, op := range a.routes {
		delete(op.Responses, "default")
		for _, r := range refusalsOf(op) {
			name := r.name()
			if shared.Responses[name] == nil {
				shared.Responses[name] = a.describeRefusal(r)
			}
			op.Responses[strconv.Itoa(r.status)] = &huma.Response{Ref: "#/components/responses/" + name}
		}
	}
}

// name is what a refusal is called in the document, e.g. Problem409ConflictExists.
func (r refusal) name() string {
	var b strings.Builder
	b.WriteString("Problem" + strconv.Itoa(r.status))
	for _, code := range r.codes {
		for _, word := range strings.Split(string(code), "_") {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// refusalHeaders are the headers that come with a status.
var refusalHeaders = map[int]struct{ name, says string }{
	http.StatusUnauthorized:       {"WWW-Authenticate", "what kind of token is wanted"},
	http.StatusServiceUnavailable: {"Retry-After", "seconds to wait before trying again"},
	http.StatusTooManyRequests:    {"Retry-After", "seconds to wait before trying again"},
}

func (a *api) describeRefusal(r refusal) *huma.Response {
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
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schemaOf[problemView](a.schemas()), Example: example}},
		Extensions:  map[string]any{"x-codes": words},
	}
	if h, ok := refusalHeaders[r.status]; ok {
		out.Headers = map[string]*huma.Param{h.name: {Description: h.says, Schema: schemaOf[string](a.schemas())}}
	}
	return out
}
