package adopt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// maxTold bounds one line of what a daemon tells: a report has at most 1,000 members. Earlier
// daemons read no more than a MiB, so that none tells more.
const maxTold = 4 << 20

// A daemon that cannot be followed is tried again after a pause that grows.
const shortestFollow, longestFollow = 100 * time.Millisecond, 2 * time.Second

// tellAfter is how long that goes on before it is told: a daemon that is killed stays in the
// list for some seconds.
const tellAfter = 15 * time.Second

// keepFollowing follows a daemon until ctx ends.
func (h *Hub) keepFollowing(ctx context.Context, f *fellow) {
	pause := shortestFollow
	failing, told := time.Now(), false
	for ctx.Err() == nil {
		synced, err := h.followOnce(ctx, f)
		if synced {
			pause, failing, told = shortestFollow, time.Now(), false
		}
		h.mu.Lock()
		f.why = err
		h.mu.Unlock()
		switch {
		case ctx.Err() != nil || h.ends(f):
		case synced:
			h.log.WarnContext(ctx, "another daemon is not heard any more", "daemon", f.id, "error", err)
		case !told && time.Since(failing) >= tellAfter:
			told = true
			h.log.WarnContext(ctx, "another daemon cannot be reached, and nothing is known of agents that connect "+
				"to it", "daemon", f.id, "error", err)
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
		l, err := readToldLine(lines.Bytes())
		if err == nil {
			err = h.takeLine(ctx, f, l)
		}
		if err != nil {
			return synced, fmt.Errorf("it tells what cannot be understood: %w", err)
		}
		synced = synced || l.Synced
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

// takeLine applies one line of a daemon's stream. The error is about a line that is not valid.
func (h *Hub) takeLine(ctx context.Context, f *fellow, l toldLine) error {
	if !l.Now.IsZero() {
		if err := h.compareClocks(f, l.Now); err != nil {
			return err
		}
	}
	switch {
	case l.Agent != nil:
		if l.Agent.ID != "" && l.Agent.Cluster != "" {
			return h.takeAgent(f, l.Agent)
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
	return nil
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
// late, but not early. mostApart is how far clocks may be apart: certificates tolerate less.
const (
	mostEarly = time.Second
	mostLate  = 10 * time.Second
	mostApart = 48 * time.Hour
)

// compareClocks takes up how far the clock of a daemon is ahead of ours. Times that it has
// told are read anew if that has changed.
func (h *Hub) compareClocks(f *fellow, now time.Time) error {
	ahead := now.Sub(h.now())
	if ahead < -mostApart || ahead > mostApart {
		return fmt.Errorf("its clock is at %s, which is too far from this daemon's", now.Format(time.RFC3339))
	}
	h.mu.RLock()
	late := f.ahead - ahead
	h.mu.RUnlock()
	if late < -mostEarly || late > mostLate {
		h.resettle(f, func() { f.ahead = ahead })
	}
	return nil
}
