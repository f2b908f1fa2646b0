package adopt

import (
	"context"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// reading is how far the reports of one connection have been read. No goroutine waits
// for reports: the agent says when there are any.
type reading struct {
	after   agentproto.Position // the last report that was taken
	checked bool                // the agent's records have been read
	pace    pace                // of the reports

	// These are guarded by the hub's lock, the others belong to whoever reads.
	cancel func() // ends who reads; nil = nobody does
	again  bool   // there are more
}

// Reported is called when a connected agent has new reports.
func (h *Hub) Reported(agent string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.findLocked(ecp.AgentID(agent)); a != nil {
		h.readLocked(a)
	}
}

// readLocked starts to read the reports of a connection, if Run runs, or lets whoever
// reads them already look once more.
func (h *Hub) readLocked(a *agent) {
	if !a.connected || h.start == nil {
		return
	}
	if a.reading == nil {
		a.reading = &reading{after: agentproto.Newest}
	}
	if a.reading.cancel != nil {
		a.reading.again = true
		return
	}
	now := a.reading
	now.cancel = h.goLocked(func(ctx context.Context) { h.read(ctx, a, now) })
}

// end stops reading reports of the connection.
func (a *agent) end() {
	if a.reading != nil && a.reading.cancel != nil {
		a.reading.cancel()
	}
	a.reading = nil
}

// idle ends who reads, unless there are more reports by now.
func (h *Hub) idle(is *reading) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if is.again {
		is.again = false
		return false
	}
	is.cancel = nil
	return true
}

// The pause before reports are asked for again on a connection that goes on, after
// they could not be read.
const firstPause, longestPause = time.Second, 30 * time.Second

// readMayTake bounds one answer, so that an agent that never ends one is asked again.
// It leaves time to read slowly what comes too fast.
const readMayTake = time.Minute

// read takes the reports that there are, until there are no more.
func (h *Hub) read(ctx context.Context, a *agent, is *reading) {
	if !is.checked {
		if !h.check(ctx, a) {
			return
		}
		is.checked = true
	}
	pause := firstPause
	for {
		taken, err := h.takeKept(ctx, a, is)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			h.log.DebugContext(ctx, "reading reports broke off", "agent", a.id, "error", err)
			if taken {
				pause = firstPause
			}
			if !waits(ctx, pause) {
				return
			}
			pause = min(2*pause, longestPause)
		case h.idle(is):
			return
		}
	}
}

// takeKept takes what the agent has kept, no faster than it may report: an agent that
// says time and again that there is news has to have some. It reports whether it had.
func (h *Hub) takeKept(ctx context.Context, a *agent, is *reading) (taken bool, _ error) {
	ctx, cancel := context.WithTimeout(ctx, readMayTake)
	defer cancel()
	for r, err := range h.server.KeptReports(ctx, string(a.id), is.after) {
		if err != nil {
			return taken, err
		}
		taken, is.after = true, r.Position()
		h.take(ctx, a, r)
		if !waits(ctx, is.pace.after(h.now())) {
			return taken, context.Cause(ctx)
		}
	}
	if !taken && !waits(ctx, is.pace.after(h.now())) {
		return taken, context.Cause(ctx)
	}
	return taken, nil
}

// waits returns false if ctx ends first.
func waits(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
