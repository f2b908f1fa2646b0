package adopt

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/peers"
)

// fellow is another daemon that shares the Store, with what it tells of the agents that are
// connected to it, or were last. The hub's lock guards it.
type fellow struct {
	id     string
	stop   context.CancelFunc // ends the goroutine that follows it
	listed bool               // the Store lists it
	ends   bool               // it has said that it ends, and that its agents go elsewhere
	heard  bool               // it is heard, and has told of all of its agents
	lost   time.Time          // since when it is not heard
	cut    bool               // it has not been heard for so long that its agents count as unheard
	ahead  time.Duration      // how far its clock is ahead of ours
	why    error              // why it was not heard the last time; nil means that it was never tried

	agents map[ecp.AgentID]*toldAgent
	old    map[ecp.AgentID]bool // that it told of on an earlier connection, and not on this one yet
}

// shared is what a hub has because other daemons share its Store.
type shared struct {
	mesh *peers.Mesh
	self func() string // id of this daemon

	// The hub's lock guards the following.
	fellows   map[string]*fellow     // by id
	followers map[*follower]struct{} // daemons that follow this one
	ending    bool                   // this daemon has said that it ends
	blind     blindness              // that was observed with
	parted    chan struct{}          // closed by part, when all followers have been told
	part      func()
}

// share lets the hub work together with those of other daemons.
func (h *Hub) share(mesh *peers.Mesh) {
	parted := make(chan struct{})
	h.shared = &shared{mesh: mesh, self: mesh.Self, fellows: map[string]*fellow{}, followers: map[*follower]struct{}{},
		parted: parted, part: sync.OnceFunc(func() { close(parted) })}
	mesh.Handle(pathPeers, http.HandlerFunc(h.servePeer))
}

// beginShared starts what works together with other daemons. The mesh serves until end is
// called, beyond the end of working.
func (h *Hub) beginShared(ctx, working context.Context, group *sync.WaitGroup) (end func()) {
	if h.shared == nil {
		return func() {}
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() {
		if err := h.shared.mesh.Run(serving); err != nil {
			h.log.ErrorContext(ctx, "other daemons are not served any more", "error", err)
		}
	})
	group.Go(func() { h.keepFellows(working) })
	return cancel
}

// bindMesh lets the mesh know the daemons that the Manager lists.
func bindMesh(mesh *peers.Mesh, m *fleet.Manager) {
	mesh.Bind(func(ctx context.Context) ([]peers.Daemon, error) {
		all, err := m.Daemons(ecp.WithActor(ctx, ecp.System))
		out := make([]peers.Daemon, 0, len(all))
		for _, d := range all {
			out = append(out, peers.Daemon{ID: d.ID, Address: d.Address, Self: d.Self})
		}
		return out, err
	})
}

// patience is how long a daemon that is lost counts as the one that its agents are
// connected to: as long as a connection that is silent.
func (h *Hub) patience() time.Duration {
	if d := h.cfg.Timings.Server.Silence; d > 0 {
		return d
	}
	return 30 * time.Second
}

