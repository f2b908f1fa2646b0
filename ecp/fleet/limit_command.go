package fleet

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// noLimit refuses a connection limit.
func noLimit(why string) error {
	return &ecp.Error{
		Code:    ecp.CodeUnsupported,
		Message: "the connection limit cannot be set",
		Fields:  []ecp.FieldError{{Field: "spec.connections", Message: why}},
	}
}

// carryLimit begins the operation that sets, changes or gives back the limit of an
// adopted cluster's broker, where a change asks for another one, or for the same
// again after somebody has set another at the broker. It reports the latter.
func (m *Manager) carryLimit(
	d *decision, rec *ecp.ClusterRecord, before ecp.ClusterRecord, u ecp.Update,
) (again bool, _ error) {
	was, n := before.Spec.Connections(), rec.Spec.Connections()
	again = was == n && n > 0 && asksConnections(u) && limitUnsure(before)
	if was == n && !again {
		return false, nil
	}
	if n == 0 && before.Status.Limit == nil { // an earlier build has booked it, and nobody enforces it
		rec.Generation++
		return false, nil
	}
	if n > 0 {
		if why := m.noLimitFor(*rec); why != "" {
			return false, noLimit(why)
		}
	}
	m.beginLimit(d, rec)
	return again, nil
}

// beginLimit begins such an operation.
func (m *Manager) beginLimit(d *decision, rec *ecp.ClusterRecord) {
	if rec.Status.Limit == nil {
		rec.Status.Limit = &ecp.BrokerLimit{}
	}
	rec.Status.Limit.Pending = true
	rec.Generation++
	d.kind, d.patience = ecp.OpUpdate, m.observed.Timings.Limit
}

// noLimitFor says why no limit can be set for an adopted cluster now; "" = one can.
func (m *Manager) noLimitFor(rec ecp.ClusterRecord) string {
	all := m.observed.Info(rec).Features
	i := slices.IndexFunc(all, func(f ecp.FeatureInfo) bool { return f.Feature == ecp.FeatureConnectionLimit })
	return all[i].Why
}

// asksConnections reports whether a change says how many connections there are to
// be, be it as many as before.
func asksConnections(u ecp.Update) bool {
	if u.Patch == nil {
		return u.Spec != nil
	}
	var given struct {
		Connections *int `json:"connections"`
	}
	return json.Unmarshal(u.Patch, &given) == nil && given.Connections != nil
}

// limitUnsure reports whether the broker may have another limit than the one that was
// set from here last, and nothing is under way about that.
func limitUnsure(r ecp.ClusterRecord) bool {
	return r.Status.Limit != nil && r.Status.Operation == "" && ecp.ConditionOf(r.Status.Conditions,
		ecp.CondUpToDate).Status != ecp.True
}

// dropRemoved closes the connections of a cluster that is being deleted and whose
// Registry are gone: those through which its broker's own limit is put back stay until
// that is done.
func (m *Manager) dropRemoved(ctx context.Context, id ecp.ID) {
	agents, err := observed.ChildrenOf[ecp.AgentRecord](ctx, m.observed, id)
	if err == nil && len(agents) == 0 {
		m.observed.DropAgents(id)
	}
}

// limitAtCreation refuses a connection limit for an adopted cluster that is just being
// made: nobody knows yet whether its broker takes one, and nothing is booked that is
// not enforced.
func limitAtCreation(s ecp.AdoptedSpec) error {
	if s.Connections == 0 {
		return nil
	}
	return noLimit("is set once an agent has reported, where EMQX takes one; leave it out until then")
}
