package emqxtest

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
)

// Replay answers every call in the *.txt files of a folder as recorded, and every other one
// with 404. Of several recordings of a call, the one counts that has most of the request's
// parameters and none with another value. A call without the credentials gets the recorded
// 401, or else an empty one, unless EMQX answers it without credentials.
func Replay(t testing.TB, login ecp.Credentials, folder string) http.Handler {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no recordings in %s: %v", folder, err)
	}
	r := replay{login: login, refusal: recorded{status: http.StatusUnauthorized}}
	for _, name := range names {
		request, a := readRecording(t, name)
		if a.status == http.StatusUnauthorized {
			r.refusal = a
			continue
		}
		method, uri, _ := strings.Cut(request, " ")
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.calls = append(r.calls, call{method, u.Path, u.Query(), a})
	}
	return r
}

// Recorded answers every request with one recording.
func Recorded(t testing.TB, name string) http.Handler {
	t.Helper()
	_, a := readRecording(t, name)
	return a
}

func readRecording(t testing.TB, name string) (request string, a recorded) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	a = recorded{header: http.Header{}, body: body}
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "status":
			a.status, _ = strconv.Atoi(value)
		case "auth", "request-body":
		default:
			a.header.Set(key, value)
		}
	}
	if a.status == 0 {
		t.Fatalf("%s has no status; is it a recording?", name)
	}
	return lines[0], a
}

type replay struct {
	login   ecp.Credentials
	calls   []call
	refusal recorded
}

// call is a recorded call.
type call struct {
	method, path string
	query        url.Values
	answer       recorded
}

// match returns how many parameters of the call q has. It returns false if one differs.
func (c call) match(q url.Values) (int, bool) {
	for k := range c.query {
		if c.query.Get(k) != q.Get(k) {
			return 0, false
		}
	}
	return len(c.query), true
}

type recorded struct {
	status int
	header http.Header
	body   string
}

// open are the paths that EMQX answers without credentials.
var open = map[string]bool{
	"/status": true, "/api/v5/status": true, "/api/v5/load_rebalance/availability_check": true,
	"/api/v4/emqx_prometheus": true,
}

// ServeHTTP answers as recorded.
func (r replay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	user, password, _ := req.BasicAuth()
	if (ecp.Credentials{Username: user, Password: password}) != r.login && !open[req.URL.Path] {
		r.refusal.ServeHTTP(w, req)
		return
	}
	a, most := recorded{status: http.StatusNotFound}, -1
	for _, c := range r.calls {
		if c.method != req.Method || c.path != req.URL.Path {
			continue
		}
		if n, ok := c.match(req.URL.Query()); ok && n > most {
			a, most = c.answer, n
		}
	}
	a.ServeHTTP(w, req)
}

// ServeHTTP answers every request as recorded.
func (a recorded) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// AddBodies adds the bodies of all recordings in folders of testdata as seeds.
func AddBodies(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(names) == 0 {
		f.Fatalf("no recordings: %v", err)
	}
	for _, name := range names {
		_, a := readRecording(f, name)
		f.Add([]byte(a.body))
	}
}
