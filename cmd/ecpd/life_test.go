package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLifeOfACluster(t *testing.T) {
	t.Parallel()
	d := dev(t, filepath.Join(t.TempDir(), "data"))
	id := d.create(t, "first", 3)
	require.Equal(t, pool{1000, 1}, d.pool(t))

	c := d.reaches(t, id, "running")
	require.Equal(t, 3, c.Status.ReadyNodes)
	require.Len(t, c.Status.Nodes, 3)
	for _, n := range c.Status.Nodes {
		assert.True(t, n.Member, "%s is a member", n.Name)
		assert.Equal(t, "5.8.9", n.Version)
	}

	var op struct{ ID, Phase, Kind string }
	d.call(t, "POST", "/api/v1/clusters/"+id+"/stop", "", &op, 202)
	assert.Equal(t, "stop", op.Kind)
	d.call(t, "GET", "/api/v1/operations/"+op.ID+"?wait=30s", "", &op, 200)
	assert.Equal(t, "succeeded", op.Phase)
	c = d.cluster(t, id)
	assert.Equal(t, "stopped", c.Status.State)
	assert.Empty(t, c.Status.Nodes)

	d.call(t, "POST", "/api/v1/clusters/"+id+"/start", "", nil, 202)
	d.reaches(t, id, "running")
	d.call(t, "DELETE", "/api/v1/clusters/"+id, "", nil, 202)
	d.goes(t, id)
	assert.Equal(t, pool{0, 0}, d.pool(t))
	assert.Empty(t, d.clusters(t))
}

func TestRestartKeepsClusters(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	d := dev(t, dir)
	require.Contains(t, d.Stdout.String(), d.token, "the first start prints the token")
	running, stopped := d.create(t, "runs", 1), d.create(t, "rests", 1)
	d.reaches(t, running, "running")
	d.reaches(t, stopped, "running")
	d.call(t, "POST", "/api/v1/clusters/"+stopped+"/stop", "", nil, 202)
	d.reaches(t, stopped, "stopped")
	code, _ := d.Terminate(t)
	require.Zero(t, code)

	again := dev(t, dir)
	assert.NotContains(t, again.Stdout.String(), d.token, "the token is printed once")
	assert.Equal(t, d.token, again.token)
	again.reaches(t, running, "running")
	again.reaches(t, stopped, "stopped")
	assert.Len(t, again.clusters(t), 2)
	assert.Equal(t, pool{2000, 2}, again.pool(t))
}

// TestKilled kills the daemon with SIGKILL while clusters are created, stopped,
// started and deleted: each comes to the end it would have come to anyway.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute; run without -short")
	}
	t.Parallel()
	rounds := 2
	if os.Getenv("OPENECP_LONG") != "" {
		rounds = 25
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("OPENECP_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("again with the same choices: OPENECP_SEED=%d", seed)
	dir := filepath.Join(t.TempDir(), "data")
	k := &killer{start: func() *daemon { return dev(t, dir) }, random: rand.New(rand.NewPCG(seed, 0))}
	k.d = k.start()
	seen := map[string]bool{}
	for round := range rounds {
		name := fmt.Sprintf("round %d", round)
		k.during(t, "POST", "/api/v1/clusters", request(name, 3))
		id := k.only(t, name)
		require.False(t, seen[id], "the id %s was given out twice", id)
		seen[id] = true
		path := "/api/v1/clusters/" + id

		c := k.d.reaches(t, id, "running")
		require.Equal(t, 3, c.Status.ReadyNodes)
		require.Equal(t, pool{1000, 1}, k.d.pool(t))

		k.during(t, "POST", path+"/stop", "")
		k.d.reaches(t, id, "stopped")

		k.during(t, "POST", path+"/start", "")
		c = k.d.reaches(t, id, "running")
		require.Len(t, c.Status.Nodes, 3)
		require.Equal(t, pool{1000, 1}, k.d.pool(t))

		k.during(t, "DELETE", path, "")
		k.d.goes(t, id)
		require.Empty(t, k.d.clusters(t))
		require.Equal(t, pool{0, 0}, k.d.pool(t))
	}
}

// killer kills its daemon now and then and starts another on the same data.
type killer struct {
	d      *daemon
	start  func() *daemon
	random *rand.Rand
}

// during sends a request and kills the daemon once or twice somewhere between
// before its answer and well after its work. A request without an answer is
// sent again, as a client would.
func (k *killer) during(t *testing.T, method, path, body string) {
	t.Helper()
	answered := make(chan answer, 1)
	go func(d *daemon) {
		a, err := d.try(method, path, body)
		if err != nil {
			a = answer{}
		}
		answered <- a
	}(k.d)
	k.strike(t)
	a := <-answered
	if k.random.IntN(3) == 0 {
		k.strike(t)
	}
	if a.status == 0 {
		// 200: it was taken before the kill; 409: so was the name; 404: so was
		// the deletion, which is over by now.
		k.d.call(t, method, path, body, nil, 200, 202, 204, 409, 404)
		return
	}
	require.Contains(t, []int{200, 201, 202}, a.status, "%s %s: %s", method, path, a.body)
}

func (k *killer) strike(t *testing.T) {
	t.Helper()
	spans := []time.Duration{30 * time.Millisecond, 300 * time.Millisecond, 4 * time.Second}
	delay := time.Duration(k.random.Int64N(int64(spans[k.random.IntN(len(spans))])))
	<-time.After(delay)
	k.d.Kill()
	k.d = k.start()
}

// only returns the id of the one cluster there is, after checking its name.
func (k *killer) only(t *testing.T, name string) string {
	t.Helper()
	all := k.d.clusters(t)
	require.Len(t, all, 1, "clusters after the daemon was killed during create")
	require.Equal(t, name, all[0].Name)
	return all[0].ID
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	d := dev(t, filepath.Join(t.TempDir(), "data"))

	huge := strings.NewReader(request(strings.Repeat("x", 10<<20), 1))
	req, err := http.NewRequest(http.MethodPost, d.url+"/api/v1/clusters", huge)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+d.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := d.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	assert.Empty(t, d.clusters(t))

	stranger := &daemon{url: d.url, http: d.http, token: strings.Repeat("0", 32)}
	nobody := &daemon{url: d.url, http: d.http}
	for _, path := range []string{"/api/v1/clusters", "/metrics"} {
		for who, c := range map[string]*daemon{"a stranger": stranger, "nobody": nobody} {
			a := c.call(t, "GET", path, "", nil, 401)
			assert.Contains(t, a.header.Get("Content-Type"), "application/problem+json", "%s on %s", who, path)
		}
	}
	a := d.call(t, "GET", "/metrics", "", nil, 200)
	for _, want := range []string{"go_goroutines", "process_resident_memory_bytes", "openecp_pool"} {
		assert.Contains(t, string(a.body), want)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		nobody.call(t, "GET", path, "", nil, 200, 204)
	}
}

func TestMetricsListener(t *testing.T) {
	t.Parallel()
	address := processtest.FreeAddress(t)
	d := dev(t, filepath.Join(t.TempDir(), "data"), "--metrics-listen", address)
	nobody := &daemon{url: "http://" + address, http: d.http}
	a := nobody.call(t, "GET", "/metrics", "", nil, 200)
	assert.Contains(t, string(a.body), "go_goroutines")
	nobody.call(t, "GET", "/api/v1/clusters", "", nil, 404)
	d.call(t, "GET", "/metrics", "", nil, 404)
}
