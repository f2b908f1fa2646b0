package emqxsim

import (
	"context"

	"github.com/openecp/openecp/ecp"
)

// Rehearse reports whether the platform would accept a pod now. See [ecp.Rehearser].
func (p *Provisioner) Rehearse(ctx context.Context, id ecp.ID, role ecp.NodeRole, ordinal int) error {
	const op = "rehearse node"
	if err := p.checkReachable(ctx, op); err != nil {
		return err
	}
	all := p.at(id, p.now())
	st := &all
	if role == ecp.RoleReplicant {
		st = all.Replicants
	}
	switch {
	case st == nil || st.Workload == nil || ordinal < 0 || ordinal >= st.Workload.Replicas:
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "no such node is to run"}
	case st.Refusal != "":
		return &ecp.Error{Code: ecp.CodeConflict, Op: op, Message: st.refusal()}
	}
	return nil
}

func (s *state) refusal() string { return "the platform refuses to make a pod: " + s.Refusal }

var _ ecp.Rehearser = (*Provisioner)(nil)
