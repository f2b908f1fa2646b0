package fleet

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
func (m *Manager) DashboardWay(ctx context.Context, id ecp.ID, via DashboardVia) (DashboardWay, error) {
	const op = "open dashboard"
	rec, err := m.observed.Readable(ctx, op, ecp.RightRead, id)
	if err != nil {
		return DashboardWay{}, err
	}
	way, err := m.dashboardWay(rec, via)
	if err != nil {
		return DashboardWay{}, fault.Wrap(op, err)
	}
	return way, nil
}

// OpenDashboard is as DashboardWay for somebody who opens the dashboard now: who
// does, and which way, is written into the audit before the way is returned. A way
// through an agent or a target is returned only if something is at its end. What
// people may do at the dashboard is decided by their login to EMQX.
func (m *Manager) OpenDashboard(ctx context.Context, id ecp.ID, via DashboardVia) (DashboardWay, error) {
	var opened DashboardWay
	_, err := m.observed.LetThrough(ctx, ecp.RightRead, id, "open dashboard", &opened, func(ctx context.Context, rec ecp.ClusterRecord, _ string) (e ecp.Endpoint, err error) {
		way, err := m.dashboardWay(rec, via)
		if err == nil && way.Via != ViaServiceAddress {
			e, err = m.dashboard(ctx, rec, "")
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
func (m *Manager) DashboardEndpoint(ctx context.Context, id ecp.ID, prefer string) (ecp.Endpoint, error) {
	return m.observed.Reach(ctx, ecp.RightRead, id, "", func(ctx context.Context, rec ecp.ClusterRecord, _ string) (ecp.Endpoint, error) {
		if prefer != "" && m.mayServe(rec, prefer) {
			if e, err := m.dashboard(ctx, rec, prefer); err == nil {
				return e, nil
			}
		}
		return m.dashboard(ctx, rec, "")
	})
}

// mayServe reports whether a node is worth being asked. Of an adopted cluster's
// nodes its link knows better; a hosted one's may have an address and not be ready.
func (m *Manager) mayServe(rec ecp.ClusterRecord, node string) bool {
	if rec.Mode == ecp.Adopted {
		return true
	}
	for _, n := range m.observed.Info(rec).Nodes {
		if n.Name == node {
			return n.Ready
		}
	}
	return false
}

// dashboardWay chooses the way to a cluster's dashboard. EMQX 4 is always shown
// through an agent; of later versions the address that people have given it is
// nearer to them.
func (m *Manager) dashboardWay(rec ecp.ClusterRecord, via DashboardVia) (DashboardWay, error) {
	if via != "" && !slices.Contains(DashboardVias(), via) {
		return DashboardWay{}, &ecp.Error{Code: ecp.CodeInvalid, Message: "there is no such way to a dashboard", Fields: []ecp.FieldError{{Field: "via", Message: fmt.Sprintf("is %q; %v are ways, and none lets it be chosen", via, DashboardVias())}}}
	}
	if rec.Mode == ecp.Hosted {
		if via != "" && via != ViaTarget {
			return DashboardWay{}, ecp.NewError(ecp.CodeUnsupported, "", fmt.Sprintf("the cluster is hosted: its dashboard is reached by way of its target, not by %s", via))
		}
		return DashboardWay{Via: ViaTarget}, nil
	}
	return m.adoptedDashboardWay(rec, via)
}

func (m *Manager) adoptedDashboardWay(rec ecp.ClusterRecord, via DashboardVia) (DashboardWay, error) {
	address, info := "", m.observed.Info(rec)
	if rec.Spec.Adopted != nil {
		address = rec.Spec.Adopted.ServiceAddress
	}
	v, _ := ecp.ParseVersion(info.Version)
	direct := address != "" && v.Major >= 5
	switch via {
	case ViaAgent:
		if m.observed.AgentAddress == "" && !m.agentConnected(rec.ID) {
			return DashboardWay{}, ecp.NewError(ecp.CodeUnsupported, "", ecp.Capabilities{NoAgentAddress: true}.WithoutAgent(ecp.NeedsAgent))
		}
		return DashboardWay{Via: ViaAgent}, nil
	case ViaTarget:
		return DashboardWay{}, ecp.NewError(ecp.CodeUnsupported, "", "the cluster is adopted: its dashboard has no way by a target; leave via out, or ask for agent")
	case ViaServiceAddress:
		if !direct {
			return DashboardWay{}, ecp.NewError(ecp.CodeUnsupported, "", whyNotDirect(address, v))
		}
	case "":
		if err := m.dashboardUsable(rec, info); err != nil {
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
		return "the dashboard of EMQX 4 is opened through an agent only, and the version is " + ecp.NotReported
	}
	return "the dashboard of EMQX 4 is opened through an agent only"
}

// dashboardUsable refuses what the feature says cannot be used. Where an agent is
// all that is missing it may come back.
func (m *Manager) dashboardUsable(rec ecp.ClusterRecord, info ecp.Info) error {
	for _, f := range info.Features {
		if f.Feature != ecp.FeatureDashboard || f.Available {
			continue
		}
		code := ecp.CodeUnavailable
		if m.observed.AgentAddress == "" {
			code = ecp.CodeUnsupported
		}
		return ecp.NewError(code, "", f.Why)
	}
	return nil
}

// agentConnected reports whether any agent of a cluster is connected.
func (m *Manager) agentConnected(id ecp.ID) bool { return len(m.observed.LikeliestAgents(id)) > 0 }

// dashboard returns the way to a node's dashboard, or if node is empty to any's: a
// hosted cluster's as to its management API, an adopted one's by what adds no
// credentials. None are ever in it.
func (m *Manager) dashboard(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error) {
	e, err := m.dashboardOf(ctx, rec, node)
	if err != nil {
		return ecp.Endpoint{}, err
	}
	if e.Authenticated { // whoever came would be the broker's administrator
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnsupported, "", "the way to this cluster's broker logs in by itself, so nobody is let through to the dashboard")
	}
	e.Credentials = ecp.Credentials{}
	return e, nil
}

func (m *Manager) dashboardOf(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error) {
	switch {
	case rec.Mode == ecp.Hosted:
		return m.observed.Endpoint(ctx, rec, node)
	case m.observed.Link == nil:
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnavailable, "", observed.NotConnected)
	}
	return m.observed.Link.Dashboard(ctx, rec.ID, node) // which agents' dashboards answer it knows best
}

// Endpoint gives the way to the management API of one of a cluster's nodes, by
// its EMQX name; "" = any that is ready. Whoever holds it can do what the
// broker's administrator can. right is what the actor must hold over the
// cluster's project: [ecp.RightWrite], unless the caller passes on nothing but reads
// it has vetted. Unavailable where no node can be reached now; not found where
// there is no cluster, or none that the actor may know of.
func (m *Manager) Endpoint(ctx context.Context, right ecp.Right, id ecp.ID, node string) (ecp.Endpoint, error) {
	return m.observed.Reach(ctx, right, id, node, m.observed.Endpoint)
}

// BrokerCall is one call to a broker's management API, as the audit keeps it.
type BrokerCall struct {
	Method string `json:"method"`
	// Path is as it was sent, escapes and all, without the query: what stands
	// there may be secret.
	Path string `json:"path"`
}

// EndpointForCall gives the way to a cluster's broker for one call that may
// change something there, and writes into the audit who makes it: the entry is
// stored before the way is given, and says that the call was let through, not
// what the broker made of it. It wants [ecp.RightWrite]; a refusal for want of it is
// in the audit, too.
func (m *Manager) EndpointForCall(ctx context.Context, id ecp.ID, call BrokerCall) (ecp.Endpoint, error) {
	return m.observed.LetThrough(ctx, ecp.RightWrite, id, "call broker", call, m.observed.Endpoint)
}
