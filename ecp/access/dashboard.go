package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// DashboardVia is the way by which people get to a cluster's dashboard.
type DashboardVia string

// The ways to dashboards.
const (
	// ViaServiceAddress leads browsers to the address that an adopted cluster has
	// of its own. Nothing of ours is between them and the broker.
	ViaServiceAddress DashboardVia = "serviceAddress"
	// ViaAgent leads through the tunnel of an adopted cluster's agent.
	ViaAgent DashboardVia = "agent"
	// ViaTarget leads to a hosted cluster by way of the platform that it runs on.
	ViaTarget DashboardVia = "target"
)

// DashboardVias lists the ways to dashboards.
func DashboardVias() []DashboardVia {
	return []DashboardVia{ViaServiceAddress, ViaAgent, ViaTarget}
}

// DashboardWay is how somebody gets to a cluster's dashboard.
type DashboardWay struct {
	Via DashboardVia `json:"via"`
	// Address is opened by the browser itself, with ViaServiceAddress; nobody
	// dials it here. Otherwise it is empty.
	Address string `json:"address,omitempty"`
}

// DashboardWay returns how the actor in ctx would get to a cluster's dashboard:
// as asked, and if via is empty, as fits the cluster. It asks nobody, and fails
// where the dashboard can be opened in no such way. It wants [ecp.RightRead].
func (g *Gateway) DashboardWay(ctx context.Context, id ecp.ID, via DashboardVia) (DashboardWay, error) {
	const op = "open dashboard"
	rec, err := g.Observed.LoadReadable(ctx, op, ecp.RightRead, id)
	if err != nil {
		return DashboardWay{}, err
	}
	way, err := g.dashboardWay(rec, via)
	if err != nil {
		return DashboardWay{}, fault.Wrap(op, err)
	}
	return way, nil
}

// OpenDashboard is as DashboardWay for somebody who opens the dashboard now: who
// does, and which way, is written into the audit before the way is returned. A way
// through an agent or a target is returned only if something is at its end. What
// people may do at the dashboard is decided by their login to EMQX.
func (g *Gateway) OpenDashboard(ctx context.Context, id ecp.ID, via DashboardVia) (DashboardWay, error) {
	var opened DashboardWay
	_, err := g.Observed.ReachAudited(ctx, ecp.RightRead, id, "open dashboard", &opened,
		func(ctx context.Context, rec ecp.ClusterRecord, _ string) (e ecp.Endpoint, err error) {
			way, err := g.dashboardWay(rec, via)
			if err == nil && way.Via != ViaServiceAddress {
				e, err = g.dashboard(ctx, rec, "")
			}
			opened = way
			return e, err
		})
	if err != nil {
		return DashboardWay{}, err
	}
	return opened, nil
}

// DashboardEndpoint returns the way for one request of a browser to a cluster's
// dashboard, for an adopted cluster through one of its agents. The endpoint adds
// nothing to requests and holds no credentials: EMQX asks for a login of its own.
// It leads to the node prefer while that serves, so that what belongs together
// stays together, such as an upload and what becomes of it; else, or if prefer is
// empty, to any. It wants [ecp.RightRead].
func (g *Gateway) DashboardEndpoint(ctx context.Context, id ecp.ID, prefer string) (ecp.Endpoint, error) {
	return g.Observed.Reach(ctx, ecp.RightRead, id, "",
		func(ctx context.Context, rec ecp.ClusterRecord, _ string) (ecp.Endpoint, error) {
			if prefer != "" && g.mayServe(rec, prefer) {
				if e, err := g.dashboard(ctx, rec, prefer); err == nil {
					return e, nil
				}
			}
			return g.dashboard(ctx, rec, "")
		})
}

// mayServe reports whether a node is worth being asked. Of an adopted cluster's
// nodes its link knows better; a hosted one's may have an address and not be ready.
func (g *Gateway) mayServe(rec ecp.ClusterRecord, node string) bool {
	if rec.Mode == ecp.Adopted {
		return true
	}
	for _, n := range g.Observed.Info(rec).Nodes {
		if n.Name == node {
			return n.Ready
		}
	}
	return false
}

