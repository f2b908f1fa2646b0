package main_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
)

// together are daemons that work on one database.
type together struct {
	url, keys string
	environ   []string
	token     string
}

func newTogether(t *testing.T, server *pgtest.Server) *together {
	t.Helper()
	const token = "only-for-tests-0123456789abcdef"
	keys := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(keys, []byte("first:"+strings.Repeat("A", 43)+"=\n"), 0o600))
	return &together{server.Database(t), keys, []string{"ECPD_BOOTSTRAP_TOKEN=" + token}, token}
}

// begin starts a daemon.
func (g *together) begin(t *testing.T, args ...string) *process {
	t.Helper()
	return launch(t, t.TempDir(), g.environ, append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir",
		t.TempDir(), "--database", g.url, "--peer-listen", "127.0.0.1:0", "--secrets-key-file", g.keys,
		"--cluster-agent", "http://127.0.0.1:18180"}, args...)...)
}

// ready waits until a daemon that was begun works.
func (g *together) ready(t *testing.T, p *process) *daemon {
	t.Helper()
	d := client(t, p, p.Line(t, readyLine), g.token)
	d.works(t)
	return d
}

// listed is a daemon as the API lists it.
type listed struct {
	ID, Host, Address, Version string
	Unheard, AgentAddress      string
	Started, LastSeen          time.Time
	Shards                     int
	Self                       bool
}

// shares waits until so many daemons share the fleet evenly, and returns them.
func (d *daemon) shares(t *testing.T, n int, within time.Duration) (all []listed) {
	t.Helper()
	processtest.Eventually(t, within, func() (bool, string) {
		var list struct{ Items []listed }
		d.call(t, "GET", "/api/v1/daemons", "", &list, 200)
		all = list.Items
		even := len(all) == n
		for _, o := range all {
			even = even && o.Shards >= 256/n
		}
		return even, fmt.Sprintf("%+v", all)
	})
	return all
}

// worksTogether: two daemons that are started at once on an empty database work together;
// what one does the other knows at once; one that ends hands over.
func worksTogether(t *testing.T, server *pgtest.Server) {
	g := newTogether(t, server)
	first, second := g.begin(t, "--drain", "5s"), g.begin(t) // so that it is seen on a loaded machine, too
	a, b := g.ready(t, first), g.ready(t, second)
	all := a.shares(t, 2, 20*time.Second)
	require.Equal(t, all[0].Self, all[1].Self == false)
	for _, o := range all {
		require.NotEmpty(t, o.Host)
		require.NotEmpty(t, o.Version)
		require.Regexp(t, `^127\.0\.0\.1:[1-9]\d*$`, o.Address)
		require.WithinDuration(t, time.Now(), o.LastSeen, time.Minute)
		require.Empty(t, o.Unheard)
	}
	require.NotEqual(t, all[0].Address, all[1].Address)

	seenAtOnce(t, a, b)
	eventsGoOn(t, a, b)
	sessionsAreShared(t, a, b)

	// One with other keys is none of them.
	stranger := newTogether(t, server)
	stranger.url = g.url
	for _, key := range []string{"first:" + strings.Repeat("B", 43), "other:" + strings.Repeat("A", 43)} {
		require.NoError(t, os.WriteFile(stranger.keys, []byte(key+"=\n"), 0o600))
		p := stranger.begin(t)
		require.Equal(t, 1, p.Wait(t, 20*time.Second))
		require.Contains(t, p.Stderr.String(), "give the same keys of secrets (--secrets-key-file) to all of them")
		require.Contains(t, p.Stderr.String(), "see docs/operations.md where a key is lost")
	}
	a.shares(t, 2, 20*time.Second)

	// A second program that would have the database alone waits until it is free.
	alone := launch(t, t.TempDir(), g.environ, "serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir(),
		"--database", g.url, "--cluster-agent", "http://127.0.0.1:18180")
	alone.Logs(t, "processes that share the database")

	// A graceful end: not ready at first, then everything is handed over.
	stream := a.openEvents(t, "")
	started := time.Now()
	first.Signal(t, syscall.SIGTERM)
	processtest.Eventually(t, 5*time.Second, func() (bool, string) {
		r, err := a.try("GET", "/readyz", "")
		return err == nil && r.status == 503, fmt.Sprint(err, r.status)
	})
	stream.ended(t)
	require.Zero(t, first.Wait(t, 15*time.Second))
	b.shares(t, 1, 10*time.Second)
	t.Logf("handed over within %v of the signal", time.Since(started))
	b.works(t)

	// A kill: another one takes over once the claims have run out.
	c := g.ready(t, g.begin(t, "--database", g.url+"&application_name=third", "--database-connections", "3"))
	c.shares(t, 2, 20*time.Second)
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if r, err := c.try("GET", "/api/v1/clusters", ""); err != nil || r.status != 200 {
				t.Error(r.status, err)
			}
		})
	}
	asking.Wait()
	var connections int
	server.Get(t, g.url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'third'", &connections)
	require.Positive(t, connections)
	require.LessOrEqual(t, connections, 3)
	if os.Getenv("OPENECP_LONG") != "" { // the claims of a daemon that was killed have to run out
		second.Kill()
	} else {
		code, _ := second.Terminate(t)
		require.Zero(t, code)
	}
	c.shares(t, 1, 20*time.Second)
	c.works(t)
	code, _ := c.Terminate(t)
	require.Zero(t, code)
	alone.Line(t, readyLine) // the last one gave the database free
	late := g.begin(t)
	late.Logs(t, "that one does not share it")
	code, _ = alone.Terminate(t)
	require.Zero(t, code)
	g.ready(t, late)
}

