package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/httpapi"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "only-for-tests-0123456789"

func tokenFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(name, []byte(token+"\n"), 0o600))
	return name
}

// output is what was printed so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// prints waits until a pattern was printed.
func (o *output) prints(t *testing.T, pattern string) {
	t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for !re.MatchString(o.String()) {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("not printed after 20 s: %s\n%s", pattern, o)
		}
	}
}

// watching runs the program until the test ends.
func watching(t *testing.T, args ...string) (out, notes *output) {
	t.Helper()
	out, notes = &output{}, &output{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, out, notes) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended, "told to end, it ends without an error")
	})
	return out, notes
}

// fleet is a Manager that runs, behind its API.
func newFleet(t *testing.T) (*fleet.Manager, *httptest.Server) {
	t.Helper()
	platform, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 50 * time.Millisecond})
	require.NoError(t, err)
	m, err := fleet.New(t.Context(), fleet.Config{
		Store: memstore.New(), Provisioners: map[string]ecp.Provisioner{"default": platform},
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
	})
	require.NoError(t, err)
	_, err = m.Accounts.Bootstrap(t.Context(), token)
	require.NoError(t, err)
	done := make(chan struct{})
	api, err := httpapi.New(httpapi.Config{Manager: m, Done: done})
	require.NoError(t, err)
	server := httptest.NewServer(api)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		close(done)
		server.Close()
		cancel()
		require.NoError(t, <-ended)
	})
	return m, server
}

func request(name string) fleet.CreateRequest {
	return fleet.CreateRequest{Mode: ecp.Hosted, Name: name,
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: 10}}}
}

// Every change is printed once and in order, however often the connection
// breaks; a cluster that was there before stands above.
func TestFollowsOverBrokenConnections(t *testing.T) {
	m, server := newFleet(t)
	ctx := ecp.WithActor(t.Context(), ecp.System)
	before, op, err := m.Create(ctx, request("was there"))
	require.NoError(t, err)
	_, err = m.WaitOperation(ctx, op.ID, 20*time.Second)
	require.NoError(t, err)
	from, err := m.Position(ctx)
	require.NoError(t, err)

	out, notes := watching(t, "--url", server.URL, "--token-file", tokenFile(t))
	out.prints(t, `^\(now\) +cluster +`+string(before.ID)+` +running +was there$`)

	info, op, err := m.Create(ctx, request("new"))
	require.NoError(t, err)
	out.prints(t, ` cluster +`+string(info.ID)+` +creating +new`)
	server.CloseClientConnections()
	_, err = m.WaitOperation(ctx, op.ID, 20*time.Second)
	require.NoError(t, err)
	out.prints(t, ` cluster +`+string(info.ID)+` +running +new$`)
	out.prints(t, ` operation +`+string(op.ID)+` +succeeded +create of `+string(info.ID)+
		`, objects 1/1, nodes 3/3, members 3/3$`)
	server.CloseClientConnections()
	_, err = m.Cluster(info.ID).Do(ctx, ecp.Delete{})
	require.NoError(t, err)
	out.prints(t, ` cluster +`+string(info.ID)+` +deleted +new`)
	require.Contains(t, notes.String(), "trying again in")

	to, err := m.Position(ctx)
	require.NoError(t, err)
	ours := []ecp.Kind{ecp.KindCluster, ecp.KindOperation, ecp.KindPool, ecp.KindTombstone}
	var want, got []int64
	for c, err := range m.Watch(ctx, from) {
		require.NoError(t, err)
		if slices.Contains(ours, c.Kind) {
			want = append(want, c.Seq)
		}
		if c.Seq == to {
			break
		}
	}
	require.NotEmpty(t, want)
	out.prints(t, fmt.Sprintf(`^\S+ +%d `, want[len(want)-1])) // the last of all may be of a kind that is not told
	for _, line := range regexp.MustCompile(
		`(?m)^20\S+ +(\d+) (?:cluster|operation|pool|tombstone) `).FindAllStringSubmatch(out.String(), -1) {
		n, err := strconv.ParseInt(line[1], 10, 64)
		require.NoError(t, err)
		got = append(got, n)
	}
	require.Equal(t, want, got)
}

// script is an API that answers the calls for events one after the other.
type script struct {
	mu      sync.Mutex
	answers []http.HandlerFunc
	asked   []string // Last-Event-ID of each call
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/clusters") {
		fmt.Fprintf(w,
			`{"items":[{"id":"emqx-0000000%d","name":"a\u001bb","status":{"state":"abnormal","reason":"NodeDown","message":"gone","stale":true}}],"next":%q}`,
			len(r.URL.Query().Get("cursor")), map[bool]string{true: "x"}[r.URL.Query().Get("cursor") == ""])
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.Header.Get("Last-Event-ID"))
	next := s.answers[0]
	s.answers = s.answers[1:]
	s.mu.Unlock()
	next(w, r)
}

// streams answers with a stream that ends, or with hang stays open without a word.
func streams(text string, hang bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, text)
		_ = http.NewResponseController(w).Flush()
		if hang {
			<-r.Context().Done()
		}
	}
}

func problem(status int, detail string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"detail": detail})
	}
}

const poolChange = "id: %d\nevent: pool\ndata: " +
	"{\"seq\":%d,\"at\":\"2026-01-02T03:04:05Z\",\"kind\":\"pool\",\"key\":\"pool\"}\n\n"

