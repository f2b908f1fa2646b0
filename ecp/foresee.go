package ecp

import (
	"context"
	"errors"
	"time"
)

// foresight bounds how long a caller waits for the platform's opinion of a
// change. A platform that is slow or away refuses nothing.
const foresight = 5 * time.Second

// change is what a cluster is to become, for the platform to judge. The zero
// value is nothing that it has to be asked about.
type proposal struct {
	was *ClusterRecord // nil = there is no such cluster yet
	is  ClusterRecord
}

// changeBy returns the change that a decision makes, where its spec is another
// one.
func changeBy(was ClusterRecord, d decision) proposal {
	if was.Mode != Hosted || d.nothing || d.kind != OpUpdate && d.kind != OpPutBack {
		return proposal{}
	}
	return proposal{&was, d.rec}
}

// foresee asks the platform whether it would ever take a change. The error says
// what it never takes, and in which field; note says for a plan what is not known.
// What it refuses of the cluster as it is already, it may go on to refuse: that
// must not hold up other changes.
func (m *Manager) foresee(ctx context.Context, c proposal) (note string, err error) {
	if c.is.Mode != Hosted {
		return "", nil
	}
	p, err := m.provisioner(c.is)
	checker, ok := p.(Checker)
	if err != nil || !ok {
		return "", nil // that the target is not up is said where it matters
	}
	ctx, cancel := context.WithTimeout(ctx, foresight)
	defer cancel()
	err = m.check(ctx, checker, c.is)
	r := RefusalOf(err)
	switch {
	case err == nil:
		return "", nil
	case r == nil:
		return "whether the platform takes all of it could not be found out before: " + MessageOf(err), nil
	}
	if c.was != nil {
		if before := RefusalOf(m.check(ctx, checker, *c.was)); before != nil && before.What == r.What && before.Why == r.Why {
			return "the platform goes on to refuse what it refuses now: " + MessageOf(err), nil
		}
	}
	return "", neverTaken(err, r)
}

// addForesight puts into a plan what is not known of the platform's opinion, or
// returns its refusal.
func (m *Manager) addForesight(ctx context.Context, plan *Plan, c proposal) error {
	note, err := m.foresee(ctx, c)
	if note != "" {
		plan.Notes = append(plan.Notes, note)
	}
	return err
}

func (m *Manager) check(ctx context.Context, c Checker, rec ClusterRecord) error {
	d := desired(rec)
	if err := m.addSecrets(ctx, rec, &d); err != nil {
		return err
	}
	return c.Check(ctx, d)
}

// neverTaken is the error for who asked for what the platform refuses.
func neverTaken(err error, r *Refusal) error {
	out := &Error{Code: CodeInvalid, Message: "the platform would never take it", Cause: err}
	var own *Error
	if errors.As(err, &own) {
		out.Fields = own.Fields
	}
	if len(out.Fields) == 0 {
		out.Fields = []FieldError{{"spec", r.What + ": " + r.Why}}
	}
	return out
}

// beforehand refuses a request that the platform would never carry out, before
// anything of it is stored. look says what it changes. Where it finds that out
// in vain the request goes on: who carries it out says what is wrong with it.
func (m *Manager) beforehand(ctx context.Context, q request, look func(tx Tx, a Actor) (proposal, error)) error {
	a, ok := ActorFrom(ctx)
	if !ok {
		return nil
	}
	once, err := m.Writer.once(ctx, a, q)
	if err != nil {
		return nil //nolint:nilerr // submit says it
	}
	var c proposal
	err = m.store.Read(ctx, func(tx Tx) error {
		c = proposal{}
		var answer any
		if known, err := once.answer(tx, &answer); known || err != nil {
			return err
		}
		var err error
		c, err = look(tx, a)
		return err
	})
	if err != nil {
		return nil //nolint:nilerr // submit says it
	}
	if _, err := m.foresee(ctx, c); err != nil {
		return explain(q.op, err, "", "")
	}
	return nil
}
