package adopt_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/peers"
)

// team is some daemons that share a store. Agents reach them by relays, as if by load
// balancers, and so do the daemons one another.
type team struct {
	t       testing.TB
	listen  func() net.Listener // for agents
	store   *memstore.Store
	pki     tls.Certificate
	pin     string
	timings adopt.Timings
	daemons []*daemon
}

// teamName is what agents sign: it is the same for all daemons.
const teamName = "ecp.test"

func newTeam(t *testing.T, daemons int) *team { return newTeamOf(t, daemons) }

func newTeamOf(t testing.TB, daemons int) *team {
	t.Helper()
	tm := &team{t: t, store: memstore.New(), timings: hubTimings, listen: func() net.Listener { return listen(t) }}
	tm.timings.Beat = time.Second // a daemon may be late by three of them
	tm.pki, tm.pin = newCertificate(t)
	for range daemons {
		tm.join(0)
	}
	tm.untilAllHear()
	return tm
}

// daemon is one of a team.
type daemon struct {
	*fleet.Manager
	hub    *adopt.Hub
	mesh   *peers.Mesh
	agents string // where agents connect
	peers  *relay // where other daemons connect
	store  *mortal
	clock  func() time.Time
	halt   func() // ends it with goodbyes
}

// mortal is a way to a store that can be lost.
type mortal struct {
	ecp.Store
	dead atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Store.Read(ctx, fn)
}

func (m *mortal) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Store.Write(ctx, fn)
}

func (m *mortal) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	if m.dead.Load() {
		return func(yield func(ecp.Change, error) bool) { yield(ecp.Change{}, errDead) }
	}
	return m.Store.Changes(ctx, after)
}

func keyRing(t testing.TB) *ecp.KeyRing {
	t.Helper()
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k1", Secret: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	return ring
}

// join starts a daemon whose clock is ahead of the others'.
func (tm *team) join(ahead time.Duration) *daemon {
	t := tm.t
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), nil)).With("on", len(tm.daemons))
	}
	now := func() time.Time { return time.Now().Add(ahead) }
	d := &daemon{store: &mortal{Store: tm.store}, clock: now}
	forPeers, forAgents := listen(t), tm.listen()
	d.peers, d.agents = newRelay(t), forAgents.Addr().String()
	d.peers.lead(forPeers.Addr().String())
	var err error
	d.mesh, err = peers.New(peers.Config{Listener: forPeers, Store: d.store, Sealer: keyRing(t), Logger: log, Now: now,
		Refresh: 100 * time.Millisecond})
	require.NoError(t, err)
	d.hub, err = adopt.NewHub(adopt.Config{Name: teamName, Logger: log, Timings: tm.timings, Peers: d.mesh, Now: now})
	require.NoError(t, err)
	d.Manager, err = fleet.New(ecp.WithActor(t.Context(), ecp.System), fleet.Config{
		Store: d.store, Link: d.hub, Timings: managerTimings, Logger: log, AgentAddress: "https://" + teamName,
		LocalServiceAddresses: true, Now: now, Shared: &fleet.Shared{Address: d.peers.address(), Host: "h"},
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
	})
	require.NoError(t, err)
	d.hub.Bind(d.Manager)
	web := &http.Server{Handler: d.hub.Server(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{tm.pki}},
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	d.hub.Server().ConfigureTLS(web)
	ctx, cancel := context.WithCancel(context.Background())
	var group, serving sync.WaitGroup
	serving.Go(func() { _ = web.ServeTLS(forAgents, "", "") })
	group.Go(func() { _ = d.hub.Run(ctx) })
	group.Go(func() { _ = d.Run(ctx) })
	d.halt = sync.OnceFunc(func() {
		cancel()
		group.Wait()
		_ = web.Close()
		serving.Wait()
	})
	t.Cleanup(d.halt)
	tm.daemons = append(tm.daemons, d)
	return d
}

// kill cuts a daemon off from everybody: it can say nothing any more.
func (tm *team) kill(d *daemon, agents ...*beside) {
	d.store.dead.Store(true)
	d.peers.lead("")
	for _, o := range tm.daemons { // its own connections to the others
		if o != d {
			o.peers.cut()
		}
	}
	for _, b := range agents {
		b.relay.cut()
	}
}

