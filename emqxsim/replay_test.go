package emqxsim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// TestRecordings asks the simulator what running brokers were asked, and wants
// the answers they gave: the recordings of the tree, and all there are if they
// lie beside it.
func TestRecordings(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		n := replayAll(t, readRecordings(t, ownRecordings))
		require.GreaterOrEqual(t, n, 250, "recordings replayed")
	})
	t.Run("compared", replayCompared)
	t.Run("all", func(t *testing.T) {
		all := readRecordings(t, allRecordings)
		if all == nil {
			t.Skipf("no %s: replayed only those of the tree", allRecordings)
		}
		n := replayAll(t, all)
		require.GreaterOrEqual(t, n, 400, "recordings replayed")
		require.Empty(t, unused(all), "rows of the tables that no recording needs; take them out")
	})
}

// replayAll replays what is simulated of some recordings and says how many.
func replayAll(t *testing.T, all []recording) (replayed int) {
	excluded := map[string]int{}
	byName := map[string]recording{}
	for _, rec := range all {
		byName[rec.name] = rec
	}
	for _, rec := range all {
		if route := routed(others, rec.method, rec.path); route != "" {
			excluded[route]++
			continue
		}
		require.NotEmpty(t, routed(used, rec.method, rec.path), "%s: %s %s is in neither table of used_test.go",
			rec.name,
			rec.method, rec.path)
		replayed++
		t.Run(rec.name, func(t *testing.T) { replayOne(t, rec, byName) })
	}
	sum := 0
	for _, n := range excluded {
		sum += n
	}
	t.Logf("%d recordings: %d replayed, %d of %d routes that no adapter asks for", len(all), replayed, sum,
		len(excluded))
	return replayed
}

func replayOne(t *testing.T, rec recording, others map[string]recording) {
	s, ok := sceneOf(rec.name)
	require.True(t, ok, "no scene for %s", rec.name)
	stage := build(t, s)
	for _, name := range s.after {
		before, ok := others[name]
		if !ok {
			before = readRecording(t, ownRecordings, path.Join(ownRecordings, name+".txt"))
		}
		own, _ := sceneOf(name)
		status, _, body := stage.ask(t, own.door, before)
		require.Equal(t, before.status, status, "%s, on the way to %s: %s", name, rec.name, body)
	}
	stage.now = stage.now.Add(s.wait)
	status, header, body := stage.ask(t, s.door, rec)
	told := map[string]bool{} // one of a place is enough
	for _, d := range rec.compare(status, header, body) {
		if !isKnown(rec.name, d) && !told[d.at] {
			told[d.at] = true
			t.Errorf("%s: %s %s: %s %s", rec.name, rec.method, rec.path, d.at, d.why)
		}
	}
}

// stage is a simulated cluster with servers before the node that is asked.
type stage struct {
	cluster *emqxsim.Cluster
	doors   map[string]*httptest.Server
	token   string    // of the dashboard's user (v5)
	now     time.Time // its clock
}

func build(t *testing.T, s scene) *stage {
	t.Helper()
	st := &stage{doors: map[string]*httptest.Server{}, now: time.Date(2026, 11, 23, 9, 20, 0, 0, time.UTC)}
	cfg := emqxsim.ClusterConfig{
		Version: s.version(), Username: "testkey", Password: "testsecret-0123456789",
		Now: func() time.Time { return st.now },
	}
	if s.version()[0] == '4' {
		cfg.Username, cfg.Password = "admin", "public"
		cfg.Edition = emqxsim.OpenSource
	}
	c := emqxsim.NewCluster(cfg)
	for _, n := range s.nodes {
		c.Join(n)
	}
	st.now = st.now.Add(time.Minute)
	if s.with != nil {
		s.with(c)
	}
	st.cluster = c
	node := c.Node(s.nodes[s.at])
	st.doors[""], st.doors["dashboard"] = httptest.NewServer(node.Handler()), httptest.NewServer(node.Dashboard())
	for _, srv := range st.doors {
		t.Cleanup(srv.Close)
	}
	return st
}

// ask sends a recorded request through a door.
func (st *stage) ask(t *testing.T, door string, rec recording) (status int, header http.Header, body string) {
	t.Helper()
	target, _, _ := strings.Cut(rec.path, " ")
	req, err := http.NewRequestWithContext(t.Context(), rec.method, st.doors[door].URL+target,
		strings.NewReader(rec.request))
	require.NoError(t, err)
	req.Header.Set("Accept", "*/*")
	if rec.request != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case rec.user != "":
		req.SetBasicAuth(rec.user, rec.secret)
	case withToken(rec):
		req.Header.Set("Authorization", "Bearer "+st.login(t))
	case strings.Contains(rec.name, "bad-bearer"), strings.Contains(rec.name, "after-logout"):
		req.Header.Set("Authorization", "Bearer no-such-token")
	}
	if rec.isJSON() && strings.Contains(rec.path, "/prometheus/") {
		req.Header.Set("Accept", "application/json")
	}
	res, err := st.doors[door].Client().Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, string(b)
}

// withToken says that a request of v5 without credentials in its recording was
// sent with the token of a login.
func withToken(rec recording) bool {
	without := []string{"noauth", "/login", "bad-bearer", "after-logout"}
	return strings.HasPrefix(rec.name, "v5") && strings.HasPrefix(rec.path, "/api/v5/") &&
		!slices.ContainsFunc(without, func(s string) bool { return strings.Contains(rec.name+rec.path, s) })
}

// login gives the token of the dashboard's user.
func (st *stage) login(t *testing.T) string {
	t.Helper()
	if st.token == "" {
		status, _, body := st.ask(t, "", recording{
			method: http.MethodPost, path: "/api/v5/login", request: `{"username":"admin","password":"public"}`,
		})
		require.Equal(t, http.StatusOK, status, body)
		_, rest, _ := strings.Cut(body, `"token":"`)
		st.token, _, _ = strings.Cut(rest, `"`)
	}
	return st.token
}

// isKnown looks a difference up in the table of those that are meant, and
// notes that its row is needed.
func isKnown(name string, d difference) bool {
	for i := range known {
		k := &known[i]
		if fitsName(k.files, name) && (k.at == "" || fitsName(k.at, d.at)) {
			needed[k.files+" "+k.at] = true
			return true
		}
	}
	return false
}

// needed are the rows of known that some recording needed.
var needed = map[string]bool{}

// fitsName matches a name with a pattern whose "*" stand for anything.
func fitsName(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	for _, p := range parts[1 : len(parts)-1] {
		var found bool
		_, rest, found = strings.Cut(rest, p)
		ok = ok && found
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}

// unused lists the rows of the tables that nothing recorded needs.
func unused(all []recording) []string {
	var out []string
	for _, table := range [][]string{used, others} {
		for _, pattern := range table {
			if !slices.ContainsFunc(all, func(r recording) bool {
				return routed([]string{pattern}, r.method,
					r.path) != ""
			}) &&
				!slices.Contains(neverRecorded, pattern) {
				out = append(out, pattern)
			}
		}
	}
	for _, k := range known {
		if !needed[k.files+" "+k.at] {
			out = append(out, k.files+" "+k.at)
		}
	}
	return out
}
