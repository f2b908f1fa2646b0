package peers

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/memstore"
)

// registry is what a Store lists, for a test to change.
type registry struct {
	store ecp.Store
	ring  *ecp.KeyRing

	mu  sync.Mutex
	all []Daemon // guarded by mu
}

func newRegistry(t *testing.T, key byte) *registry {
	t.Helper()
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k1", Secret: bytes.Repeat([]byte{key}, 32)})
	require.NoError(t, err)
	return &registry{store: memstore.New(), ring: ring}
}

func (r *registry) list(self string) func(context.Context) ([]Daemon, error) {
	return func(context.Context) ([]Daemon, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		out := slices.Clone(r.all)
		for i := range out {
			out[i].Self = out[i].ID == self
		}
		return out, nil
	}
}

func (r *registry) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = slices.DeleteFunc(r.all, func(d Daemon) bool { return d.ID == id })
}

// start starts the Mesh of a daemon, which the registry lists.
func (r *registry) start(t *testing.T, id string, handler http.HandlerFunc) *Mesh {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m, err := New(Config{Listener: l, Store: r.store, Sealer: r.ring, Refresh: 20 * time.Millisecond})
	require.NoError(t, err)
	r.mu.Lock()
	r.all = append(r.all, Daemon{ID: id, Address: l.Addr().String()})
	r.mu.Unlock()
	m.Bind(r.list(id))
	m.Handle("/x/", handler)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return m
}

func eventually(t *testing.T, is func() bool, what string) {
	t.Helper()
	timeout, tick := time.After(time.Minute), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-timeout:
			require.Fail(t, "not in time", what)
		}
	}
}

// get asks another daemon for a path; status is zero if it cannot be asked.
func get(t *testing.T, m *Mesh, daemon, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://any"+path, http.NoBody)
	require.NoError(t, err)
	res, err := m.Transport(daemon).RoundTrip(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(raw)
}

func whoAsks(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, CallerOf(r), " ", r.Proto, " ", r.URL.EscapedPath())
}

func TestDaemonsSpeak(t *testing.T) {
	r := newRegistry(t, 1)
	a, b := r.start(t, "aa", whoAsks), r.start(t, "bb", whoAsks)
	for _, ask := range []struct {
		from   *Mesh
		to, is string
	}{{a, "bb", "aa HTTP/2.0 /x/a%2Fb"}, {b, "aa", "bb HTTP/2.0 /x/a%2Fb"}} {
		eventually(t, func() bool {
			status, body := get(t, ask.from, ask.to, "/x/a%2Fb")
			return status == http.StatusOK && body == ask.is
		}, ask.is)
	}
	s, why := get(t, a, "bb", "/y")
	require.Zero(t, s, "what no handler has answered is no answer")
	require.Contains(t, why, "404 Not Found")
	s, _ = get(t, a, "cc", "/x/")
	require.Zero(t, s, "nobody has heard of it")
	require.Equal(t, "aa", a.Self())
	others, _ := a.Others()
	require.Equal(t, []string{"bb"}, []string{others[0].ID})
	require.Len(t, b.authority.roots, 1, "both have the one that was made first")
	require.Equal(t, a.authority.roots[0].Certificate, b.authority.roots[0].Certificate)
}

// TestUpgrade: a stream in both directions, which ends with Run.
func TestUpgrade(t *testing.T) {
	r := newRegistry(t, 1)
	echo := func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	}
	a, _ := r.start(t, "aa", echo), r.start(t, "bb", echo)
	eventually(t, func() bool { _, why := get(t, a, "bb", "/y"); return strings.Contains(why, "404") }, "up")
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://any/x/", http.NoBody)
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}
	res, err := a.Transport("bb").RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	stream, ok := res.Body.(io.ReadWriteCloser)
	require.True(t, ok)
	_, err = io.WriteString(stream, "hello")
	require.NoError(t, err)
	got := make([]byte, 5)
	_, err = io.ReadFull(stream, got)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}

