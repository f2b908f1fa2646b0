package emqxtest

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
)

// Replay answers every call recorded in a folder's *.txt files as it was
// answered then, and every other with 404. Without the credentials, login, a
// call gets the 401 that was recorded, else a bare one; /status needs none, as
// in EMQX.
func Replay(t testing.TB, login ecp.Credentials, folder string) http.Handler {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no recordings in %s: %v", folder, err)
	}
	r := replay{login: login, answers: map[string]recorded{}, refusal: recorded{status: http.StatusUnauthorized}}
	for _, name := range names {
		request, a := readRecording(t, name)
		if a.status == http.StatusUnauthorized {
			r.refusal = a
			continue
		}
		r.answers[request] = a
	}
	return r
}

// Recorded answers everything as one recording does, whatever is asked.
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
	answers map[string]recorded
	refusal recorded
}

type recorded struct {
	status int
	header http.Header
	body   string
}

// ServeHTTP answers as recorded.
func (r replay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a, ok := r.answers[req.Method+" "+req.URL.RequestURI()]
	user, password, _ := req.BasicAuth()
	switch {
	case (ecp.Credentials{Username: user, Password: password}) != r.login && req.URL.Path != "/status":
		a = r.refusal
	case !ok:
		a = recorded{status: http.StatusNotFound}
	}
	a.ServeHTTP(w, req)
}

// ServeHTTP answers as recorded, whatever is asked.
func (a recorded) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// AddBodies makes the bodies of all recordings in folders of testdata seeds.
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
