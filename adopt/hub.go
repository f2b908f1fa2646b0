package adopt

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/fleet"
)

// manager has the methods of an [fleet.Manager] that a Hub calls.
type manager interface {
	Register(ctx context.Context, r ecp.AgentRegistration) (ecp.AgentRecord, error)
	Unregister(ctx context.Context, agent ecp.AgentID) error
	Key(ctx context.Context, agent ecp.AgentID) (ecp.AgentRecord, error)
	List(ctx context.Context, id ecp.ID) ([]ecp.AgentInfo, error)
	Note(ctx context.Context, agent ecp.AgentID, n ecp.AgentNote) error
	Cluster(id ecp.ID) ecp.Cluster
}

// managed is a Manager with its registry of agents.
type managed struct {
	*agents.Registry
	clusters interface{ Cluster(id ecp.ID) ecp.Cluster }
}

func (m managed) Cluster(id ecp.ID) ecp.Cluster { return m.clusters.Cluster(id) }

// server has the methods of an [agentproto.Server] that a Hub calls.
type server interface {
	KeptReports(ctx context.Context, agent string, after agentproto.Position) iter.Seq2[agentproto.Report, error]
	Logs(ctx context.Context, agent string, q agentproto.LogQuery) iter.Seq2[agentproto.LogLine, error]
	Transport(agent string, host agentproto.Host) http.RoundTripper
	Disconnect(agent string, r agentproto.Refusal)
	Announce(ctx context.Context)
	Shutdown(ctx context.Context) error
}

// Hub connects agents to a Manager: it is an [ecp.LogLink], an [agentproto.Registry]
// and an [agentproto.Observer]. Create one with NewHub, connect it to its Manager with
// Bind, and start it with Run. Its methods are safe for use by several goroutines.
type Hub struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	since   time.Time // when it was made
	server  server
	public  *agentproto.Server // the same
	wakeUp  chan struct{}      // of one: the earliest deadline may have changed
	told    chan struct{}      // of one: the authorities have changed
	stats   stats
	history *historyQueue
	shared  *shared // nil means that no other program shares the Store

	// mu guards all fields below, and what they refer to. While it is held, nothing is
	// called that blocks, or that may call the hub.
	mu       sync.RWMutex
	manager  manager // nil until Bind
	known    map[ecp.AgentID]ecp.ID
	clusters map[ecp.ID]*cluster
	due      *deadlines[ecp.ID]
	watchers map[*func(ecp.ID)]struct{}
	away     []awayNote // still to be stored
	noting   bool       // a goroutine stores them
	start    starter    // nil unless Run runs
}

var (
	_ ecp.LogLink         = (*Hub)(nil)
	_ agentproto.Registry = (*Hub)(nil)
	_ agentproto.Observer = (*Hub)(nil)
)

// NewHub returns a Hub with its Server and starts nothing. Agents count as not heard
// since this moment, until they connect.
func NewHub(c Config) (*Hub, error) {
	h := newHub(c)
	server := agentproto.ServerConfig{
		Name: c.Name, Registry: h, Observer: h, Logger: h.log, Authorities: c.Authorities,
		Reported: h.Reported, MaxAgents: c.MaxAgents, MaxHandshakes: c.MaxHandshakes, Timings: c.Timings.Server,
	}
	if c.Peers != nil {
		h.share(c.Peers)
		server.Fellows = h
	}
	s, err := agentproto.NewServer(server)
	if err != nil {
		return nil, err
	}
	h.server, h.public = s, s
	return h, nil
}

// newHub makes a Hub without a server.
func newHub(c Config) *Hub {
	c.Timings = c.Timings.withDefaults()
	h := &Hub{
		history: newHistoryQueue(),
		cfg:     c, log: c.Logger, now: c.Now, wakeUp: make(chan struct{}, 1), told: make(chan struct{}, 1),
		known: map[ecp.AgentID]ecp.ID{}, clusters: map[ecp.ID]*cluster{}, due: newDeadlines[ecp.ID](),
		watchers: map[*func(ecp.ID)]struct{}{},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.since = h.now()
	return h
}

// Bind sets the Manager, which must have been created with this Hub as its Link.
// Until Bind is called agents are refused as busy, and try again later.
func (h *Hub) Bind(m *fleet.Manager) {
	h.bind(managed{m.Agents, m})
	if h.shared != nil {
		bindMesh(h.shared.mesh, m)
	}
}

func (h *Hub) bind(m manager) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.manager = m
}

// Server returns the server that agents connect to. It is a handler for the paths below
// /agent/v1/ and also prepares the TLS listener for the direct carrier.
func (h *Hub) Server() *agentproto.Server { return h.public }

// boundTo returns the Manager, or nil before Bind.
func (h *Hub) boundTo() manager {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.manager
}

// starter starts a goroutine of a call of Run, which waits for it. Its context ends
// with Run, or by cancel.
type starter func(fn func(ctx context.Context)) (cancel context.CancelFunc)

// Run reads the reports of connected agents and watches the hub's deadlines, until ctx
// ends. Then it closes the connections of all agents. It returns when all goroutines of
// the hub and its server have ended.
func (h *Hub) Run(ctx context.Context) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	start := func(fn func(ctx context.Context)) context.CancelFunc {
		own, cancel := context.WithCancel(working)
		group.Go(func() {
			defer cancel()
			fn(own)
		})
		return cancel
	}
	if err := h.begin(start); err != nil {
		return err
	}
	group.Go(func() { h.keepAnnouncing(working) })
	group.Go(func() { h.keepHistory(working) })
	end := h.beginShared(ctx, working, &group)
	h.keepDeadlines(working)
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.Timings.Goodbye)
	defer cancel()
	h.part(bye)
	err := h.server.Shutdown(bye)
	end()
	h.mu.Lock()
	h.start = nil // nothing begins any more
	h.mu.Unlock()
	group.Wait()
	return err
}

// begin allows goroutines to be started, and starts those for agents that are connected
// already.
func (h *Hub) begin(start starter) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.start != nil {
		return errors.New("adopt: Hub.Run is running already")
	}
	h.start = start
	for _, c := range h.clusters {
		for _, a := range c.agents {
			h.readLocked(a)
		}
	}
	return nil
}

// goLocked starts a goroutine that Run waits for. It returns nil unless Run runs.
func (h *Hub) goLocked(fn func(ctx context.Context)) (cancel context.CancelFunc) {
	if h.start == nil {
		return nil
	}
	return h.start(fn)
}

// keepDeadlines calls expire when deadlines pass, until ctx ends.
func (h *Hub) keepDeadlines(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		h.expire()
		h.mu.RLock()
		next := h.due.next()
		h.mu.RUnlock()
		wait := time.Hour
		if !next.IsZero() {
			wait = max(next.Sub(h.now()), 0)
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-h.wakeUp:
		case <-ctx.Done():
			return
		}
	}
}

// reschedule makes keepDeadlines read the next deadline again.
func (h *Hub) reschedule() {
	select {
	case h.wakeUp <- struct{}{}:
	default:
	}
}
