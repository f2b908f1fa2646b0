package emqxsim

import (
	"net/http"
	"slices"
	"strings"
)

// EMQX 5 answers errors with their status and {code, message}. It lists a core node that is
// down with three fields, but does not know it when asked by name.

const base5 = "/api/v5"

func respond5(q *request) answer {
	if !q.n.booted(q.now) {
		return page404() // every path, until the API has started
	}
	q.table = table5()
	row, known := match(q.table, q)
	switch {
	case row == nil && known:
		return wrongMethod5(q)
	case row == nil:
		return unknownPath5(q.Request)
	}
	if refusal := q.authorise5(row); refusal != nil {
		return *refusal
	}
	return row.answer(q)
}

// wrongMethod5 lists the methods of a path. The broker crashes on OPTIONS.
func wrongMethod5(q *request) answer {
	if q.Method == http.MethodOptions {
		return empty(http.StatusInternalServerError) // whether the broker sends a body is not recorded
	}
	a := empty(http.StatusMethodNotAllowed)
	var methods []string
	for i := range q.table {
		r := &q.table[i]
		if _, fits := matchPath(r.path, q.URL.EscapedPath()); fits && r.available(q.n.version, q.c.cfg.Edition) &&
			!slices.Contains(methods, r.method) {
			methods = append(methods, r.method)
		}
	}
	slices.Sort(methods)
	a.header = [2]string{"Allow", strings.Join(methods, ", ")}
	return a
}

func page404() answer {
	return answer{
		status: http.StatusNotFound, contentType: "text/html",
		body: "<html><head><title>404 - NOT FOUND</title></head><body><h1>404 - NOT FOUND</h1></body></html>",
	}
}

// unknownPath5 answers JSON only if the request accepts it.
func unknownPath5(r *http.Request) answer {
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		return fail5(http.StatusNotFound, "NOT_FOUND", "Request Path Not Found")
	}
	return page404()
}

func fail5(status int, code, message string) answer {
	return jsonWith(status, obj{"code": code, "message": message})
}

func bad5(message string) answer { return fail5(http.StatusBadRequest, "BAD_REQUEST", message) }

func notFound5(message string) answer { return fail5(http.StatusNotFound, "NOT_FOUND", message) }

// denied refuses the credentials of a request.
func denied(code, message string) *answer {
	a := fail5(http.StatusUnauthorized, code, message)
	a.header = [2]string{"WWW-Authenticate", `Basic Realm="emqx-dashboard"`}
	return &a
}

// authorise5 checks the credentials of a request. It returns nil if they are valid, or the
// refusal.
func (q *request) authorise5(row *route) *answer {
	if row.access == open {
		return nil
	}
	scheme, credentials, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		return q.bearer(credentials)
	case "basic":
		return q.basic(row)
	}
	return denied("AUTHORIZATION_HEADER_ERROR", "Support authorization: basic/bearer ")
}

// bearer accepts the token of a login and extends its life.
func (q *request) bearer(s string) *answer {
	t := q.db.tokens[s]
	if t == nil {
		a := fail5(http.StatusUnauthorized, "BAD_TOKEN", "Get a token by POST /login")
		return &a
	}
	if !q.now.Before(t.expires) {
		a := fail5(http.StatusUnauthorized, "TOKEN_TIME_OUT", "Token expired, get new token by POST /login")
		return &a
	}
	t.expires = q.now.Add(tokenLife)
	if q.user = q.db.user(t.user); q.user == nil {
		a := fail5(http.StatusUnauthorized, "BAD_TOKEN", "Get a token by POST /login")
		return &a
	}
	if q.user.role == roleViewer && q.Method != http.MethodGet && !strings.HasSuffix(q.URL.Path, "/logout") {
		a := fail5(http.StatusForbidden, "UNAUTHORIZED_ROLE", "You don't have permission to access this resource")
		return &a
	}
	return nil
}

// basic accepts an API key within its role and scopes.
func (q *request) basic(row *route) *answer {
	if row.access == login {
		segment := strings.Split(strings.TrimPrefix(row.path, base5+"/"), "/")[0]
		return denied("API_KEY_NOT_ALLOW", "Please use bearer Token instead, using API key/secret in "+segment+
			" path is not permitted")
	}
	id, secret, _ := q.BasicAuth()
	q.key = q.db.key(id, secret, q.now)
	if q.key == nil {
		return denied("BAD_API_KEY_OR_SECRET", "Check api_key/api_secret")
	}
	if q.key.allows(row, q) {
		return nil
	}
	a := fail5(http.StatusForbidden, "UNAUTHORIZED_ROLE", "This API Key don't have permission to access this resource")
	return &a
}

func (k *apiKey) allows(row *route, q *request) bool {
	publishes := row.scope == "publish"
	switch k.role {
	case roleViewer:
		if q.Method != http.MethodGet && q.Method != http.MethodHead {
			return false
		}
	case rolePublisher:
		if !publishes {
			return false
		}
	}
	return k.scopes == nil || !has(q.n.version, sinceScopes) || row.scope == "" || slices.Contains(k.scopes, row.scope)
}

// unknownNode answers a call whose path does not name a running node.
func (q *request) unknownNode() answer { return notFound5("Node not found: " + q.params["node"]) }

// ofNode answers a call about the node in the path.
func ofNode(show func(q *request, n *Node) any) func(*request) answer {
	return func(q *request) answer {
		n := q.node()
		if n == nil {
			return q.unknownNode()
		}
		return asJSON(show(q, n))
	}
}

// field is a field of an answer that only some versions have.
type field struct {
	key, since, until string
	value             any
}

// fields returns an object of the fields that a version has.
func fields(version string, list ...field) obj {
	o := obj{}
	for _, f := range list {
		if has(version, f.since) && (f.until == "" || !has(version, f.until)) {
			o[f.key] = f.value
		}
	}
	return o
}

// fixed answers every request with v.
func fixed(v any) func(*request) answer { return func(*request) answer { return asJSON(v) } }
