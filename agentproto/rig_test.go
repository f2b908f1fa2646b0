package agentproto

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// quickServer and quickAgent are times for tests: everything that takes
// seconds in the field takes tens of milliseconds, but for patience: where a
// machine has much to do, whoever lives may be silent or slow for a while.
var (
	quickServer = ServerTimings{
		Heartbeat: time.Second, Silence: 20 * time.Second, Handshake: time.Minute,
		ConflictPing: 3 * time.Second, Goodbye: time.Second, RetryAfter: 20 * time.Millisecond,
		Eviction: 50 * time.Millisecond, Reconnect: time.Millisecond,
	}
	quickAgent = AgentTimings{
		Silence: 20 * time.Second, BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
		Drain: 200 * time.Millisecond,
	}
)

// carriers is what every test of a connection runs on.
var carriers = map[Carrier]TunnelMode{CarrierDirect: TunnelDirect, CarrierWebSocket: TunnelWebSocket}

// eachCarrier runs a test on both carriers.
func eachCarrier(t *testing.T, test func(t *testing.T, tunnel TunnelMode)) {
	for carrier, tunnel := range carriers {
		t.Run(string(carrier), func(t *testing.T) { test(t, tunnel) })
	}
}

// rig is a server on a real TLS socket of the loopback interface.
type rig struct {
	t        testing.TB
	ca       *testCA
	url      string
	addr     string
	server   *Server
	registry *roll
	events   *events
	logs     *syncBuffer
	stop     func()
}

func newRig(t testing.TB, change ...func(*ServerConfig)) *rig {
	t.Helper()
	r := &rig{t: t, ca: newTestCA(t, "test CA"), registry: &roll{keys: map[string]ed25519.PublicKey{}},
		events: newEvents(), logs: &syncBuffer{}}
	r.start("127.0.0.1:0", change...)
	t.Cleanup(func() { r.stop() })
	return r
}

// start serves at an address, again after stop.
func (r *rig) start(addr string, change ...func(*ServerConfig)) {
	r.t.Helper()
	var l net.Listener
	var err error
	r.eventually("it listens on "+addr, func() bool { // another test's connection may have the port of before
		l, err = new(net.ListenConfig).Listen(r.t.Context(), "tcp", addr)
		return err == nil
	})
	r.addr = l.Addr().String()
	r.url = "https://" + r.addr
	cfg := ServerConfig{
		Name: r.addr, Registry: r.registry, Observer: r.events, Timings: quickServer,
		Logger: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	r.server, err = NewServer(cfg)
	require.NoError(r.t, err)
	mux := http.NewServeMux()
	mux.Handle("/agent/v1/", r.server)
	mux.HandleFunc("/people", func(w http.ResponseWriter, q *http.Request) { fmt.Fprint(w, q.Proto) })
	h := &http.Server{
		Handler: mux,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{r.ca.server(r.t,
			"127.0.0.1",
			"localhost").pair()}},
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	r.server.ConfigureTLS(h)
	var served sync.WaitGroup
	served.Go(func() { _ = h.Serve(r.server.Listener(r.t.Context(), l, h.TLSConfig)) }) // other tests serve by ServeTLS
	r.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), patience)
		defer cancel()
		_ = r.server.Shutdown(ctx)
		_ = h.Close()
		served.Wait()
	})
}

// identity returns one of a new agent that the server knows.
func (r *rig) identity() Identity {
	r.t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	require.NoError(r.t, err)
	id := Identity{Key: key, Agent: r.registry.add(pub)}
	id.Server, id.ServerName = r.url, r.addr
	id.CASHA256 = []string{Fingerprint(r.ca.cert)}
	return id
}

// roll is a registry whose agents come and go.
type roll struct {
	mu    sync.Mutex
	count int
	keys  map[string]ed25519.PublicKey
	asked func(agent string) // called before a key is returned; nil means nothing
}

func (l *roll) add(key ed25519.PublicKey) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	id := fmt.Sprintf("agent-%d", l.count)
	l.keys[id] = key
	return id
}

func (l *roll) Register(context.Context, Registration) (Registered, error) {
	return Registered{}, errors.ErrUnsupported
}

func (l *roll) Unregister(_ context.Context, agent string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, agent)
	return nil
}

func (l *roll) PublicKey(_ context.Context, agent string) (ed25519.PublicKey, error) {
	l.mu.Lock()
	key, ok := l.keys[agent]
	asked := l.asked
	l.mu.Unlock()
	if asked != nil {
		asked(agent)
	}
	if !ok {
		return nil, &Refusal{Code: RefusedUnknownAgent, Message: "no such agent; register again"}
	}
	return key, nil
}

// running is an agent that runs.
type running struct {
	id     string
	stop   func() // and waits
	err    chan error
	status *statuses
}