// untilAllHear waits until every daemon hears every other.
func (tm *team) untilAllHear() {
	tm.t.Helper()
	for _, d := range tm.daemons {
		eventually(tm.t, func() bool { return d.hub.Heard() == len(tm.daemons)-1 },
			func() string { return fmt.Sprint("hears ", d.hub.Heard()) })
	}
}

func (tm *team) as() context.Context { return ecp.WithActor(tm.t.Context(), ecp.System) }

// adopted makes a cluster with an agent beside each node; agents are led to the daemons
// that are named.
func (tm *team) adopted(on ...*daemon) (ecp.ID, []*beside) {
	t := tm.t
	t.Helper()
	sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.8.9"})
	info, _, err := tm.daemons[0].Create(tm.as(), fleet.CreateRequest{Mode: ecp.Adopted, Name: "meters",
		Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
	require.NoError(t, err)
	_, token, err := tm.daemons[0].Agents.CreateRegistration(tm.as(), info.ID, 0)
	require.NoError(t, err)
	var out []*beside
	for i := range on {
		sim.Join(fmt.Sprintf("emqx@10.0.0.%d", i+1))
	}
	for i, d := range on {
		r := newRelay(t)
		r.lead(d.agents)
		s := &site{t: t.(*testing.T), name: r.address(), pin: tm.pin}
		b := s.agent(fmt.Sprintf("host-%d", i+1), sim.Node(fmt.Sprintf("emqx@10.0.0.%d", i+1)), "5.8.9")
		b.serverName, b.relay = teamName, r
		require.NoError(t, b.register(token))
		out = append(out, b)
	}
	return info.ID, out
}

// untilServed waits until every daemon but those that are left out shows every agent as
// connected, with a complete report, and reaches a broker by each.
func (tm *team) untilServed(id ecp.ID, agents []*beside, but ...*daemon) {
	tm.t.Helper()
	for i, d := range tm.daemons {
		if len(but) > 0 && but[0] == d {
			continue
		}
		seen := ""
		eventually(tm.t, func() bool {
			seen = fmt.Sprintf("daemon %d: %+v", i, d.hub.Observe(id))
			for _, b := range agents {
				o, ok := d.hub.Observe(id).Of(ecp.AgentID(b.identity.Agent))
				if !ok || !o.Connected || o.Report == nil || !o.Report.Complete() ||
					d.ask(tm.t, id, b.node.Name()) != nil {
					return false
				}
			}
			return true
		}, func() string { return seen })
	}
}

// ask asks the broker beside a node, through its agent.
func (d *daemon) ask(t testing.TB, id ecp.ID, node string) error {
	t.Helper()
	e, err := d.hub.Endpoint(t.Context(), id, node)
	if err != nil {
		return err
	}
	b, err := emqxv5.New(emqxv5.Config{}).Open(e)
	if err != nil {
		return err
	}
	defer b.Close()
	_, err = b.Describe(t.Context())
	return err
}

// relay passes connections on to an address that can change, or to none.
type relay struct {
	listener net.Listener

	mu    sync.Mutex
	to    string                // guarded by mu; empty means that connections are refused
	conns map[net.Conn]struct{} // guarded by mu
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func newRelay(t testing.TB) *relay {
	t.Helper()
	r := &relay{listener: listen(t), conns: map[net.Conn]struct{}{}}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			near, err := r.listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { r.pass(near) })
		}
	})
	t.Cleanup(func() {
		_ = r.listener.Close()
		r.lead("")
		work.Wait()
	})
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) pass(near net.Conn) {
	r.mu.Lock()
	to := r.to
	r.mu.Unlock()
	defer near.Close()
	if to == "" {
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	r.mu.Lock()
	if r.to != to {
		r.mu.Unlock()
		return
	}
	r.conns[near], r.conns[far] = struct{}{}, struct{}{}
	r.mu.Unlock()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, near)
	delete(r.conns, far)
}

// lead lets new connections go elsewhere, and cuts those that there are.
func (r *relay) lead(to string) {
	r.mu.Lock()
	r.to = to
	r.mu.Unlock()
	r.cut()
}

// redirect lets new connections go elsewhere.
func (r *relay) redirect(to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
}
