package emqxsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// view is all that an answer is made from: a cluster as one of its nodes sees
// it at one moment.
type view struct {
	now      time.Time
	self     string // the node that answers
	version  string // that it runs
	ready    bool   // takes clients
	username string
	password string
	limit    int      // connections the licence allows
	members  []member // self among them
}

// member is a node of the cluster.
type member struct {
	name        string
	version     string
	running     bool
	started     time.Time
	connections int // sessions of clients that are away included
	live        int
}

// running lists the members that run, by name.
func (v view) running() []member {
	return sorted(v.members, func(m member) bool { return m.running })
}

// stopped lists the members that do not, by name.
func (v view) stopped() []member {
	return sorted(v.members, func(m member) bool { return !m.running })
}

func sorted(list []member, which func(member) bool) []member {
	var out []member
	for _, m := range list {
		if which(m) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return out
}

// find gives a member by name.
func (v view) find(name string) (member, bool) {
	i := slices.IndexFunc(v.members, func(m member) bool { return m.name == name })
	if i < 0 {
		return member{}, false
	}
	return v.members[i], true
}

// sum adds up one figure over the members that run.
func (v view) sum(figure func(member) int) int {
	total := 0
	for _, m := range v.running() {
		total += figure(m)
	}
	return total
}

// atLeast says whether a version is x.y.z or later.
func atLeast(version string, x, y, z int) bool {
	v, _ := ecp.ParseVersion(version)
	return !v.Before(ecp.Version{Major: x, Minor: y, Patch: z})
}

// obj is a JSON object.
type obj map[string]any

// answer is a response as a broker gave it.
type answer struct {
	status      int    // 0 = 200
	contentType string // "" = none is sent
	header      [2]string
	body        string
}

// asJSON answers 200 with a body.
func asJSON(body any) answer { return jsonWith(http.StatusOK, body) }

func jsonWith(status int, body any) answer {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // made of maps, strings and numbers only
	}
	return answer{status: status, contentType: "application/json", body: string(b)}
}

func asText(status int, body string) answer {
	return answer{status: status, contentType: "text/plain", body: body}
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = nil // else one is guessed
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	if a.header[0] != "" {
		h.Set(a.header[0], a.header[1])
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = w.Write([]byte(a.body)) // the client has gone: nothing to do about it
}

// route is one call of an API. {node} in the path matches one segment.
type route struct {
	path   string // below the API's base
	open   func(v view) bool
	answer func(v view, r *http.Request, node string) answer
}

func always(view) bool { return true }

// match finds the route of a path and the node named in it.
func match(routes []route, path string) (route, string, bool) {
	for _, r := range routes {
		if r.path == path {
			return r, "", true
		}
		before, after, found := strings.Cut(r.path, "{node}")
		rest, ok := strings.CutPrefix(path, before)
		if !found || !ok {
			continue
		}
		node, ok := strings.CutSuffix(rest, after)
		if ok && node != "" && !strings.Contains(node, "/") {
			return r, node, true
		}
	}
	return route{}, "", false
}

// serve answers one request.
func serve(w http.ResponseWriter, r *http.Request, v view) {
	respond := respond5
	if !atLeast(v.version, 5, 0, 0) {
		respond = respond4
	}
	a := respond(v, r)
	if r.Method == http.MethodHead {
		a.body = ""
	}
	a.write(w)
}

// authorised checks Basic credentials.
func (v view) authorised(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && v.username != "" && user == v.username && password == v.password
}

// statusText is what /status says.
func (v view) statusText() string {
	if !v.ready {
		return "Node " + v.self + " is starting\nemqx is not_running"
	}
	return "Node " + v.self + " is started\nemqx is running"
}

// What every simulated machine shows of itself.
const (
	otpRelease  = "26.2.5.2/14.2.5.2"
	memoryTotal = "23.54G"
	memoryUsed  = "1.12G"
	maxFds      = 1048576
)
