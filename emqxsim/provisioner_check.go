package emqxsim

import (
	"context"

	"github.com/openecp/openecp/ecp"
)

// Check reports whether the platform could ever create the cluster. See [ecp.Checker].
func (p *Provisioner) Check(ctx context.Context, d ecp.Desired) error {
	if err := p.checkReachable(ctx, "check cluster"); err != nil {
		return err
	}
	if err := p.check(d); err != nil {
		return err
	}
	st := p.at(d.ID, p.now())
	if err := st.Service.refuses(d.ID, d.Spec.Network); err != nil {
		return err
	}
	return st.refusesVolume(d)
}

// refusal is the error for an object that the platform would always refuse.
func refusal(what, field, why string) error {
	return &ecp.Error{
		Code: ecp.CodeInvalid, Op: "apply cluster", Message: "the platform refuses " + what,
		Fields: []ecp.FieldError{{Field: field, Message: why}}, Cause: &ecp.Refusal{What: what, Why: why, Rest: true},
	}
}

var _ ecp.Checker = (*Provisioner)(nil)