// keepFellows follows the other daemons until ctx ends.
func (h *Hub) keepFellows(ctx context.Context) {
	tick := time.NewTicker(h.cfg.Timings.Beat / 2)
	defer tick.Stop()
	for {
		others, changed := h.shared.mesh.Others()
		h.meet(others)
		h.observeBlind()
		h.expireFellows()
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// meet takes up which daemons the Store lists, and follows those that are new.
func (h *Hub) meet(others []peers.Daemon) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.shared.fellows {
		f.listed = false
	}
	for _, d := range others {
		f := h.shared.fellows[d.ID]
		if f == nil && d.Address != "" {
			f = &fellow{id: d.ID, lost: h.now(), agents: map[ecp.AgentID]*toldAgent{}}
			if f.stop = h.goLocked(func(ctx context.Context) { h.keepFollowing(ctx, f) }); f.stop == nil {
				return
			}
			h.shared.fellows[d.ID] = f
		}
		if f != nil {
			f.listed = true
		}
	}
}

// expireFellows takes up that daemons have not been heard for long. If the Store still lists
// one, it may only be cut off from this one: nothing is known of its agents, unless they
// connect elsewhere. Otherwise it has ended, and so have their connections.
func (h *Hub) expireFellows() {
	changed := map[ecp.ID]bool{}
	note := func(a *agent) { changed[a.cluster.id] = h.changedLocked(a.cluster) || changed[a.cluster.id] }
	h.mu.Lock()
	now := h.now()
	for id, f := range h.shared.fellows {
		if f.heard || now.Before(f.lost.Add(h.patience())) && (f.listed || len(f.agents) > 0) {
			continue
		}
		if f.listed {
			if !f.cut {
				f.cut = true
				h.eachOfLocked(f, note)
			}
			continue
		}
		f.stop()
		delete(h.shared.fellows, id)
		leads := h.leadsLocked()
		h.eachOfLocked(f, func(a *agent) {
			h.settleLocked(a)
			if a.home == nil && !a.connected {
				a.noted = !leads // one daemon stores it
			}
			note(a)
		})
	}
	h.mu.Unlock()
	for id, matters := range changed {
		if matters {
			h.wake(id)
		}
	}
}

// blindLocked returns which daemon is not heard, and since when.
func (h *Hub) blindLocked() blindness {
	if h.shared == nil {
		return blindness{}
	}
	return h.shared.blind
}

// observeBlind observes clusters anew with agents that have lost their connections, if
// another daemon is not heard any more, or heard again.
func (h *Hub) observeBlind() {
	var now blindness
	var changed []ecp.ID
	h.mu.Lock()
	for _, f := range h.shared.fellows {
		// An agent can be there although the daemon seemed to be heard: silence takes a while.
		if since := f.lost.Add(-4 * h.cfg.Timings.Beat); f.listed && !f.heard && !f.ends &&
			(now.daemon == "" || since.Before(now.since)) {
			now = blindness{f.id, since}
		}
	}
	if now != h.shared.blind {
		h.shared.blind = now
		for id, c := range h.clusters {
			for _, a := range c.agents {
				if !a.connected && !a.clean {
					if h.changedLocked(c) {
						changed = append(changed, id)
					}
					break
				}
			}
		}
	}
	h.mu.Unlock()
	for _, id := range changed {
		h.wake(id)
	}
}

// eachOfLocked calls fn for the agents that are connected to a daemon, or were last.
func (h *Hub) eachOfLocked(f *fellow, fn func(*agent)) {
	for id := range f.agents {
		if a := h.findLocked(id); a != nil && a.home == f {
			fn(a)
		}
	}
}

// leadsLocked reports whether this daemon does what only one of those that are heard is to
// do.
func (h *Hub) leadsLocked() bool {
	self := h.shared.self()
	for _, f := range h.shared.fellows {
		if f.heard && f.id < self {
			return false
		}
	}
	return true
}

// Fellow is another daemon that shares the Store, as this one hears it.
type Fellow struct {
	ID    string
	Heard bool          // it tells of its agents, and requests to them can be forwarded
	Quiet time.Duration // for how long it has not been heard
	Why   string        // it is not heard; empty if it was not tried yet, or said that it ends
}

// Fellows returns the other daemons that the Store lists and that give an address, by id.
func (h *Hub) Fellows() (out []Fellow) {
	if h.shared == nil {
		return nil
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, f := range h.shared.fellows {
		if !f.listed {
			continue
		}
		one := Fellow{ID: f.id, Heard: f.heard}
		if !f.heard {
			one.Quiet = h.now().Sub(f.lost)
		}
		if !f.heard && !f.ends && f.why != nil {
			one.Why = text(f.why.Error(), 2*maxMessage)
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Fellow) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Heard returns how many other daemons are heard now.
func (h *Hub) Heard() (n int) {
	if h.shared == nil {
		return 0
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, f := range h.shared.fellows {
		if f.heard {
			n++
		}
	}
	return n
}

// Serving reports whether another daemon takes agents; see [agentproto.Fellows].
func (h *Hub) Serving() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, f := range h.shared.fellows {
		if f.heard && !f.ends {
			return true
		}
	}
	return false
}
