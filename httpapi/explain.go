package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
)

// explainRoutes say more of one cluster than its state does.
func (a *api) explainRoutes() {
	a.json(route{
		method: http.MethodGet, path: clusterPath + "/explain", id: "explainCluster",
		summary: "Say why a cluster is in its state, what it waits for, and what can be asked of it now",
		success: returns[explainView](http.StatusOK),
	}, a.explain)
	a.json(route{
		method: http.MethodGet, path: clusterPath + "/nodes", id: "listNodes",
		summary: "List a cluster's nodes, as last seen",
		success: returns[page[nodeView]](http.StatusOK),
	}, func(ctx context.Context, r *http.Request, _ body) (success, error) {
		info, err := a.clusterInfo(ctx, r)
		return success{status: http.StatusOK, body: page[nodeView]{Items: viewCluster(info).Status.Nodes}}, err
	})
}

// explainView explains the state of a cluster.
type explainView struct {
	State          ecp.State           `json:"state"`
	Label          ecp.Label           `json:"label" doc:"the state's name"`
	Reason         ecp.Reason          `json:"reason" doc:"word from a fixed list"`
	Message        string              `json:"message" doc:"the same for people"`
	Since          time.Time           `json:"since" doc:"when the state was entered"`
	Deadline       time.Time           `json:"deadline,omitzero" doc:"when the task counts as failed; only where one runs, and it stands still while nothing can be seen"`
	Stale          bool                `json:"stale" doc:"nothing can be seen at present"`
	StaleSince     time.Time           `json:"staleSince,omitzero" doc:"only where stale"`
	StaleMessage   string              `json:"staleMessage,omitempty" doc:"why nothing can be seen; only where stale"`
	LookedAt       time.Time           `json:"lookedAt,omitzero" doc:"the last look that saw anything; left out before the first since the start of the process"`
	WaitsFor       string              `json:"waitsFor,omitempty" doc:"what the operation waits for, as last seen, e.g. how many clients have yet to leave a node; also that another daemon holds the platform, so that this one writes nothing to it; left out where neither is so"`
	Settled        bool                `json:"settled" doc:"nothing is left to do for what is wanted"`
	Healthy        bool                `json:"healthy"`
	Differs        []ecp.Condition     `json:"differs" doc:"conditions that are not true, and so what the cluster waits for"`
	Operation      *ecp.Operation      `json:"operation,omitempty" doc:"the one that runs; left out if none does"`
	Nodes          []nodeView          `json:"nodes" doc:"those that are not ready"`
	ForeignMembers []ecp.ForeignMember `json:"foreignMembers,omitempty" doc:"members of EMQX that are no nodes of the cluster; repair removes those that have stopped"`
	Legal          []ecp.CommandKind   `json:"legal" doc:"commands that would be taken now"`
	Rule           string              `json:"rule,omitempty" doc:"the rule that holds the cluster in its state, in words; left out before the first look since the start of the process"`
	Advice         []fleet.Advice      `json:"advice" doc:"what a person can do, for each reason that is told; empty where nothing has to be done"`
}

func (a *api) explain(ctx context.Context, r *http.Request, _ body) (success, error) {
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	e, err := a.manager.Explain(ctx, c.ID())
	if err != nil {
		return success{}, err
	}
	return success{status: http.StatusOK, body: viewExplanation(e)}, nil
}

func viewExplanation(e fleet.Explanation) explainView {
	info := e.Info
	st := viewCluster(info).Status
	if e.Operation != nil {
		*e.Operation = viewOperation(*e.Operation)
	}
	isTrue := func(c ecp.Condition) bool { return c.Status == ecp.True }
	holds := func(t ecp.ConditionType) bool {
		return slices.ContainsFunc(st.Conditions, func(c ecp.Condition) bool { return c.Type == t && isTrue(c) })
	}
	return explainView{
		State: st.State, Label: st.Label, Reason: st.Reason, Message: st.Message, Since: st.Since,
		Deadline: info.Status.Deadline,
		Stale:    st.Stale, StaleSince: st.StaleSince, StaleMessage: staleMessage(info), LookedAt: info.LookedAt,
		WaitsFor: info.Waits, Settled: holds(ecp.CondSettled), Healthy: holds(ecp.CondHealthy),
		Differs:        slices.DeleteFunc(slices.Clone(st.Conditions), isTrue),
		Nodes:          slices.DeleteFunc(slices.Clone(st.Nodes), func(n nodeView) bool { return n.Ready }),
		ForeignMembers: info.ForeignMembers,
		Legal:          list(info.Legal()),
		Operation:      e.Operation,
		Rule:           e.Rule,
		Advice:         list(e.Advice),
	}
}

// staleMessage returns why nothing can be seen of a cluster that is stale.
func staleMessage(info ecp.Info) string {
	if info.Status.StaleFrom.IsZero() {
		return ""
	}
	return cmp.Or(info.Unseen, "nobody has looked since the start of the process")
}