// TestStrangersAreRefused: a daemon that the Store does not list (any more), one of another
// authority, and whoever has no certificate.
func TestStrangersAreRefused(t *testing.T) {
	r := newRegistry(t, 1)
	a, b, gone := r.start(t, "aa", whoAsks), r.start(t, "bb", whoAsks), r.start(t, "dd", whoAsks)
	eventually(t, func() bool { s, _ := get(t, gone, "aa", "/x/"); return s == 200 }, "dd is heard")
	eventually(t, func() bool { s, _ := get(t, b, "aa", "/x/"); return s == 200 }, "bb is heard")

	r.remove("dd")
	eventually(t, func() bool { return !a.lists("dd") }, "it is not listed")
	s, why := get(t, gone, "aa", "/x/")
	require.Zero(t, s, "that is no answer of who is behind the daemon")
	require.Contains(t, why, "403 Forbidden", "on the connection that it has")
	gone.plain.CloseIdleConnections()
	s, _ = get(t, gone, "aa", "/x/")
	require.Zero(t, s, "nor can it connect")

	// A daemon with a database of its own that lists these, and one that lies about its id.
	other := newRegistry(t, 1)
	other.all = slices.Clone(r.all)
	stranger := other.start(t, "cc", whoAsks)
	liar := other.start(t, "bb", whoAsks)
	for _, m := range []*Mesh{stranger, liar} {
		eventually(t, func() bool { return m.lists("aa") && m.Self() != "" }, "ready")
		eventually(t, func() bool { _, why := get(t, m, "aa", "/x/"); return why != "" }, "asked")
		s, why := get(t, m, "aa", "/x/")
		require.Zero(t, s, why)
	}
	// A copy of the database has the authority, and another daemon.
	copied := &registry{store: r.store, ring: r.ring, all: slices.Clone(r.all)}
	twin := copied.start(t, "ee", whoAsks)
	eventually(t, func() bool { return twin.lists("aa") && twin.Self() == "ee" }, "ready")
	s, why = get(t, twin, "aa", "/x/")
	require.Zero(t, s, why)

	address, _ := a.find("bb")
	_, err := tls.Dial("tcp", address.Address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	require.Error(t, err, "older TLS")
	conn, err := tls.Dial("tcp", address.Address, &tls.Config{InsecureSkipVerify: true})
	if err == nil { // with TLS 1.3 a client learns of it when it reads
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	require.ErrorContains(t, err, "certificate required")
	s, _ = get(t, b, "aa", "/x/")
	require.Equal(t, 200, s)
}

// TestImpostor: who listens where another daemon should is not spoken to.
func TestImpostor(t *testing.T) {
	r := newRegistry(t, 1)
	a := r.start(t, "aa", whoAsks)
	r.start(t, "bb", whoAsks)
	eventually(t, func() bool { s, _ := get(t, a, "bb", "/x/"); return s == 200 }, "up")
	r.mu.Lock()
	r.all = append(r.all, Daemon{ID: "cc", Address: r.all[1].Address}) // where bb answers
	r.mu.Unlock()
	eventually(t, func() bool { return a.lists("cc") }, "listed")
	s, why := get(t, a, "cc", "/x/")
	require.Zero(t, s)
	require.Contains(t, why, "not cc.daemon.openecp.internal")
	require.Contains(t, why, r.all[1].Address)
	require.Contains(t, why, "each needs an address of its own")
}

// TestAuthority: it is sealed, made once, and followed by another one in time.
func TestAuthority(t *testing.T) {
	r, now := newRegistry(t, 1), time.Now()
	c := Config{Store: r.store, Sealer: r.ring, Now: func() time.Time { return now }}
	a, b := newAuthority(c), newAuthority(c)
	for _, one := range []*authority{a, b} {
		changed, err := one.load(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
	}
	leaf, err := b.issue("aa")
	require.NoError(t, err)
	require.Equal(t, "aa", daemonIn(leaf.Leaf))
	require.NoError(t, r.store.Read(t.Context(), func(tx ecp.Tx) error {
		s, _, err := ecp.Get[catalog.SealedSecret](tx, record.Binding())
		require.NotContains(t, s.Sealed, "certificate")
		require.Equal(t, []string{"k1"}, ecp.SealedWith(`"`+s.Sealed+`"`))
		return err
	}))

	was := a.roots[0]
	now = was.parsed.NotAfter.Add(-succession / 2)
	_, err = a.load(t.Context())
	require.NoError(t, err)
	require.Len(t, a.roots, 2)
	require.Equal(t, was.Certificate, a.issuer(now).Certificate, "others have not read the new one yet")
	now = now.Add(settled)
	require.Equal(t, a.roots[1].Certificate, a.issuer(now).Certificate)
	_, err = b.load(t.Context())
	require.NoError(t, err)
	require.Len(t, b.roots, 2)

	other := newRegistry(t, 2)
	err = Check(t.Context(), r.store, other.ring)
	require.ErrorIs(t, err, ecp.NewError(ecp.CodeInternal, "", ""), "another key of the same id")
}

// TestNewerKey: a daemon learns that another one has sealed the authority with a key that it
// does not know, and goes on with what it has.
func TestNewerKey(t *testing.T) {
	r := newRegistry(t, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var later atomic.Int64
	m, err := New(Config{Listener: l, Store: r.store, Sealer: r.ring, Refresh: 10 * time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	require.NoError(t, err)
	r.all = []Daemon{{ID: "aa"}}
	m.Bind(r.list("aa"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	eventually(t, func() bool { _, err := m.certificate(); return err == nil && m.Err() == nil }, "ready")

	both, err := ecp.NewKeyRing(ecp.Key{ID: "k2", Secret: bytes.Repeat([]byte{2}, 32)},
		ecp.Key{ID: "k1", Secret: bytes.Repeat([]byte{1}, 32)})
	require.NoError(t, err)
	with := newAuthority(Config{Store: r.store, Sealer: both, Now: time.Now})
	_, err = with.load(t.Context())
	require.NoError(t, err)
	fresh, err := with.seal(with.roots)
	require.NoError(t, err)
	require.NoError(t, r.store.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, fresh, ecp.AnyVersion) }))
	later.Store(int64(2 * reload))
	eventually(t, func() bool { return errors.Is(m.Err(), ErrKeys) }, "it is told")
	_, err = m.certificate()
	require.NoError(t, err)
	cancel()
	require.NoError(t, <-ended)
}

func TestConfig(t *testing.T) {
	r := newRegistry(t, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for _, c := range []Config{{Store: r.store, Sealer: r.ring}, {Listener: l, Sealer: r.ring},
		{Listener: l, Store: r.store}} {
		_, err := New(c)
		require.Error(t, err)
	}
	_, err = newAuthority(Config{Now: time.Now}).issue("not an id")
	require.Error(t, err)
}
