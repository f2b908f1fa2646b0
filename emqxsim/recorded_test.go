package emqxsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// recording is what a real broker answered to one request.
type recording struct {
	method, path string
	user, secret string
	status       int
	header       http.Header
	body         string
}

// readRecording reads a file of testdata/recorded: the request line, what was
// sent and what came back, an empty line, the body.
func readRecording(t *testing.T, name string) recording {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	head, body, _ := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	rec := recording{header: http.Header{}, body: strings.TrimSpace(body)}
	var ok bool
	rec.method, rec.path, ok = strings.Cut(lines[0], " ")
	require.True(t, ok, "request line of %s", name)
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "auth":
			rec.user, rec.secret, _ = strings.Cut(strings.TrimPrefix(value, "-u "), ":")
		case "status":
			_, err := fmt.Sscan(value, &rec.status)
			require.NoError(t, err, name)
		default:
			rec.header.Set(key, value)
		}
	}
	return rec
}

// scenes rebuild what the recordings were made of; the first whose prefix fits
// a file counts.
var scenes = []struct {
	files   string
	version string
	nodes   []string
	then    func(c *emqxsim.Cluster)
}{
	{"v4/", "4.4.19", []string{"emqx@127.0.0.4"}, nil},
	{"v4-cluster/01", "4.4.19", []string{"emqx@127.0.0.4", "emqx@127.0.0.5"}, nil},
	{"v4-cluster/02", "4.4.19", []string{"emqx@127.0.0.4", "emqx@127.0.0.5"}, func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.5").Kill() }},
	{"v4-cluster/03", "4.4.19", []string{"emqx@127.0.0.4", "emqx@127.0.0.5"}, func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.5").Leave() }},
	{"v5/33-rebalance-availability-evacuating", "5.8.9", []string{"emqx@127.0.0.1"}, func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.1").SetReady(false) }},
	{"v5/", "5.8.9", []string{"emqx@127.0.0.1"}, nil},
	{"v5-cluster/07", "5.8.9", three5, func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.3").Kill() }},
	{"v5-cluster/08", "5.8.9", three5, func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.3").Leave() }},
	{"v5-cluster/", "5.8.9", three5, nil},
}

var three5 = []string{"emqx@127.0.0.1", "emqx@127.0.0.2", "emqx@127.0.0.3"}

// TestAnswersAsRecorded asks what real brokers were asked and compares status,
// headers, texts as they are, and JSON by its keys and types.
func TestAnswersAsRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*/*.txt")
	require.NoError(t, err)
	require.Greater(t, len(files), 60, "recordings")
	for _, name := range files {
		short := strings.TrimPrefix(filepath.ToSlash(name), "testdata/recorded/")
		t.Run(strings.TrimSuffix(short, ".txt"), func(t *testing.T) {
			rec := readRecording(t, name)
			status, header, body := replay(t, short, rec)
			require.Equal(t, rec.status, status)
			for _, h := range []string{"Content-Type", "WWW-Authenticate"} {
				require.Equal(t, rec.header.Get(h), header.Get(h), h)
			}
			if !strings.HasPrefix(rec.header.Get("Content-Type"), "application/json") {
				require.Equal(t, rec.body, strings.TrimSpace(body))
				return
			}
			var want, got any
			require.NoError(t, json.Unmarshal([]byte(rec.body), &want))
			require.NoError(t, json.Unmarshal([]byte(body), &got))
			require.Empty(t, differentShape("", want, got), "body: %s", body)
			if rec.status >= 400 {
				require.Equal(t, want, got)
			}
		})
	}
}

// replay sends a recorded request to the scene it was recorded in.
func replay(t *testing.T, file string, rec recording) (status int, header http.Header, body string) {
	t.Helper()
	for _, s := range scenes {
		if !strings.HasPrefix(file, s.files) {
			continue
		}
		cfg := emqxsim.ClusterConfig{Version: s.version, Username: "testkey", Password: "testsecret-0123456789"}
		if s.version[0] == '4' {
			cfg.Username, cfg.Password = "admin", "public"
		}
		c := emqxsim.NewCluster(cfg)
		for _, n := range s.nodes {
			c.Join(n)
		}
		if s.then != nil {
			s.then(c)
		}
		srv := httptest.NewServer(c.Node(s.nodes[0]).Handler())
		t.Cleanup(srv.Close)
		req, err := http.NewRequestWithContext(t.Context(), rec.method, srv.URL+rec.path, nil)
		require.NoError(t, err)
		if rec.user != "" {
			req.SetBasicAuth(rec.user, rec.secret)
		} else if strings.Contains(file, "bearer") {
			req.Header.Set("Authorization", "Bearer no-such-token")
		}
		res, err := srv.Client().Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, res.Header, string(b)
	}
	require.Fail(t, "no scene for "+file)
	return 0, nil, ""
}

// differentShape says where got has other keys or types than want; "" if
// nowhere. An element of a list must be like one of those recorded, and there
// must be as many.
func differentShape(at string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if a, b := slices.Sorted(maps.Keys(w)), slices.Sorted(maps.Keys(g)); !ok || !slices.Equal(a, b) {
			return fmt.Sprintf("%s: keys are %v, recorded %v", at, b, a)
		}
		for k := range w {
			if d := differentShape(at+"."+k, w[k], g[k]); d != "" {
				return d
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: %d elements, recorded %d", at, len(g), len(w))
		}
		for i := range g {
			d := ""
			if !slices.ContainsFunc(w, func(like any) bool { d = differentShape(fmt.Sprint(at, i), like, g[i]); return d == "" }) {
				return d
			}
		}
	default:
		if a, b := fmt.Sprintf("%T", want), fmt.Sprintf("%T", got); a != b {
			return fmt.Sprintf("%s: type is %s, recorded %s", at, b, a)
		}
	}
	return ""
}