func TestComesBackAsTheServerAsks(t *testing.T) {
	s := &script{answers: []http.HandlerFunc{
		streams("retry: 1\nid: 5\n\n"+fmt.Sprintf(poolChange, 6, 6)+"id: 7\nevent: po", false), // cut short
		problem(http.StatusServiceUnavailable, "not now"),
		streams("retry: 1\nid: 6\n\n:\n\n"+fmt.Sprintf(poolChange, 7, 7)+
			"event: problem\ndata: {\"detail\":\"the server is shutting down\"}\n\n", false),
		streams("retry: 1\nid: 7\n\n", true), // dead without a word
		problem(http.StatusGone, "too old"),
		streams("retry: 1\nid: 90\n\n", false),
		problem(http.StatusForbidden, "not you any more"),
	}}
	server := httptest.NewServer(s)
	defer server.Close()
	var out, notes output
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	client, err := newClient("")
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	w := &watcher{
		api: &api{client: client, base: u, tokenFile: tokenFile(t)}, print: printer{&out}, notes: &notes,
		silence: 200 * time.Millisecond, retry: time.Millisecond,
	}
	err = w.follow(t.Context())
	require.EqualError(t, err, "the API answers 403: not you any more")
	require.Equal(t, []string{"", "6", "6", "7", "7", "", "90"}, s.asked)
	const listed = "" +
		"(now)                       cluster   emqx-00000000       abnormal    a b, not seen at present, NodeDown: " +
		"gone\n" +
		"(now)                       cluster   emqx-00000001       abnormal    a b, not seen at present, NodeDown: " +
		"gone\n"
	require.Equal(t, listed+
		"2026-01-02T03:04:05Z      6 pool      pool\n"+
		"2026-01-02T03:04:05Z      7 pool      pool\n"+
		listed, out.String())
	for _, note := range []string{"503: not now", "the server is shutting down", "nothing came for 200ms",
		"410: too old"} {
		require.Contains(t, notes.String(), note)
	}
	require.NotContains(t, notes.String(), token)
}

func TestRefusedForGood(t *testing.T) {
	server := httptest.NewServer(&script{})
	defer server.Close()
	wrong := filepath.Join(t.TempDir(), "wrong")
	require.NoError(t, os.WriteFile(wrong, []byte("another"), 0o600))
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--url", server.URL, "--token-file", wrong}, "401"},
		{[]string{"--url", server.URL, "--token-file", "/nowhere/token"}, "/nowhere/token"},
		{[]string{"--url", "127.0.0.1:18180"}, "--url"},
		{[]string{"--ca-file", "/nowhere/ca"}, "/nowhere/ca"},
		{[]string{"--ca-file", wrong}, "no certificate"},
		{[]string{"more"}, "more"},
	} {
		require.ErrorContains(t, run(t.Context(), row.args, io.Discard, io.Discard), row.want)
	}
}

func TestEvents(t *testing.T) {
	long := "data: " + strings.Repeat("x", maxEvent) + "\n"
	for _, row := range []struct {
		stream string
		want   []event
		err    error
	}{
		{"", nil, io.EOF},
		{"\n", []event{{}}, io.EOF},
		{":\n\n", []event{{}}, io.EOF},
		{"id: 1\nevent: a\ndata: {}\n\n", []event{{id: "1", name: "a", data: "{}"}}, io.EOF},
		{"id:1\r\ndata:x\r\ndata: y\r\n\r\n", []event{{id: "1", data: "x\ny"}}, io.EOF},
		{"retry: 2000\nid: 7\n\n", []event{{id: "7", retry: 2 * time.Second}}, io.EOF},
		{"retry: soon\nother: x\ndata\n\n", []event{{}}, io.EOF},
		{"id: 1\n\nid: 2\ndata: cut", []event{{id: "1"}}, io.EOF},
		{"data: a\n\n" + long + "\n", []event{{data: "a"}}, errLong},
		{strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", maxEvent/1000) + "\n", nil, errLong},
		{"data: " + strings.Repeat("x", 100_000) + "\n\n", []event{{data: strings.Repeat("x", 100_000)}}, io.EOF},
	} {
		var got []event
		stream := newEvents(strings.NewReader(row.stream))
		for {
			e, err := stream.next()
			if err != nil {
				require.ErrorIs(t, err, row.err)
				break
			}
			got = append(got, e)
		}
		require.Equal(t, row.want, got)
	}
}

func TestPause(t *testing.T) {
	require.Equal(t, 500*time.Millisecond, pause(0, 0, 0))
	require.Equal(t, 2*time.Second, pause(0, 2*time.Second, 1))
	require.Equal(t, 4*time.Second, pause(2, 2*time.Second, 0))
	require.Equal(t, 30*time.Second, pause(1000, 2*time.Second, 1))
	require.Equal(t, 15*time.Second, pause(1000, time.Hour, 0))
}

// A pipe that nobody reads any more ends the program.
func TestPrintingFails(t *testing.T) {
	_, server := newFleet(t)
	broken := errors.New("broken pipe")
	m := writerFunc(func([]byte) (int, error) { return 0, broken })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := run(ctx, []string{"--url", server.URL, "--token-file", tokenFile(t), "--since", "0"}, m, io.Discard)
	require.ErrorIs(t, err, broken)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
