package adopt

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/peers"
)

// What daemons ask of one another. Paths are compared as they are escaped.
const (
	pathPeers  = "/peer/v1/"
	pathAgents = pathPeers + "agents"  // GET: lines of what is told
	pathAgent  = pathPeers + "agents/" // {agent}/contest, refuse or drop: POST
	pathHosts  = pathPeers + "hosts/"  // {agent}/{host}/…: passed on to a virtual host of the agent
)

// maxAsked bounds the body of a call of pathAgent, and of its answer.
const maxAsked = 64 << 10

// servePeer answers another daemon.
func (h *Hub) servePeer(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if path == pathAgents && r.Method == http.MethodGet {
		h.tell(w, r)
		return
	}
	if rest, ok := strings.CutPrefix(path, pathHosts); ok {
		agent, rest, _ := strings.Cut(rest, "/")
		host, rest, _ := strings.Cut(rest, "/")
		h.forward(w, r, agent, agentproto.Host(host), "/"+rest)
		return
	}
	if rest, ok := strings.CutPrefix(path, pathAgent); ok && r.Method == http.MethodPost {
		agent, what, _ := strings.Cut(rest, "/")
		h.answerPeer(w, r, ecp.AgentID(agent), what)
		return
	}
	http.NotFound(w, r)
}

// refusedThere is the body of a call that lets the daemon refuse an agent which is connected
// to it.
type refusedThere struct {
	Refusal  agentproto.Refusal `json:"refusal"`
	Mismatch string             `json:"mismatch,omitempty"` // words of what speaks against it
}

// droppedThere is the body of a call that lets the daemon drop an agent.
type droppedThere struct {
	Cluster ecp.ID `json:"cluster"`
}

// contested is the answer for an agent that is about to be admitted by another daemon.
type contested struct {
	Refusal *agentproto.Refusal `json:"refusal,omitempty"`
}

// answerPeer answers a call that concerns one agent.
func (h *Hub) answerPeer(w http.ResponseWriter, r *http.Request, agent ecp.AgentID, what string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAsked))
	if err != nil {
		http.Error(w, "the body is too long, or broke off", http.StatusBadRequest)
		return
	}
	var answer any
	switch what {
	case "contest":
		var fresh toldConnection
		if err = json.Unmarshal(body, &fresh); err == nil && h.public != nil {
			answer = contested{h.public.Contest(r.Context(), fresh.connection(agent, 0))}
		}
	case "refuse":
		var no refusedThere
		if err = json.Unmarshal(body, &no); err == nil {
			h.refuseHere(agent, no)
		}
	case "drop":
		var from droppedThere
		if err = json.Unmarshal(body, &from); err == nil {
			h.Drop(from.Cluster, agent)
		}
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, "the body cannot be understood", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) //nolint:errchkjson // only the connection can fail
}

// refuseHere refuses an agent because of what another daemon has found.
func (h *Hub) refuseHere(agent ecp.AgentID, no refusedThere) {
	h.mu.Lock()
	a := h.findLocked(agent)
	if a == nil || a.home != nil || !a.connected {
		h.mu.Unlock()
		return
	}
	if no.Mismatch != "" {
		a.mismatch = objection{until: h.now().Add(h.cfg.Timings.Refused), words: text(no.Mismatch, 2*maxMessage)}
		a.report, a.members = nil, nil
	}
	a.serving = time.Time{}
	matters := h.changedLocked(a.cluster)
	h.publishLocked(a)
	h.mu.Unlock()
	if matters {
		h.wake(a.cluster.id)
	}
	h.disconnect(agent, no.Refusal)
}

// peerError is the header of an answer that the daemon gives itself, in place of an agent.
// It is removed from the answers of agents, so that they cannot forge it.
const peerError = peers.HeaderError

// What stands in the header.
const (
	peerNotConnected = "not-connected"
	peerBroken       = "broken"
)

// forward passes a request on to a virtual host of an agent that is connected to this
// daemon. Of the control host only what can be read is offered.
func (h *Hub) forward(w http.ResponseWriter, r *http.Request, agent string, host agentproto.Host, path string) {
	if host == agentproto.HostControl && r.Method != http.MethodGet {
		w.Header().Set(peerError, peerBroken)
		http.NotFound(w, r)
		return
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		w.Header().Set(peerError, peerBroken)
		http.Error(w, "the path cannot be understood", http.StatusBadRequest)
		return
	}
	pass := httputil.ReverseProxy{
		Transport: h.server.Transport(agent, host), FlushInterval: -1, ErrorLog: nil,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL = &url.URL{Scheme: "http", Host: string(host), Path: plain, RawPath: path,
				RawQuery: p.In.URL.RawQuery, ForceQuery: p.In.URL.ForceQuery}
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if v, ok := p.In.Header[name]; ok { // they are not ours to remove
					p.Out.Header[name] = v
				}
			}
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Del(peerError)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			why := peerBroken
			if errors.Is(err, agentproto.ErrNotConnected) {
				why = peerNotConnected
			}
			w.Header().Set(peerError, why)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	pass.ServeHTTP(w, r)
}

