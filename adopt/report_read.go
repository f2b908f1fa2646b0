package adopt

import (
	"context"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// reading is how far the reports of one connection have been read. No goroutine waits for
// reports, because agents announce them.
type reading struct {
	after   agentproto.Position // the last report that was read
	checked bool                // the agent's records have been read
	rate    reportRate          // of the reports

	// The hub's lock guards the following. The other fields belong to the goroutine that
	// reads.
	cancel func() // ends that goroutine; nil if there is none
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

// readLocked starts to read the reports of a connection, if Run runs. If they are being
// read already, it lets that go on until there are no more.
func (h *Hub) readLocked(a *agent) {
	if !a.connected || a.home != nil || h.start == nil {
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

// idle ends the reading, unless there are more reports.
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

// read reads reports until there are no more.
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

// takeKept reads the reports that the agent has kept, no faster than it may report, even
// if it announces reports that it does not have. It reports whether there were any.
func (h *Hub) takeKept(ctx context.Context, a *agent, is *reading) (taken bool, _ error) {
	ctx, cancel := context.WithTimeout(ctx, readMayTake)
	defer cancel()
	for r, err := range h.server.KeptReports(ctx, string(a.id), is.after) {
		if err != nil {
			return taken, err
		}
		taken, is.after = true, r.Position()
		h.acceptReport(ctx, a, r)
		if !waits(ctx, is.rate.after(h.now())) {
			return taken, context.Cause(ctx)
		}
	}
	if !taken && !waits(ctx, is.rate.after(h.now())) {
		return taken, context.Cause(ctx)
	}
	return taken, nil
}

// waits waits, and reports false if ctx ends first.
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
