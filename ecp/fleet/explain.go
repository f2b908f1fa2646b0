package fleet

import (
	"context"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Explanation says why a cluster is in its state, and what can be done.
type Explanation struct {
	ecp.Info
	// Operation is the one that runs; nil if none does. Its deadline is how long is waited.
	Operation *ecp.Operation
	// Rule is the rule for observations that holds the cluster where it is, in words; ""
	// before the first observation since the start of the process.
	Rule string
	// Advice is what a person can do, for the state's reason and those of the conditions
	// that are not true; empty where nothing has to be done.
	Advice []Advice
}

// Advice is what can be done about a reason.
type Advice struct {
	Reason ecp.Reason `json:"reason"`
	Do     string     `json:"do"`
}

// Explain says why a cluster is in its state. It needs [ecp.RightRead], and asks nobody:
// it tells what was last seen.
func (m *Manager) Explain(ctx context.Context, id ecp.ID) (out Explanation, err error) {
	op := "explain cluster " + string(id)
	rec, err := m.observed.LoadReadable(ctx, op, ecp.RightRead, id)
	if err != nil {
		return out, err
	}
	out.Info = m.observed.Info(rec)
	out.Advice = adviceFor(out.Info)
	if o := rec.Status.Operation; o != "" {
		running, err := m.Operation(ctx, o)
		if err != nil {
			return out, err
		}
		out.Operation = &running
	}
	if rec.Mode == ecp.Adopted {
		agents, err := observed.ChildrenOf[ecp.AgentRecord](ctx, m.observed, id)
		if err != nil {
			return out, fault.Wrap(op, err)
		}
		snap := m.observed.AdoptedSnapshot(id)
		out.Rule = adopted.DeriveState(
			adopted.NewView(m.observed.Timings, m.observed.Now(), rec, agents, snap)).Rule
		return out, nil
	}
	if snap, seen := m.observed.Last(id); seen && !snap.At.IsZero() {
		out.Rule = derive.DeriveState(m.observed.Now(), rec, snap).Rule
	}
	return out, nil
}

// adviceFor lists what to do, for the state first.
func adviceFor(info ecp.Info) []Advice {
	var out []Advice
	add := func(r ecp.Reason) {
		do := r.Advice(info.Mode)
		if do != "" && !slices.ContainsFunc(out, func(a Advice) bool { return a.Reason == r }) {
			out = append(out, Advice{r, do})
		}
	}
	add(info.Status.Reason)
	for _, c := range info.Status.Conditions {
		if c.Status != ecp.True {
			add(c.Reason)
		}
	}
	return out
}