// follower is a daemon that follows this one.
type follower struct {
	news chan struct{} // of one

	// The hub's lock guards the following.
	changed map[ecp.AgentID]struct{} // agents that are to be told of
	told    map[ecp.AgentID]struct{} // agents that it knows from here
}

// publishLocked lets all followers know that something about an agent has changed, or that
// it is gone.
func (h *Hub) publishLocked(a *agent) {
	if h.shared == nil {
		return
	}
	for f := range h.shared.followers {
		f.changed[a.id] = struct{}{}
		select {
		case f.news <- struct{}{}:
		default:
		}
	}
}

// addFollower adds a follower, which is to be told of all agents.
func (h *Hub) addFollower() *follower {
	f := &follower{news: make(chan struct{}, 1), changed: map[ecp.AgentID]struct{}{}, told: map[ecp.AgentID]struct{}{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shared.followers[f] = struct{}{}
	for _, c := range h.clusters {
		for _, a := range c.agents {
			if a.home == nil && !a.orphan {
				f.changed[a.id] = struct{}{}
			}
		}
	}
	f.news <- struct{}{}
	return f
}

// batch is how many agents are told of between two looks at what has changed.
const batch = 200

// changes returns lines for what has changed. all reports whether there is no more; over
// that this daemon ends.
func (h *Hub) changes(f *follower) (lines []toldLine, all, over bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shared.ending {
		return []toldLine{{Ends: true}}, true, true
	}
	for id := range f.changed {
		if len(lines) == batch {
			return lines, false, false
		}
		delete(f.changed, id)
		if a := h.findLocked(id); a != nil && a.home == nil && !a.orphan {
			lines = append(lines, toldLine{Agent: a.told()})
			f.told[id] = struct{}{}
		} else if _, knows := f.told[id]; knows {
			lines = append(lines, toldLine{Gone: id})
			delete(f.told, id)
		}
	}
	return lines, true, false
}

// tell tells a daemon of the agents that are connected to this one: first of all, then of
// what changes. Whatever changes while a line is on its way is told of once.
func (h *Hub) tell(w http.ResponseWriter, r *http.Request) {
	f := h.addFollower()
	defer h.removeFollower(f)
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	lines := newTeller(w)
	beat := time.NewTicker(h.cfg.Timings.Beat)
	defer beat.Stop()
	send := func(some ...toldLine) bool {
		_ = out.SetWriteDeadline(time.Now().Add(4 * h.cfg.Timings.Beat))
		for _, l := range some {
			if lines.Encode(l) != nil { //nolint:errchkjson // only the connection can fail
				return false
			}
		}
		return out.Flush() == nil
	}
	if !send(toldLine{Now: h.now()}) {
		return
	}
	h.log.DebugContext(r.Context(), "another daemon follows this one", "daemon", peers.CallerOf(r))
	for synced := false; ; {
		some, all, over := h.changes(f)
		if all && !synced && !over {
			some, synced = append(some, toldLine{Synced: true}), true
		}
		if len(some) > 0 && !send(some...) || over {
			return
		}
		if !all {
			continue
		}
		select {
		case <-f.news:
		case <-beat.C:
			if !send(toldLine{Now: h.now()}) {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// newTeller returns what writes lines for other daemons. Text is told as it is, since an
// agent could make its line as long again and again with what is escaped in web pages.
func newTeller(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

func (h *Hub) removeFollower(f *follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.shared.followers, f)
	if h.shared.ending && len(h.shared.followers) == 0 {
		h.shared.part()
	}
}

// part tells the other daemons that this one ends, and waits until they have been told, or
// ctx ends.
func (h *Hub) part(ctx context.Context) {
	if h.shared == nil {
		return
	}
	h.mu.Lock()
	h.shared.ending = true
	none := len(h.shared.followers) == 0
	for f := range h.shared.followers {
		select {
		case f.news <- struct{}{}:
		default:
		}
	}
	h.mu.Unlock()
	if none {
		return
	}
	select {
	case <-h.shared.parted:
	case <-ctx.Done():
	}
}