// agent starts an agent, which stops with the test.
func (r *rig) agent(id Identity, tunnel TunnelMode, change ...func(*AgentConfig)) *running {
	r.t.Helper()
	run := &running{id: id.Agent, err: make(chan error, 1), status: &statuses{changed: make(chan struct{})}}
	cfg := AgentConfig{
		Identity: id, Tunnel: tunnel, Timings: quickAgent, Status: run.status.add,
		Logger: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	a, err := NewAgent(cfg)
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run.err <- a.Run(ctx)
	}()
	run.stop = func() {
		cancel()
		<-done
	}
	r.t.Cleanup(run.stop)
	return run
}

// connected starts an agent and waits until the server shows it.
func (r *rig) connected(tunnel TunnelMode, change ...func(*AgentConfig)) *running {
	r.t.Helper()
	run := r.agent(r.identity(), tunnel, change...)
	r.waitBoth(run)
	return run
}

// waitBoth waits until server and agent say that they are connected.
func (r *rig) waitBoth(run *running) {
	r.t.Helper()
	r.waitConnected(run.id)
	r.eventually("the agent is connected", func() bool { return run.status.last().Phase == PhaseConnected })
}

func (r *rig) waitConnected(agent string) Connection {
	r.t.Helper()
	var c Connection
	r.eventually("agent "+agent+" is connected", func() (ok bool) {
		c, ok = r.server.Connection(agent)
		return ok
	})
	return c
}

// patience is how long anything is waited for: on a loaded machine much is late.
const patience = time.Minute

// eventually waits for a condition, and prints what was logged if it does not
// come.
func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %s: %s\nevents: %v\nlog:\n%s", patience, what, r.events.all(), r.logs)
		}
		<-tick.C
	}
}

func (r *rig) client(run *running, host Host) *http.Client {
	return &http.Client{Transport: r.server.Transport(run.id, host)}
}

// events is an observer that keeps what it was told.
type events struct {
	mu   sync.Mutex
	list []event
}

type event struct {
	what   string // connected, disconnected, conflicted
	conn   Connection
	other  Connection
	ending Ending
}

func (e event) String() string {
	return fmt.Sprintf("%s %s/%s clean=%t %q", e.what, e.conn.Agent, e.conn.Instance, e.ending.Clean, e.ending.Reason)
}

func newEvents() *events { return &events{} }

func (e *events) add(v event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, v)
}
func (e *events) Connected(c Connection) { e.add(event{what: "connected", conn: c}) }
func (e *events) Disconnected(c Connection, end Ending) {
	e.add(event{what: "disconnected", conn: c, ending: end})
}
func (e *events) Conflicted(a, b Connection) { e.add(event{what: "conflicted", conn: a, other: b}) }

func (e *events) all() []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]event(nil), e.list...)
}

// last returns the newest event of a kind.
func (e *events) last(what string) (event, bool) {
	all := e.all()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].what == what {
			return all[i], true
		}
	}
	return event{}, false
}

// statuses keeps what an agent told of itself.
type statuses struct {
	mu      sync.Mutex
	list    []AgentStatus
	changed chan struct{}
}

func (s *statuses) add(st AgentStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, st)
}

func (s *statuses) last() AgentStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return AgentStatus{}
	}
	return s.list[len(s.list)-1]
}

// syncBuffer is a buffer that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// link is a TCP proxy whose connections can be cut, or stopped without an end.
type link struct {
	net.Listener
	target string
	work   sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn
	frozen chan struct{} // closed = nothing is forwarded
}

func newLink(t testing.TB, target string) *link {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	k := &link{Listener: l, target: target, frozen: make(chan struct{})}
	k.work.Go(k.accept)
	t.Cleanup(func() {
		_ = l.Close()
		k.cut()
		k.work.Wait()
	})
	return k
}

func (k *link) accept() {
	for {
		near, err := k.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", k.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		k.mu.Lock()
		frozen := k.frozen
		k.conns = append(k.conns, near, far)
		k.mu.Unlock()
		for _, p := range [][2]net.Conn{{near, far}, {far, near}} {
			k.work.Go(func() { forward(p[0], p[1], frozen) })
		}
	}
}

// forward copies until the link is frozen: then it reads and writes no more,
// and closes nothing.
func forward(to, from net.Conn, frozen chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-frozen:
			return
		default:
		}
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = errors.Join(err, werr)
			}
		}
		if err != nil {
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

// freeze makes the connections there are half-open; new ones work.
func (k *link) freeze() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.frozen)
	k.frozen = make(chan struct{})
}

// cut ends the connections there are.
func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.conns {
		_ = c.Close()
	}
	k.conns = nil
}
