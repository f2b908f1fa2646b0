package drilltest

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// way is how a wire behaves.
type way int

const (
	open    way = iota
	cut         // connections break, and new ones with them
	lost        // nothing arrives in either direction, and nobody is told
	muffled     // what is asked arrives, and no answer does
)

// wire is a daemon's only way to the database, which a test can break.
type wire struct {
	listener net.Listener
	ended    sync.WaitGroup

	mu      sync.Mutex
	to      string // guarded by mu, as all below
	is      way
	changed chan struct{}         // closed and replaced when is changes
	conns   map[net.Conn]struct{} // both ends of each connection
	closed  bool
}

// newWire returns a wire to an address, which ends with the test.
func newWire(t testing.TB, to string) *wire {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{to: to, listener: l, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	w.ended.Go(w.accept)
	t.Cleanup(func() {
		_ = l.Close() // it is at its end anyway
		w.mu.Lock()
		w.closed = true
		w.mu.Unlock()
		w.set(cut)
		w.ended.Wait()
	})
	return w
}

func (w *wire) address() string { return w.listener.Addr().String() }

func (w *wire) get() way {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.is
}

// set changes how the wire behaves. What was under way on a wire that was lost or muffled
// breaks when it is not any more, as if it had timed out.
func (w *wire) set(to way) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.is
	w.is = to
	if to == cut || was == lost || was == muffled {
		for c := range w.conns {
			_ = c.Close() // that is all that is wanted
		}
		clear(w.conns)
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// lead leads new connections elsewhere, and breaks those that there are.
func (w *wire) lead(to string) {
	w.set(cut)
	w.mu.Lock()
	w.to = to
	w.mu.Unlock()
	w.set(open)
}

// freeze keeps what is on the wire until the function that it returns is called: as between
// a stopped process and its database.
func (w *wire) freeze() (thaw func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.is
	w.is = lost
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.is = was
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.ended.Go(func() { w.connect(near) })
	}
}

// connect leads a new connection on. The database does not hear of one that does not get
// through.
func (w *wire) connect(near net.Conn) {
	w.mu.Lock()
	is, changed, closed, to := w.is, w.changed, w.closed, w.to
	w.mu.Unlock()
	if is != open && is != cut && !closed {
		<-changed
	}
	if is != open || closed {
		_ = near.Close() // that is all that is wanted
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		_ = near.Close() // the client sees as much
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.is == cut || w.closed {
		_ = near.Close()
		_ = far.Close()
		return
	}
	w.conns[near], w.conns[far] = struct{}{}, struct{}{}
	w.ended.Go(func() { w.pump(far, near, func(is way) bool { return is == lost }) })
	w.ended.Go(func() { w.pump(near, far, func(is way) bool { return is == lost || is == muffled }) })
}

// pump carries what comes from one end to the other, and holds it back as long as it must.
func (w *wire) pump(to, from net.Conn, holds func(way) bool) {
	defer func() {
		w.mu.Lock()
		delete(w.conns, to)
		delete(w.conns, from)
		w.mu.Unlock()
		_ = to.Close()
		_ = from.Close()
	}()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		for n > 0 {
			w.mu.Lock()
			is, changed := w.is, w.changed
			_, known := w.conns[to]
			w.mu.Unlock()
			if !known {
				return
			}
			if !holds(is) {
				break
			}
			<-changed
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
