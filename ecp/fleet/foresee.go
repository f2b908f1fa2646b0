package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// foresight bounds how long a caller waits for the platform's opinion of a
// change. A platform that is slow or away refuses nothing.
const foresight = 5 * time.Second

// proposal is what a cluster is to become, about which the platform is asked. The zero
// value is nothing that it has to be asked about.
type proposal struct {
	was *ecp.ClusterRecord // nil = there is no such cluster yet
	is  ecp.ClusterRecord
}

// changeBy returns the change that a decision makes, where its spec is another
// one.
func changeBy(was ecp.ClusterRecord, d decision) proposal {
	if was.Mode != ecp.Hosted || d.nothing || d.kind != ecp.OpUpdate && d.kind != ecp.OpPutBack {
		return proposal{}
	}
	return proposal{&was, d.rec}
}

// foresee asks the platform whether it would ever take a change. The error says
// what it never takes, and in which field; note says for a plan what is not known.
// What it refuses of the cluster as it is already, it may go on to refuse: that
// must not hold up other changes.
func (m *Manager) foresee(ctx context.Context, c proposal) (note string, err error) {
	if c.is.Mode != ecp.Hosted {
		return "", nil
	}
	p, err := m.observed.Provisioner(c.is)
	checker, ok := p.(ecp.Checker)
	if err != nil || !ok {
		return "", nil // that the target is not up is said where it matters
	}
	ctx, cancel := context.WithTimeout(ctx, foresight)
	defer cancel()
	err = m.check(ctx, checker, c.is)
	r := ecp.RefusalOf(err)
	switch {
	case err == nil:
		return "", nil
	case r == nil:
		return "whether the platform takes all of it could not be found out before: " + ecp.MessageOf(err), nil
	}
	if c.was != nil {
		if before := ecp.RefusalOf(m.check(ctx, checker, *c.was)); before != nil && before.What == r.What &&
			before.Why == r.Why {
			return "the platform goes on to refuse what it refuses now: " + ecp.MessageOf(err), nil
		}
	}
	return "", neverTaken(err, r)
}

// addForesight puts into a plan what is not known of the platform's opinion, or
// returns its refusal.
func (m *Manager) addForesight(ctx context.Context, plan *ecp.Plan, c proposal) error {
	note, err := m.foresee(ctx, c)
	if note != "" {
		plan.Notes = append(plan.Notes, note)
	}
	return err
}

func (m *Manager) check(ctx context.Context, c ecp.Checker, rec ecp.ClusterRecord) error {
	d := derive.Desired(rec)
	if err := m.observed.AddSecrets(ctx, rec, &d); err != nil {
		return err
	}
	return c.Check(ctx, d)
}

// neverTaken is the error for who asked for what the platform refuses.
func neverTaken(err error, r *ecp.Refusal) error {
	out := &ecp.Error{Code: ecp.CodeInvalid, Message: "the platform would never take it", Cause: err}
	var own *ecp.Error
	if errors.As(err, &own) {
		out.Fields = own.Fields
	}
	if len(out.Fields) == 0 {
		out.Fields = []ecp.FieldError{{Field: "spec", Message: r.What + ": " + r.Why}}
	}
	return out
}

// beforehand refuses a request that the platform would never carry out, before
// anything of it is stored. propose returns what it changes. Where it finds that out
// in vain the request goes on: who carries it out says what is wrong with it.
func (m *Manager) beforehand(
	ctx context.Context, q change.Request, propose func(tx ecp.Tx, a ecp.Actor) (proposal, error),
) error {
	a, ok := ecp.ActorFrom(ctx)
	if !ok {
		return nil
	}
	var c proposal
	err := m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		c = proposal{}
		if known, err := m.Changes.Repeated(ctx, tx, a, q); known || err != nil {
			return err
		}
		var err error
		c, err = propose(tx, a)
		return err
	})
	if err != nil {
		return nil //nolint:nilerr // submit says it
	}
	if _, err := m.foresee(ctx, c); err != nil {
		return fault.Wrap(q.Op, err)
	}
	return nil
}
