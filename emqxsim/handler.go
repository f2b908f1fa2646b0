package emqxsim

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// obj is a JSON object.
type obj map[string]any

// answer is a response as a broker sent it.
type answer struct {
	status      int    // 0 means 200
	contentType string // empty means that none is sent
	header      [2]string
	body        string
}

// asJSON answers 200 with a JSON body.
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

// empty answers with a status alone.
func empty(status int) answer { return answer{status: status} }

func (a answer) write(w http.ResponseWriter, half bool) {
	h := w.Header()
	h["Content-Type"] = nil // net/http would guess one
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	if a.header[0] != "" {
		h.Set(a.header[0], a.header[1])
	}
	if half {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
		a.body = a.body[:len(a.body)/2]
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = w.Write([]byte(a.body)) // an error means that the client is gone
	if half {
		_ = http.NewResponseController(w).Flush() // send what has been written
		panic(http.ErrAbortHandler)
	}
}

// access says who may make a call.
type access int

const (
	keyed access = iota // keys and logins, within their roles
	open                // everybody
	login               // only users that are logged in
)

// route is one call of the API of EMQX 5.
type route struct {
	method string
	// path, with its base, has {names} that stand for whole segments. They match the
	// escaped path and are unescaped once.
	path     string
	access   access
	since    string // see has
	until    string // the first version without it; empty means none
	editions string // "e" means that the open source edition before 5.9 lacks it
	scope    string // of keys with scopes; empty means that no scope is needed
	answer   func(q *request) answer
}

// request is a call to a node. The cluster is locked while it is answered.
type request struct {
	*http.Request
	c      *Cluster
	n      *Node
	db     *database // of the node
	now    time.Time
	params map[string]string
	body   []byte
	user   *user // who is logged in, or nil
	key    *apiKey
	port   int // on EMQX 4: 8081 or 18083
	table  []route
}

// node returns the member in the path, or nil if it does not run.
func (q *request) node() *Node {
	for _, m := range q.n.visible(q.now) {
		if m.name == q.params["node"] {
			return m
		}
	}
	return nil
}

// available reports whether a version and edition have the route.
func (r *route) available(version string, e Edition) bool {
	oneEdition := mustMajor(version) > 4 && has(version, sinceCommunity)
	if r.editions == "e" && e != Enterprise && !oneEdition {
		return false
	}
	return has(version, r.since) && (r.until == "" || !has(version, r.until))
}

// match returns the row for a request, or nil. known reports whether the path exists,
// perhaps with another method.
func match(table []route, q *request) (row *route, known bool) {
	path := q.URL.EscapedPath()
	for i := range table {
		r := &table[i]
		params, ok := matchPath(r.path, path)
		if !ok || !r.available(q.n.version, q.c.cfg.Edition) {
			continue
		}
		known = true
		if r.method == q.Method || r.method == http.MethodGet && q.Method == http.MethodHead &&
			!strings.HasPrefix(r.path, base5) {
			q.params = params
			return r, true
		}
	}
	return nil, known
}

// matchPath matches an escaped path with a pattern and returns the variables.
func matchPath(pattern, path string) (map[string]string, bool) {
	var params map[string]string
	for {
		p, pRest, pMore := strings.Cut(pattern, "/")
		s, sRest, sMore := strings.Cut(path, "/")
		if name, ok := strings.CutPrefix(p, "{"); ok {
			value, err := url.PathUnescape(s)
			if err != nil || s == "" {
				return nil, false
			}
			if params == nil {
				params = map[string]string{}
			}
			params[strings.TrimSuffix(name, "}")] = value
		} else if p != s {
			return nil, false
		}
		if pMore != sMore {
			return nil, false
		}
		if !pMore {
			return params, true
		}
		pattern, path = pRest, sRest
	}
}

// largestBody is how much of a request's body is read.
const largestBody = 16 << 20

// Handler answers like the node's management listener: the API and /status, and on EMQX 5
// the dashboard, which has no listener of its own.
func (n *Node) Handler() http.Handler { return n.listen(8081) }

// Dashboard answers like the dashboard's listener, which EMQX 4 has beside that of the API:
// it has the same calls, for users instead of applications.
func (n *Node) Dashboard() http.Handler { return n.listen(18083) }

func (n *Node) listen(port int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		var slow time.Duration
		var hangs wait
		n.c.change(func(t time.Time) { f, slow, hangs = n.faultFor(r, t), n.slow, n.waitFor(r, t) })
		goOn, late := hangs.done(r)
		if !goOn || !pause(r, slow+f.Latency) {
			return
		}
		if late && hangs.status != 0 {
			f.Status = cmp.Or(f.Status, hangs.status)
		}
		if f.Hang {
			<-r.Context().Done()
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, largestBody))
		if err != nil {
			return // the caller has gone
		}
		a, up := n.answer(r, body, port)
		if !up || f.Refuse {
			hangUp(w)
			return
		}
		a = f.alter(a)
		if r.Method == http.MethodHead {
			a.body = ""
		}
		a.write(w, f.Half)
	})
}

// answer returns the node's present answer, or false if the node is down.
func (n *Node) answer(r *http.Request, body []byte, port int) (a answer, up bool) {
	n.c.change(func(t time.Time) {
		if up = n.up(t); !up {
			return
		}
		q := &request{Request: r, c: n.c, n: n, db: n.db, now: t, body: body, port: port}
		if n.c.major == 4 {
			a = answer4(q)
			return
		}
		a = respond5(q)
	})
	return a, up
}

// pause waits for d. It returns false if the caller gave up first.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 and the like: the server resets the stream
	}
	_ = conn.Close()
}

// statusText returns the text of /status.
func (n *Node) statusText(ready bool) string {
	if !ready {
		return "Node " + n.name + " is starting\nemqx is not_running"
	}
	return "Node " + n.name + " is started\nemqx is running"
}

// What every simulated machine shows of itself.
const (
	otpRelease  = "26.2.5.2/14.2.5.2"
	memoryTotal = "23.54G"
	memoryUsed  = "1.12G"
	maxFds      = 1048576
)
