package peers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Daemon is a program that shares the Store.
type Daemon struct {
	ID      string // lower-case letters and digits
	Address string // host and port where its Mesh listens; empty means that it cannot be dialled
	Self    bool   // it is the one that asks
}

// Config configures a [Mesh]. Listener, Store and Sealer are required.
type Config struct {
	// Listener takes the connections of other daemons. The Mesh owns it: Run closes it when
	// it ends.
	Listener net.Listener
	// Store keeps the authority; it is the Store that the daemons share.
	Store ecp.Store
	// Sealer seals the authority's private key. All daemons need the same keys.
	Sealer ecp.Sealer
	// Logger may be nil: then nothing is logged.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now. Timers use the real time.
	Now func() time.Time
	// Refresh is how often the list of daemons is read. Zero means one second.
	Refresh time.Duration
}

// Mesh is one daemon's end of the connections between daemons. Create one with New, name
// the source of the list of daemons with Bind, and start it with Run. It is safe for use by
// several goroutines.
type Mesh struct {
	cfg       Config
	log       *slog.Logger
	plain     *http.Transport // HTTP/2
	upgrades  *http.Transport // HTTP/1.1
	dialled   *connections
	accepted  *connections
	requests  sync.WaitGroup // that are being served
	authority *authority

	mu       sync.Mutex
	handlers []route                                     // guarded by mu, as all below
	list     func(ctx context.Context) ([]Daemon, error) // nil until Bind
	daemons  []Daemon                                    // that the Store lists, but for this one
	self     string                                      // id of this daemon; empty until the Store lists it
	leaf     *tls.Certificate                            // nil until self is known
	failed   error                                       // of the last refresh
	changed  chan struct{}                               // closed and replaced when daemons is another
	closed   bool                                        // Run has ended
}

type route struct {
	prefix  string
	handler http.Handler
}

// New returns a Mesh that serves and dials nothing before Run.
func New(c Config) (*Mesh, error) {
	switch {
	case c.Listener == nil:
		return nil, errors.New("peers: Config.Listener is nil: other daemons could not reach this one")
	case c.Store == nil:
		return nil, errors.New("peers: Config.Store is nil")
	case c.Sealer == nil:
		return nil, errors.New("peers: Config.Sealer is nil: the private key of the daemons' authority is not stored " +
			"unless it can be sealed")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Refresh <= 0 {
		c.Refresh = time.Second
	}
	m := &Mesh{cfg: c, log: c.Logger, changed: make(chan struct{}), dialled: newConnections(),
		accepted: newConnections(), authority: newAuthority(c)}
	m.plain, m.upgrades = m.newTransports()
	return m, nil
}

// Bind sets the function that lists the daemons which share the Store, this one among them.
// It is called every [Config].Refresh; until it lists this daemon, none is dialled.
func (m *Mesh) Bind(list func(ctx context.Context) ([]Daemon, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = list
}

// Handle adds a handler for requests of other daemons whose paths begin with a prefix. It
// must be called before Run. [CallerOf] names the daemon that sent a request.
func (m *Mesh) Handle(prefix string, h http.Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handlers = append(m.handlers, route{prefix, h})
}

// Self returns the id of this daemon; empty until the Store has listed it.
func (m *Mesh) Self() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.self
}

// Others returns the other daemons that the Store lists, and a channel that is closed when
// that has changed.
func (m *Mesh) Others() (daemons []Daemon, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.daemons), m.changed
}

// Err returns why the list of daemons and the certificates could not be renewed the last time
// that was due; nil means that they were. [ErrKeys] does not pass by itself.
func (m *Mesh) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// lists reports whether the Store lists another daemon of this id.
func (m *Mesh) lists(id string) bool {
	_, ok := m.find(id)
	return ok
}

func (m *Mesh) find(id string) (Daemon, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.daemons, func(d Daemon) bool { return d.ID == id })
	if i < 0 {
		return Daemon{}, false
	}
	return m.daemons[i], true
}

// Run serves other daemons, and keeps the list of them and the certificates, until ctx
// ends. All connections are closed and all goroutines have ended when it returns. It can be
// called once.
func (m *Mesh) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := m.newServer(ctx)
	var group sync.WaitGroup
	var served error
	group.Go(func() {
		served = server.Serve(m.accepted.listener(m.cfg.Listener, server.TLSConfig))
		cancel()
	})
	m.keep(ctx)
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	_ = server.Close()
	m.accepted.closeAll()
	m.dialled.closeAll()
	m.plain.CloseIdleConnections()
	m.upgrades.CloseIdleConnections()
	m.requests.Wait()
	group.Wait()
	if errors.Is(served, http.ErrServerClosed) || errors.Is(served, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve other daemons: %w", served)
}

// keep reads the list of daemons again and again, and renews the certificate, until ctx
// ends.
func (m *Mesh) keep(ctx context.Context) {
	tick := time.NewTicker(m.cfg.Refresh)
	defer tick.Stop()
	for failing := false; ; {
		err := m.refresh(ctx)
		m.mu.Lock()
		m.failed = err
		m.mu.Unlock()
		if err != nil && !failing && ctx.Err() == nil {
			m.log.WarnContext(ctx, "what daemons know of one another could not be read anew; what was known stays",
				ecp.ErrorAttr(err))
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// refresh reads the list of daemons once, and makes a certificate if one is due.
func (m *Mesh) refresh(ctx context.Context) error {
	m.mu.Lock()
	list := m.list
	m.mu.Unlock()
	if list == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := list(ctx)
	if err != nil {
		return err
	}
	self := m.take(all)
	if self == "" {
		return nil
	}
	return m.renew(ctx, self)
}

// patience is how long one answer of the Store may take.
const patience = 5 * time.Second

// take keeps a list of daemons, and returns the id of this one.
func (m *Mesh) take(all []Daemon) (self string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var others []Daemon
	for _, d := range all {
		switch {
		case d.Self:
			m.self = d.ID
		case idForm.MatchString(d.ID):
			others = append(others, d)
		}
	}
	if !slices.Equal(others, m.daemons) {
		m.daemons = others
		close(m.changed)
		m.changed = make(chan struct{})
	}
	return m.self
}

// renew issues this daemon a certificate, if it has none or the one it has is a day old.
func (m *Mesh) renew(ctx context.Context, self string) error {
	due, err := m.authority.load(ctx)
	if err != nil {
		return fmt.Errorf("authority of the daemons: %w", err)
	}
	m.mu.Lock()
	leaf := m.leaf
	m.mu.Unlock()
	if leaf != nil && !due && m.cfg.Now().Sub(leaf.Leaf.NotBefore.Add(skew)).Abs() < renewEvery {
		return nil
	}
	fresh, err := m.authority.issue(self)
	if err != nil {
		return fmt.Errorf("issue a certificate: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaf = fresh
	return nil
}

// certificate returns the certificate of this daemon.
func (m *Mesh) certificate() (*tls.Certificate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leaf == nil {
		return nil, errNotReady
	}
	return m.leaf, nil
}

var errNotReady = errors.New("this daemon has no certificate yet: the database does not list it")
