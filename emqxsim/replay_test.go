package emqxsim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// TestRecordings asks the simulator what running brokers were asked, and wants
// the answers they gave: the recordings of the tree, and all there are if they
// lie beside it.
func TestRecordings(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		n := replayAll(t, readRecordings(t, ownRecordings))
		require.GreaterOrEqual(t, n, 150, "recordings replayed")
	})
	t.Run("all", func(t *testing.T) {
		all := readRecordings(t, allRecordings)
		if all == nil {
			t.Skipf("no %s: replayed only those of the tree", allRecordings)
		}
		n := replayAll(t, all)
		require.GreaterOrEqual(t, n, 300, "recordings replayed")
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
		if route := routed(notSimulated, rec.method, rec.path); route != "" {
			excluded[route]++
			continue
		}
		require.NotEmpty(t, routed(simulated, rec.method, rec.path), "%s: %s %s is in neither table of used_test.go", rec.name, rec.method, rec.path)
		replayed++
		t.Run(rec.name, func(t *testing.T) { replayOne(t, rec, byName) })
	}
	sum := 0
	for _, n := range excluded {
		sum += n
	}
	t.Logf("%d recordings: %d replayed, %d of %d routes that are not simulated", len(all), replayed, sum, len(excluded))
	return replayed
}

func replayOne(t *testing.T, rec recording, others map[string]recording) {
	if strings.HasPrefix(rec.name, "v5") {
		t.Skip("the face of EMQX 5 does not answer all of these yet")
	}
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
	status, header, body := stage.ask(t, s.door, rec)
	for _, d := range rec.compare(status, header, body) {
		if !isKnown(rec.name, d) {
			t.Errorf("%s: %s %s: %s %s", rec.name, rec.method, rec.path, d.at, d.why)
		}
	}
}

// stage is a simulated cluster with servers before the node that is asked.
type stage struct {
	cluster *emqxsim.Cluster
	doors   map[string]*httptest.Server
	token   string // of the dashboard's user (v5)
}

func build(t *testing.T, s scene) *stage {
	t.Helper()
	cfg := emqxsim.ClusterConfig{Version: s.version, Username: "testkey", Password: "testsecret-0123456789"}
	if s.version[0] == '4' {
		cfg.Username, cfg.Password = "admin", "public"
		cfg.Edition = emqxsim.OpenSource
	}
	c := emqxsim.NewCluster(cfg)
	for _, n := range s.nodes {
		c.Join(n)
	}
	if s.with != nil {
		s.with(c)
	}
	node := c.Node(s.nodes[s.at])
	st := &stage{cluster: c, doors: map[string]*httptest.Server{
		"":          httptest.NewServer(node.Handler()),
		"dashboard": httptest.NewServer(node.Dashboard()),
	}}
	for _, srv := range st.doors {
		t.Cleanup(srv.Close)
	}
	return st
}

// ask sends a recorded request through a door.
func (st *stage) ask(t *testing.T, door string, rec recording) (status int, header http.Header, body string) {
	t.Helper()
	target, _, _ := strings.Cut(rec.path, " ")
	req, err := http.NewRequestWithContext(t.Context(), rec.method, st.doors[door].URL+target, strings.NewReader(rec.request))
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
	case strings.Contains(rec.name, "bearer"), strings.Contains(rec.name, "logout-401"):
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
	return strings.HasPrefix(rec.path, "/api/v5/") && rec.status < 400 && strings.HasPrefix(rec.name, "v5") &&
		!strings.Contains(rec.name, "noauth") && !strings.Contains(rec.path, "/login")
}

// login gives the token of the dashboard's user.
func (st *stage) login(t *testing.T) string {
	t.Helper()
	if st.token == "" {
		status, _, body := st.ask(t, "", recording{method: http.MethodPost, path: "/api/v5/login", request: `{"username":"admin","password":"public"}`})
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
	for _, table := range [][]string{simulated, notSimulated} {
		for _, pattern := range table {
			if !slices.ContainsFunc(all, func(r recording) bool { return routed([]string{pattern}, r.method, r.path) != "" }) &&
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
