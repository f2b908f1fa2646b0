package emqxsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// EMQX 4.4 answers business errors with status 200 and one of three shapes. Unknown calls
// below the API's prefix and requests that it cannot read get plain text, all other paths
// an empty body.

const base4 = "/api/v4"

// The ports of EMQX 4.4 that serve HTTP.
const (
	management = 8081
	dashboard  = 18083
)

// call4 is a request to a node of EMQX 4.4.
type call4 struct{ *request }

// answer4 answers one request.
func answer4(q *request) answer {
	c := &call4{q}
	if c.URL.Path == "/status" && c.port == management {
		return status4(c)
	}
	path, ok := strings.CutPrefix(c.URL.EscapedPath(), base4)
	if !ok || path != "" && path[0] != '/' {
		if c.port == dashboard {
			if a, ok := pageFile("page4", c.Request); ok {
				return a
			}
		}
		return answer{status: http.StatusNotFound}
	}
	route, found := c.route(path)
	if found && route.open != "" && has(c.n.version, route.open) {
		return route.answer(c)
	}
	switch {
	case !c.authorised():
		return refused4()
	case strings.Trim(path, "/") == "" && c.Method == http.MethodGet:
		return c.list()
	case !found:
		return notFound4()
	}
	return route.answer(c)
}

// route finds the call for a path and the variables in the path.
func (c *call4) route(path string) (*route4, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	method := c.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range routes4 {
		if r := &routes4[i]; r.method == method && r.fits(parts) && c.serves(r) {
			c.params = c.variables(r, parts)
			return r, true
		}
	}
	return nil, false
}

// serves reports whether this broker has the call on this listener.
func (c *call4) serves(r *route4) bool {
	return (c.enterprise() || !r.enterprise) && has(c.n.version, r.since) && (r.port == 0 || r.port == c.port) &&
		(r.when == nil || r.when(c.c))
}

func (c *call4) enterprise() bool { return c.c.cfg.Edition == Enterprise }

// fits reports whether the segments of a path match the call's path.
func (r *route4) fits(parts []string) bool {
	want := strings.Split(strings.Trim(r.path, "/"), "/")
	return slices.EqualFunc(want, parts, func(w, part string) bool { return w[0] == ':' || w == part })
}

// variables returns the variables in the path. Before 4.4.11 the ids of rules and resources
// were not unescaped.
func (c *call4) variables(r *route4, parts []string) map[string]string {
	ids := map[string]string{}
	for i, w := range strings.Split(strings.Trim(r.path, "/"), "/") {
		name, variable := strings.CutPrefix(w, ":")
		if !variable {
			continue
		}
		ids[name] = parts[i]
		if id, err := url.PathUnescape(parts[i]); err == nil && (name != "id" || has(c.n.version, "4.4.11")) {
			ids[name] = id
		}
	}
	return ids
}

// list answers GET /api/v4: it lists every call that the listener serves, also those whose
// plugin is not loaded.
func (c *call4) list() answer {
	list := []obj{}
	for i := range routes4 {
		if r := &routes4[i]; c.serves(r) {
			list = append(list, obj{"path": r.path, "name": r.name, "method": r.method, "descr": r.descr})
		}
	}
	return data4(list)
}

// object reads the body as a JSON object. If it is none, object returns nil and the answer
// to that.
func (c *call4) object() (in obj, bad answer) {
	if len(c.body) == 0 {
		return obj{}, answer{}
	}
	if json.Unmarshal(c.body, &in) != nil || in == nil {
		return nil, badRequest4()
	}
	return in, answer{}
}

// text returns a value that should be a string, or "" if it is none.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// The answers of EMQX 4.4.

// data4 is a success with data.
func data4(data any) answer { return asJSON(obj{"code": 0, "data": data}) }

// done4 is a success without data.
func done4() answer { return asJSON(obj{"code": 0}) }

// message4 is a failure without a code, the usual kind.
func message4(message string) answer { return asJSON(obj{"message": message}) }

// code4 is a failure with a code, one of HTTP's or one of EMQX's own.
func code4(code any, message string) answer { return asJSON(obj{"code": code, "message": message}) }

func notFound4() answer   { return asText(http.StatusNotFound, "Not found.") }
func badRequest4() answer { return asText(http.StatusBadRequest, "Bad Request") }
func crashed4() answer    { return asText(http.StatusInternalServerError, "Internal Error") }

// refused4 answers a call without valid credentials.
func refused4() answer {
	return answer{
		status: http.StatusUnauthorized, body: "UNAUTHORIZED",
		header: [2]string{"WWW-Authenticate", `Basic Realm="minirest-server"`},
	}
}
