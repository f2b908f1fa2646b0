package adopt

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// maxTold bounds one line of what a daemon tells: a report has at most 1,000 members.
const maxTold = 1 << 20

// A daemon that cannot be followed is tried again after a pause that grows.
const shortestFollow, longestFollow = 100 * time.Millisecond, 2 * time.Second

// tellAfter is after how many tries in a row that is logged: a daemon that is killed stays
// in the list for some seconds.
const tellAfter = 12

// keepFollowing follows a daemon until ctx ends.
func (h *Hub) keepFollowing(ctx context.Context, f *fellow) {
	pause := shortestFollow
	for failed := 0; ctx.Err() == nil; {
		synced, err := h.followOnce(ctx, f)
		if failed++; synced {
			pause, failed = shortestFollow, 0
		}
		switch {
		case ctx.Err() != nil || h.ends(f):
		case synced:
			h.log.WarnContext(ctx, "another daemon is not heard any more", "daemon", f.id, "error", err)
		case failed == tellAfter:
			h.log.WarnContext(ctx, "another daemon cannot be reached, and nothing is known of agents that connect to "+
				"it; check the address for other daemons in its settings", "daemon", f.id, "error", err)
		default:
			h.log.DebugContext(ctx, "another daemon cannot be reached", "daemon", f.id, "error", err)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
		}
		pause = min(2*pause, longestFollow)
	}
}

var errSilent = errors.New("nothing was heard of it")

// followOnce reads what a daemon tells until that breaks off, and reports whether it told
// of all of its agents.
func (h *Hub) followOnce(ctx context.Context, f *fellow) (synced bool, _ error) {
	defer func() {
		if ctx.Err() == nil { // else this daemon ends: what it knew last counts for its agents
			h.lose(f)
		}
	}()
	return h.readTold(ctx, f)
}

func (h *Hub) readTold(ctx context.Context, f *fellow) (synced bool, _ error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := 4 * h.cfg.Timings.Beat
	silent := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer silent.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://daemon"+pathAgents, http.NoBody)
	if err != nil {
		return false, err
	}
	resp, err := h.shared.mesh.Transport(f.id).RoundTrip(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("it answers %s", resp.Status)
	}
	h.mu.Lock()
	f.old = map[ecp.AgentID]bool{}
	for id := range f.agents {
		f.old[id] = true
	}
	h.mu.Unlock()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 16<<10), maxTold)
	for lines.Scan() {
		silent.Reset(silence)
		var l toldLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return synced, fmt.Errorf("it tells what cannot be understood: %w", err)
		}
		synced = synced || l.Synced
		h.takeLine(ctx, f, l)
	}
	return synced, errors.Join(context.Cause(ctx), lines.Err())
}

// lose takes up that a daemon is not heard any more. Its agents stay as they are for a
// while: they need not have noticed anything, and if they have, they are about to come back.
func (h *Hub) lose(f *fellow) {
	h.mu.RLock()
	heard := f.heard
	h.mu.RUnlock()
	if heard {
		h.resettle(f, func() { f.heard, f.lost = false, h.now() })
	}
}

// takeLine takes up one line of what a daemon tells.
func (h *Hub) takeLine(ctx context.Context, f *fellow, l toldLine) {
	if !l.Now.IsZero() {
		h.compareClocks(f, l.Now)
	}
	switch {
	case l.Agent != nil:
		if l.Agent.ID != "" && l.Agent.Cluster != "" {
			h.takeAgent(f, l.Agent)
		}
	case l.Gone != "":
		h.takeGone(f, l.Gone)
	case l.Synced:
		h.mu.RLock()
		gone := slices.Collect(maps.Keys(f.old))
		h.mu.RUnlock()
		h.takeGone(f, gone...)
		h.resettle(f, func() { f.heard, f.cut, f.ends = true, false, false })
		h.log.InfoContext(ctx, "another daemon is heard", "daemon", f.id)
	case l.Ends:
		h.end(ctx, f)
	}
}

// ends reports whether a daemon has said that it ends.
func (h *Hub) ends(f *fellow) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return f.ends
}

// end takes up that a daemon ends.
func (h *Hub) end(ctx context.Context, f *fellow) {
	if h.ends(f) {
		return
	}
	h.resettle(f, func() { f.heard, f.ends, f.lost = false, true, h.now() })
	h.log.InfoContext(ctx, "another daemon ends; its agents are awaited", "daemon", f.id)
}

// How far what a line says of a daemon's clock may be from what was known: lines can be
// late, but not early.
const (
	mostEarly = time.Second
	mostLate  = 10 * time.Second
)

// compareClocks takes up how far the clock of a daemon is ahead of ours. Times that it has
// told are read anew if that has changed.
func (h *Hub) compareClocks(f *fellow, now time.Time) {
	ahead := now.Sub(h.now())
	h.mu.RLock()
	late := f.ahead - ahead
	h.mu.RUnlock()
	if late < -mostEarly || late > mostLate {
		h.resettle(f, func() { f.ahead = ahead })
	}
}
