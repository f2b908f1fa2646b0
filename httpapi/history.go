package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
)

// historyRoutes tell of the past of a cluster.
func (a *api) historyRoutes() {
	a.json(route{
		method: http.MethodGet, path: clusterPath + "/history", id: "listHistory",
		summary: "List what agents have told of the past of an adopted cluster, newest first", description: historyText,
		parameters: append(listParameters()[:2],
			query("kind", "only entries of this kind", text(words(ecp.HistoryKinds...)...)),
			query("since", "only what is not older, RFC 3339", timestamp()),
			query("until", "only what is older, RFC 3339", timestamp())),
		success: returns[page[historyView]](http.StatusOK), refuses: []ecp.Code{ecp.CodeUnsupported},
	}, a.listHistory)
}

const historyText = "" +
	"Also of the time in which this server did not run, or could not be reached: agents keep what happens for some " +
	"hours, and tell\n" +
	"it once when they are back. Each entry has its own time. A gap is a time of which nothing is known: nothing is " +
	"filled in. Entries are kept for 30 days,\n" +
	"and 1000 of a cluster at most. No agent is asked."

// historyView is one thing that happened to a cluster.
type historyView struct {
	ID         string          `json:"id"`
	At         time.Time       `json:"at" doc:"when it was noticed; by this server's clock, as far as that can be told"`
	Uncertain  bool            `json:"uncertain,omitempty" doc:"the time that the agent told made no sense, and another one stands in its place"`
	Kind       ecp.HistoryKind `json:"kind" enum:"alarm,broker,member,server,clock,gap" doc:"alarm: of EMQX; broker: whether EMQX answers its agent; member: a node of the cluster; server: the agent's connection to this server; clock: that of the agent's host was set; gap: nothing is known from since to until"`
	Name       string          `json:"name" doc:"of the alarm or node; else empty"`
	From       string          `json:"from" doc:"how it was; empty where that was not known, or it was not there"`
	To         string          `json:"to" doc:"how it is: active or over, ok or a code of agents' errors, running, stopped or unknown, lost or connected; empty where it has gone; of a gap why there is one: not_running, dropped or damaged"`
	Message    string          `json:"message" doc:"for people"`
	Nodes      []string        `json:"nodes" doc:"that raised the alarm"`
	Since      time.Time       `json:"since,omitzero" doc:"when it began, where that was before it was noticed; of a gap left out where it is not known"`
	Until      time.Time       `json:"until,omitzero" doc:"of a gap"`
	Source     string          `json:"source" enum:"agent"`
	Agents     []ecp.AgentID   `json:"agents" doc:"that noticed it"`
	Replayed   bool            `json:"replayed" doc:"it happened before the agent connected, and was told afterwards"`
	ReceivedAt time.Time       `json:"receivedAt"`
}

func viewHistory(e ecp.HistoryEntry) historyView {
	return historyView{
		ID: e.ID, At: e.At, Uncertain: e.Uncertain, Kind: e.Kind, Name: e.Name, From: e.From, To: e.To,
		Message: e.Message,
		Nodes:   list(e.Nodes),
		Since:   e.Since, Until: e.Until, Source: "agent", Agents: list(e.Agents), Replayed: e.Replayed,
		ReceivedAt: e.ReceivedAt,
	}
}

func (a *api) listHistory(ctx context.Context, r *http.Request, _ body) (success, error) {
	kind := r.URL.Query().Get("kind")
	since, badSince := readTime(r, "since")
	until, badUntil := readTime(r, "until")
	limit, after, wrong := listing(r, historyCursor)
	wrong = slices.Concat(badSince, badUntil, wrong, checkWord("kind", kind, words(ecp.HistoryKinds...)))
	if len(wrong) > 0 {
		return success{}, badParameter(wrong...)
	}
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	found, err := a.manager.Agents.History(ctx, c.ID(), agents.HistoryOptions{
		Kind: ecp.HistoryKind(kind), Since: since, Until: until, Cursor: after, Limit: limit,
	})
	out := page[historyView]{Items: convert(found.Items, viewHistory), Next: makeCursor(historyCursor, found.Next)}
	return success{status: http.StatusOK, body: out}, err
}
