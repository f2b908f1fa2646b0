package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// daemon is a running `ecpd serve --dev` and a client of it.
type daemon struct {
	*process
	url   string
	token string
	http  *http.Client
}

// dev starts the daemon with simulated clusters on a data directory.
func dev(t testing.TB, dataDir string, args ...string) *daemon {
	t.Helper()
	p := launch(t, t.TempDir(), nil,
		append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir", dataDir}, args...)...)
	url := p.Line(t, readyLine)
	token, err := os.ReadFile(filepath.Join(dataDir, "token"))
	require.NoError(t, err)
	return client(t, p, url, strings.TrimSpace(string(token)))
}

// client speaks to a daemon that runs.
func client(t testing.TB, p *process, url, token string) *daemon {
	t.Helper()
	d := &daemon{process: p, url: url, token: token,
		http: &http.Client{Timeout: 45 * time.Second, Transport: &http.Transport{}}}
	t.Cleanup(func() {
		d.http.CloseIdleConnections()
		d.Kill()
		require.NotContains(t, d.Stderr.String(), d.token, "the token is in the log")
	})
	return d
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// try sends a request; the error is that of the connection.
func (d *daemon) try(method, path, body string) (answer, error) {
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := d.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, b}, err
}

// call sends a request that must come to an answer of one of the statuses,
// and reads it into out.
func (d *daemon) call(t testing.TB, method, path, body string, out any, statuses ...int) answer {
	t.Helper()
	a, err := d.try(method, path, body)
	require.NoError(t, err)
	require.Contains(t, statuses, a.status, "%s %s: %s", method, path, a.body)
	if out != nil {
		require.NoError(t, json.Unmarshal(a.body, out), "%s", a.body)
	}
	return a
}

// cluster is the part of the API's cluster that is looked at here.
type cluster struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status struct {
		State      string `json:"state"`
		Reason     string `json:"reason"`
		Message    string `json:"message"`
		ReadyNodes int    `json:"readyNodes"`
		Nodes      []struct {
			Name    string `json:"name"`
			Member  bool   `json:"member"`
			Version string `json:"version"`
		} `json:"nodes"`
	} `json:"status"`
}

func (d *daemon) clusters(t *testing.T) []cluster {
	t.Helper()
	var list struct{ Items []cluster }
	d.call(t, "GET", "/api/v1/clusters", "", &list, 200)
	return list.Items
}

func (d *daemon) cluster(t *testing.T, id string) cluster {
	t.Helper()
	var c cluster
	d.call(t, "GET", "/api/v1/clusters/"+id, "", &c, 200)
	return c
}

// pool is what is booked.
type pool struct {
	UsedConnections int `json:"usedConnections"`
	UsedClusters    int `json:"usedClusters"`
}

func (d *daemon) pool(t *testing.T) pool {
	t.Helper()
	var p pool
	d.call(t, "GET", "/api/v1/pool", "", &p, 200)
	return p
}

func request(name string, nodes int) string {
	return fmt.Sprintf(`{"mode":"hosted","project":"default/default","name":%q,"spec":{"nodes":%d,"connections":1000}}`,
		name, nodes)
}

// create asks for a cluster and gives its id.
func (d *daemon) create(t *testing.T, name string, nodes int) string {
	t.Helper()
	var c cluster
	d.call(t, "POST", "/api/v1/clusters", request(name, nodes), &c, 202)
	require.Equal(t, "creating", c.Status.State)
	return c.ID
}

// reaches waits until a cluster is in a state, and, where that is running, was
// looked at: a daemon that has just begun knows the state, but not the nodes.
func (d *daemon) reaches(t *testing.T, id, state string) cluster {
	t.Helper()
	var c cluster
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		c = d.cluster(t, id)
		return c.Status.State == state &&
				(state != "running" || c.Status.ReadyNodes > 0), fmt.Sprintf("%s is %s (%s: %s), not yet %s", id,
				c.Status.State, c.Status.Reason, c.Status.Message, state)
	})
	return c
}

// goes waits until there is no such cluster any more.
func (d *daemon) goes(t *testing.T, id string) {
	t.Helper()
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		a := d.call(t, "GET", "/api/v1/clusters/"+id, "", nil, 200, 404)
		return a.status == 404, string(a.body)
	})
}