// dashboardWay chooses the way to a cluster's dashboard. EMQX 4 is always shown
// through an agent; of later versions the address that people have given it is
// nearer to them.
func (g *Gateway) dashboardWay(rec ecp.ClusterRecord, via DashboardVia) (DashboardWay, error) {
	if via != "" && !slices.Contains(DashboardVias(), via) {
		return DashboardWay{}, &ecp.Error{
			Code:    ecp.CodeInvalid,
			Message: "there is no such way to a dashboard",
			Fields: []ecp.FieldError{{
				Field:   "via",
				Message: fmt.Sprintf("is %q; %v are ways, and none lets it be chosen", via, DashboardVias()),
			}},
		}
	}
	if rec.Mode == ecp.Hosted {
		if via != "" && via != ViaTarget {
			return DashboardWay{}, ecp.NewError(ecp.CodeUnsupported, "",
				fmt.Sprintf("the cluster is hosted: its dashboard is reached by way of its target, not by %s", via))
		}
		return DashboardWay{Via: ViaTarget}, nil
	}
	return g.adoptedDashboardWay(rec, via)
}

func (g *Gateway) adoptedDashboardWay(rec ecp.ClusterRecord, via DashboardVia) (DashboardWay, error) {
	address, info := "", g.Observed.Info(rec)
	if rec.Spec.Adopted != nil {
		address = rec.Spec.Adopted.ServiceAddress
	}
	v, _ := ecp.ParseVersion(info.Version)
	direct := address != "" && v.Major >= 5
	switch via {
	case ViaAgent:
		if g.Observed.AgentAddress == "" && !g.agentConnected(rec.ID) {
			return DashboardWay{}, ecp.NewError(ecp.CodeUnsupported, "",
				ecp.FeatureDashboard.Why(ecp.Adopted, v, ecp.Capabilities{NoAgentAddress: true}))
		}
		return DashboardWay{Via: ViaAgent}, nil
	case ViaTarget:
		return DashboardWay{}, ecp.NewError(ecp.CodeUnsupported, "",
			"the cluster is adopted: its dashboard has no way by a target; leave via out, or ask for agent")
	case ViaServiceAddress:
		if !direct {
			return DashboardWay{}, ecp.NewError(ecp.CodeUnsupported, "", whyNotDirect(address, v))
		}
	case "":
		if err := g.dashboardUsable(rec, info); err != nil {
			return DashboardWay{}, err
		}
	}
	if direct {
		return DashboardWay{Via: ViaServiceAddress, Address: address}, nil
	}
	return DashboardWay{Via: ViaAgent}, nil
}

// whyNotDirect says why browsers are not led to a service address.
func whyNotDirect(address string, v ecp.Version) string {
	switch {
	case address == "":
		return "the cluster has no service address; set spec.serviceAddress, or open the dashboard through an agent"
	case v.Major == 0:
		return "the dashboard of EMQX 4 is opened through an agent only, and the version is not known yet: no agent " +
			"has reported"
	}
	return "the dashboard of EMQX 4 is opened through an agent only"
}

// dashboardUsable refuses what the feature says cannot be used. Where an agent is
// all that is missing it may come back.
func (g *Gateway) dashboardUsable(rec ecp.ClusterRecord, info ecp.Info) error {
	for _, f := range info.Features {
		if f.Feature != ecp.FeatureDashboard || f.Available {
			continue
		}
		code := ecp.CodeUnavailable
		if g.Observed.AgentAddress == "" {
			code = ecp.CodeUnsupported
		}
		return ecp.NewError(code, "", f.Why)
	}
	return nil
}

// agentConnected reports whether any agent of a cluster is connected.
func (g *Gateway) agentConnected(id ecp.ID) bool { return len(g.Observed.LikeliestAgents(id)) > 0 }

// dashboard returns the way to a node's dashboard, or if node is empty to any's: a
// hosted cluster's as to its management API, an adopted one's by what adds no
// credentials. None are ever in it.
func (g *Gateway) dashboard(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error) {
	e, err := g.dashboardOf(ctx, rec, node)
	if err != nil {
		return ecp.Endpoint{}, err
	}
	if e.Authenticated { // whoever came would be the broker's administrator
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnsupported, "",
			"the way to this cluster's broker logs in by itself, so nobody is let through to the dashboard")
	}
	e.Credentials = ecp.Credentials{}
	return e, nil
}

func (g *Gateway) dashboardOf(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error) {
	switch {
	case rec.Mode == ecp.Hosted:
		return g.Observed.Endpoint(ctx, rec, node)
	case g.Observed.Link == nil:
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnavailable, "", observed.NoAgentConnected)
	}
	return g.Observed.Link.Dashboard(ctx, rec.ID, node) // which agents' dashboards answer it knows best
}