// lostKey: where a key of secrets is lost, what daemons know one another by is removed as
// docs/operations.md says, and made anew.
func lostKey(t *testing.T, server *pgtest.Server) {
	g := newTogether(t, server)
	code, _ := g.ready(t, g.begin(t)).Terminate(t)
	require.Zero(t, code)
	require.NoError(t, os.WriteFile(g.keys, []byte("first:"+strings.Repeat("B", 43)+"=\n"), 0o600))
	require.Equal(t, 1, g.begin(t).Wait(t, time.Minute))
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	remove := regexp.MustCompile("`(DELETE FROM [^`]+)`").FindSubmatch(text)
	require.NotNil(t, remove)
	server.Ask(t, g.url, string(remove[1]))
	g.ready(t, g.begin(t))
}

// seenAtOnce: what is made on one daemon is there on the other, once for one key.
func seenAtOnce(t *testing.T, a, b *daemon) {
	t.Helper()
	for i := range 10 {
		name := fmt.Sprint("made-", i)
		var made, seen cluster
		a.call(t, "POST", "/api/v1/clusters", fmt.Sprintf(`{"mode":"adopted","name":%q,"spec":{}}`, name), &made, 201, 202)
		b.call(t, "GET", "/api/v1/clusters/"+made.ID, "", &seen, 200)
		require.Equal(t, name, seen.Name)
		var list struct{ Items []cluster }
		b.call(t, "GET", "/api/v1/clusters?q="+name, "", &list, 200)
		require.Len(t, list.Items, 1)
		a, b = b, a
	}
	var mu sync.Mutex
	ids := map[string]int{}
	var all sync.WaitGroup
	for i := range 20 {
		d := []*daemon{a, b}[i%2]
		all.Go(func() {
			id, err := d.once("one-key", `{"mode":"adopted","name":"only-once","spec":{}}`)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[id]++
		})
	}
	all.Wait()
	require.Len(t, ids, 1, "%v", ids)
}

// eventStream is an open stream of events.
type eventStream struct {
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

// openEvents opens a stream of events behind an id; "" means from now on.
func (d *daemon) openEvents(t *testing.T, after string) *eventStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/api/v1/events", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+d.token)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	resp, err := d.http.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, 200, resp.StatusCode)
	return &eventStream{bufio.NewScanner(resp.Body), cancel}
}

// next returns the id of the next line that has one.
func (s *eventStream) next(t *testing.T) string {
	t.Helper()
	for s.lines.Scan() {
		if id, ok := strings.CutPrefix(s.lines.Text(), "id: "); ok {
			return id
		}
	}
	require.NoError(t, s.lines.Err())
	require.Fail(t, "the stream has ended")
	return ""
}

// ended waits until the daemon has ended the stream.
func (s *eventStream) ended(t *testing.T) {
	t.Helper()
	for s.lines.Scan() { // until then
	}
	require.NoError(t, s.lines.Err())
}

