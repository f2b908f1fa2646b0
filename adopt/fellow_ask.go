package adopt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

var errBroken = errors.New("the connection to the agent ended before it answered")

// askPatience bounds a call to another daemon beyond what its work takes.
const askPatience = 3 * time.Second

// ask calls another daemon about an agent.
func (h *Hub) ask(ctx context.Context, daemon string, agent ecp.AgentID, what string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, h.contestTakes()+askPatience)
	defer cancel()
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	u := "https://daemon" + pathAgent + url.PathEscape(string(agent)) + "/" + what
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	resp, err := h.shared.mesh.Transport(daemon).RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(resp.Body, maxAsked))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("daemon %s answers %s", daemon, resp.Status)
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(raw, answer)
	}
	return err
}

func (h *Hub) contestTakes() time.Duration {
	if d := h.cfg.Timings.Server.ConflictPing; d > 0 {
		return d
	}
	return 3 * time.Second
}

// Contest asks the daemon that an agent is connected to for its place; see
// [agentproto.Fellows]. A daemon that is not heard is not asked.
func (h *Hub) Contest(ctx context.Context, fresh agentproto.Connection) *agentproto.Refusal {
	id := ecp.AgentID(fresh.Agent)
	var asked []string
	h.mu.RLock()
	for _, f := range h.shared.fellows {
		if t := f.agents[id]; f.heard && t != nil && t.Connected {
			asked = append(asked, f.id)
		}
	}
	h.mu.RUnlock()
	for _, daemon := range asked {
		if r := h.contest(ctx, daemon, fresh); r != nil {
			h.stats.refuse(r.Code)
			return r
		}
	}
	return nil
}

// contest asks one daemon. One that does not answer has nothing to say against it.
func (h *Hub) contest(ctx context.Context, daemon string, fresh agentproto.Connection) *agentproto.Refusal {
	var answer contested
	err := h.ask(ctx, daemon, ecp.AgentID(fresh.Agent), "contest", tellConnection(fresh), &answer)
	if err != nil {
		h.log.DebugContext(ctx, "another daemon was not asked for its agent", "daemon", daemon, "agent", fresh.Agent,
			"error", err)
		return nil
	}
	return answer.Refusal
}

// homeOf returns the daemon that an agent is connected to, with what speaks against the
// agent; nil means this one.
func (h *Hub) homeOf(id ecp.AgentID) (home *fellow, mismatch string) {
	if h.shared == nil {
		return nil, ""
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if a := h.findLocked(id); a != nil && a.home != nil {
		return a.home, a.mismatch.words
	}
	return nil, ""
}

// tellHome lets the daemon that an agent is connected to know something. It returns at once.
func (h *Hub) tellHome(daemon string, agent ecp.AgentID, what string, body any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tellHomeLocked(daemon, agent, what, body)
}

func (h *Hub) tellHomeLocked(daemon string, agent ecp.AgentID, what string, body any) {
	h.goLocked(func(ctx context.Context) {
		if err := h.ask(ctx, daemon, agent, what, body, nil); err != nil && ctx.Err() == nil {
			h.log.DebugContext(ctx, "another daemon could not be told", "daemon", daemon, "agent", agent, "what", what,
				"error", err)
		}
	})
}

// transport leads to a virtual host of an agent, wherever it is connected.
func (h *Hub) transport(agent ecp.AgentID, host agentproto.Host) http.RoundTripper {
	here := h.server.Transport(string(agent), host)
	if h.shared == nil {
		return here
	}
	return anywhere{h, agent, host, here}
}

// anywhere is a transport to an agent that finds out for each request where the agent is
// connected.
type anywhere struct {
	hub   *Hub
	agent ecp.AgentID
	host  agentproto.Host
	here  http.RoundTripper
}

// RoundTrip sends the request to the agent.
func (t anywhere) RoundTrip(r *http.Request) (*http.Response, error) {
	home, _ := t.hub.homeOf(t.agent)
	if home == nil {
		return t.here.RoundTrip(r)
	}
	out := r.WithContext(r.Context())
	escaped := r.URL.EscapedPath()
	if !strings.HasPrefix(escaped, "/") {
		escaped = "/" + escaped
	}
	path := pathHosts + url.PathEscape(string(t.agent)) + "/" + string(t.host) + escaped
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	out.URL = &url.URL{Path: plain, RawPath: path, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
	resp, err := t.hub.shared.mesh.Transport(home.id).RoundTrip(out)
	if err != nil {
		return nil, err
	}
	switch resp.Header.Get(peerError) {
	case "":
		resp.Request = r
		return resp, nil
	case peerNotConnected:
		err = agentproto.ErrNotConnected
	default:
		err = errBroken
	}
	_ = resp.Body.Close()
	return nil, fmt.Errorf("daemon %s: agent %s: %w", home.id, t.agent, err)
}

// logs reads a log of an agent, wherever it is connected.
func (h *Hub) logs(ctx context.Context, agent ecp.AgentID, q agentproto.LogQuery) iter.Seq2[agentproto.LogLine, error] {
	if home, _ := h.homeOf(agent); home == nil {
		return h.server.Logs(ctx, string(agent), q)
	}
	return agentproto.ReadLogs(ctx, string(agent), q, h.transport(agent, agentproto.HostControl))
}

// historyOf reads what an agent has kept, wherever it is connected.
func (h *Hub) historyOf(ctx context.Context, source historySource, agent ecp.AgentID,
	q agentproto.HistoryQuery) iter.Seq2[agentproto.HistoryRecord, error] {
	if home, _ := h.homeOf(agent); home == nil {
		return source.History(ctx, string(agent), q)
	}
	return agentproto.ReadHistory(ctx, string(agent), q, h.transport(agent, agentproto.HostControl))
}
