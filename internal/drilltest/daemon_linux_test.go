package drilltest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/httpapi"
	"github.com/openecp/openecp/sqlstore"
)

// seat is a place where one daemon after the other runs: its address for clients and its
// wire to the database stay.
type seat struct {
	*world
	name    string
	address string
	wire    *wire
	clock   atomic.Int64 // ns by which the wall clock of its daemons is wrong
	started int          // daemons so far

	mu     sync.Mutex
	daemon *daemon // guarded by mu; nil = none runs
}

// daemon is what one process has: a Manager, its API, and connections of its own.
type daemon struct {
	seat    *seat
	name    string
	store   *sqlstore.Store
	peer    *emqxsim.Peer
	manager *fleet.Manager
	server  *http.Server
	done    chan struct{} // closed when streams have to end
	cancel  context.CancelFunc
	ended   sync.WaitGroup

	trap   atomic.Bool                // it stops as it writes next for a cluster
	dead   atomic.Bool                // nothing that it does arrives any more
	frozen atomic.Pointer[suspension] // nor does it go on; nil = it does
}

// suspension is that of a daemon.
type suspension struct {
	over chan struct{} // closed when it goes on
	thaw func()        // what is on its wire
	// rest is closed somewhat later: passes over clusters are quicker than what renews the
	// claims, which a machine may do as well.
	rest chan struct{}
}

// slowStart is how much later that is.
const slowStart = 1500 * time.Millisecond

var errDead = errors.New("the process is dead")

func (s *seat) label() string         { return s.name }
func (s *seat) link() *wire           { return s.wire }
func (s *seat) skew(by time.Duration) { s.clock.Store(int64(by)) }

func (s *seat) now() time.Time { return time.Now().Round(0).Add(time.Duration(s.clock.Load())) }

// runs returns the daemon, nil if none runs.
func (s *seat) runs() *daemon {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.daemon
}

// take returns the daemon, of which nobody else will hear any more.
func (s *seat) take() *daemon {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.daemon
	s.daemon = nil
	return d
}

// start starts a daemon. The error is that of a database out of reach.
func (s *seat) start() error {
	s.started++
	d := &daemon{seat: s, name: fmt.Sprint(s.name, s.started), done: make(chan struct{})}
	_, rest, _ := strings.Cut(s.reached, "@")
	host, _, _ := strings.Cut(rest, "/")
	var err error
	if d.store, err = openStore(strings.Replace(s.reached, host, s.wire.address(), 1), s.now, answers()); err != nil {
		return err
	}
	d.peer = s.sim.Peer(d.name)
	d.manager, err = newManager(fleet.Config{
		Store: through{d.store, d}, Provisioners: map[string]ecp.Provisioner{"default": platform{d.peer, d}},
		Shared: &fleet.Shared{Host: d.name}, Now: s.now,
	})
	if err != nil {
		return errors.Join(err, d.store.Close())
	}
	api, err := httpapi.New(httpapi.Config{Manager: d.manager, Done: d.done})
	if err != nil {
		return errors.Join(err, d.store.Close())
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return errors.Join(err, d.store.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.server = &http.Server{Handler: d.gated(api)}
	d.ended.Go(func() { _ = d.server.Serve(l) }) // ends when it is closed
	d.ended.Go(func() {
		if err := d.manager.Run(ctx); err != nil && !d.dead.Load() {
			s.t.Errorf("%s: Run: %v", d.name, err)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.daemon = d
	return nil
}

// end ends the daemon as SIGTERM does.
func (s *seat) end() {
	d := s.take()
	if d == nil {
		return
	}
	close(d.done)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = d.server.Shutdown(ctx) // who does not end in time is cut off
	_ = d.server.Close()
	d.cancel()
	d.ended.Wait()
	_ = d.store.Close() // the database may be away
}

// kill ends the daemon without a word to anybody.
func (s *seat) kill() {
	d := s.take()
	if d == nil {
		return
	}
	d.dead.Store(true)
	f := d.frozen.Swap(nil)
	if f != nil {
		f.thaw() // what it has sent arrives
	}
	was := s.wire.get()
	s.wire.set(cut)
	d.peer.Suspend(true)
	_ = d.server.Close() // breaks its connections
	if f != nil {
		close(f.over)
		close(f.rest)
	}
	close(d.done)
	d.cancel()
	d.ended.Wait()
	_ = d.store.Close() // it cannot reach the database
	s.wire.set(was)
}

// suspend stops the daemon in the middle of everything.
func (s *seat) suspend() {
	if d := s.runs(); d != nil && d.frozen.Load() == nil {
		d.peer.Suspend(true)
		d.frozen.Store(&suspension{make(chan struct{}), s.wire.freeze(), make(chan struct{})})
	}
}

// suspendWriting stops the daemon where it has seen that a cluster is its own, and is about
// to write for it: when it goes on, only the database can refuse that.
func (s *seat) suspendWriting() {
	d := s.runs()
	d.trap.Store(true)
	deadline := time.Now().Add(patience / 4)
	for d.frozen.Load() == nil && time.Now().Before(deadline) {
		<-time.After(10 * time.Millisecond)
	}
	s.suspend() // where it has nothing to write
}

// wake lets it go on.
func (s *seat) wake() {
	if d := s.runs(); d != nil {
		if f := d.frozen.Swap(nil); f != nil {
			d.peer.Suspend(false)
			f.thaw()
			close(f.over)
			time.AfterFunc(slowStart, func() { close(f.rest) })
		}
	}
}

// goesOn waits while the daemon is suspended. The error is that it is dead.
func (d *daemon) goesOn() error {
	for f := d.frozen.Load(); f != nil; f = d.frozen.Load() {
		<-f.over
	}
	if d.dead.Load() {
		return errDead
	}
	return nil
}

// gated is the API of a daemon that may be suspended or dead.
func (d *daemon) gated(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.goesOn() != nil {
			panic(http.ErrAbortHandler)
		}
		api.ServeHTTP(gatedWriter{w, d}, r)
		if d.goesOn() != nil { // what was not flushed yet is not sent
			panic(http.ErrAbortHandler)
		}
	})
}

type gatedWriter struct {
	http.ResponseWriter
	d *daemon
}

func (w gatedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w gatedWriter) Write(b []byte) (int, error) {
	if err := w.d.goesOn(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}