// eventsGoOn: a stream is resumed on the other daemon by the same ids.
func eventsGoOn(t *testing.T, a, b *daemon) {
	t.Helper()
	s := a.openEvents(t, "")
	from := s.next(t)
	var ids []string
	for i := range 6 {
		var made cluster
		b.call(t, "POST", "/api/v1/clusters", fmt.Sprintf(`{"mode":"adopted","name":"event-%d","spec":{}}`, i), &made, 201,
			202)
		ids = append(ids, s.next(t))
	}
	s.cancel()
	for _, d := range []*daemon{a, b} {
		whole := d.openEvents(t, from)
		require.Equal(t, from, whole.next(t), "where it begins")
		for _, id := range ids {
			require.Equal(t, id, whole.next(t))
		}
		whole.cancel()
	}
	rest := b.openEvents(t, ids[2])
	require.Equal(t, ids[2], rest.next(t))
	require.Equal(t, ids[3], rest.next(t))
	rest.cancel()
}

// sessionsAreShared: a login on one daemon is good on the other, until it ends on any.
func sessionsAreShared(t *testing.T, a, b *daemon) {
	t.Helper()
	a.call(t, "POST", "/api/v1/users", `{"name":"ann","password":"correct horse battery","grants":[{"role":"system"}]}`,
		nil, 201)
	login := func(d *daemon, password string, statuses ...int) (out struct{ Token string }) {
		t.Helper()
		d.call(t, "POST", "/api/v1/login", fmt.Sprintf(`{"name":"ann","password":%q}`, password), &out, statuses...)
		return out
	}
	token := login(b, "correct horse battery", 200).Token
	as := func(d *daemon) *daemon { return &daemon{process: d.process, url: d.url, token: token, http: d.http} }
	as(a).call(t, "GET", "/api/v1/me", "", nil, 200)
	as(a).call(t, "POST", "/api/v1/logout", "", nil, 204)
	as(b).call(t, "GET", "/api/v1/me", "", nil, 401)

	tried := 0 // one daemon delays who guesses, until a person on another one ends that
	for range 8 {
		r := a.call(t, "POST", "/api/v1/login", `{"name":"ann","password":"a wrong password"}`, nil, 403, 401, 429)
		if r.status != 429 {
			tried++
		}
	}
	require.Less(t, tried, 5, "each lets through its part of what one would")
	login(a, "correct horse battery", 200, 429)
	b.call(t, "POST", "/api/v1/users/ann/unlock", `{}`, nil, 204, 200)
	processtest.Eventually(t, 5*time.Second, func() (bool, string) {
		r, err := a.try("POST", "/api/v1/login", `{"name":"ann","password":"correct horse battery"}`)
		return err == nil && r.status == 200, fmt.Sprint(err, string(r.body))
	})
}

// wrongPeers: settings that cannot be are refused before anything is done.
func wrongPeers(t *testing.T, server *pgtest.Server) {
	g := newTogether(t, server)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--peer-listen", "127.0.0.1:0"}, "--peer-listen needs --database"},
		{[]string{"--database", g.url, "--peer-listen", "127.0.0.1:0"}, "--peer-listen needs --secrets-key-file"},
		{[]string{"--database", g.url, "--dev", "--peer-listen", "127.0.0.1:0"}, "--peer-listen and --dev exclude"},
		{[]string{"--database", g.url, "--secrets-key-file", g.keys, "--peer-listen", ":18190"},
			"every address of this host: give --peer-address"},
		{[]string{"--database", g.url, "--secrets-key-file", g.keys, "--peer-listen", "nowhere"}, "give HOST:PORT"},
		{[]string{"--database", g.url, "--secrets-key-file", g.keys, "--peer-listen", ":0",
			"--peer-address", "0.0.0.0:1"}, "give HOST:PORT as other daemons reach it"},
		{[]string{"--peer-address", "h:1"}, "--peer-address is of no use without --peer-listen"},
	} {
		r := processtest.Run(t, exec.Command(built(t), append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir",
			filepath.Join(t.TempDir(), "data")}, c.args...)...))
		require.Equal(t, 1, r.Code, "%v: %s", c.args, r)
		require.Contains(t, r.Stderr, c.says)
	}
}
