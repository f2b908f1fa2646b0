package emqxhttp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// A member that hangs lets a broker hang over every question about all members,
// for two minutes. What follows bounds that.
const (
	// soon is after what time of silence something else is tried beside.
	soon = 1500 * time.Millisecond
	// memberPatience is that with one member among several.
	memberPatience = 3 * time.Second
)

// patienceKey is for how long clients wait for one call where that is more than the
// default.
type patienceKey struct{}

// scaled makes d, of a client that has the default of 10 s for a call, that of one that
// has more. It has more because everything is slow there: who answers slowly does not
// hang. Where little time is left it is half of that at most.
func scaled(ctx context.Context, d, left time.Duration) time.Duration {
	if patience, ok := ctx.Value(patienceKey{}).(time.Duration); ok {
		d = time.Duration(float64(d) * float64(patience) / float64(defaultTimeout))
	}
	return min(d, left/2)
}

// wait is the time of silence after which something else is tried.
func wait(ctx context.Context) (time.Duration, bool) {
	end, ok := ctx.Deadline()
	return scaled(ctx, soon, time.Until(end)), ok
}

// Hedged asks one question and, where that fails within the broker or is not
// answered soon, another one beside it. The answer that comes first counts; the
// error is that of the first.
func Hedged[T any](ctx context.Context, first, second func(context.Context) (T, error)) (T, error) {
	after, ok := wait(ctx)
	if !ok {
		return first(ctx)
	}
	type answer struct {
		is  T
		err error
	}
	toFirst, endFirst := context.WithCancel(ctx)
	defer endFirst()
	toSecond, endSecond := context.WithCancel(ctx)
	defer endSecond()
	other := make(chan answer, 1)
	late := time.AfterFunc(after, func() {
		is, err := second(toSecond)
		other <- answer{is, err}
		if err == nil {
			endFirst()
		}
	})
	is, err := first(toFirst)
	switch {
	case !late.Stop(): // the second is under way
		if err == nil {
			endSecond()
		}
		if a := <-other; err != nil && a.err == nil {
			return a.is, nil
		}
	case crashed(err):
		if other, otherErr := second(toSecond); otherErr == nil {
			return other, nil
		}
	}
	return is, err
}

// crashed says that an error is a call's that failed within the broker.
func crashed(err error) bool {
	var said *ecp.BrokerError
	return errors.As(err, &said) && said.Status == http.StatusInternalServerError
}

// Watched asks a question about all members that no single one answers. Where it
// is not answered soon, missing names the members that do not answer: if there
// are any the question is given up, since it would last as long as they hang,
// and the error names them.
func Watched[T any](ctx context.Context, c *Client, missing func(context.Context) []string, question func(context.Context) (T, error)) (T, error) {
	after, ok := wait(ctx)
	if !ok {
		return question(ctx)
	}
	asked, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	done := make(chan struct{})
	late := time.AfterFunc(after, func() {
		defer close(done)
		if names := missing(asked); len(names) > 0 {
			giveUp(c.Hanging(names))
		}
	})
	v, err := question(asked)
	var hanging *ecp.Error
	if err != nil && ctx.Err() == nil && errors.As(context.Cause(asked), &hanging) {
		err = hanging
	}
	if !late.Stop() {
		giveUp(nil)
		<-done
	}
	return v, err
}

// Hanging gives the error for what nobody tells while these members hang.
func (c *Client) Hanging(names []string) error {
	for i, n := range names {
		names[i] = c.Say(n)
	}
	return c.Fail(ecp.CodeUnavailable, "no answer from "+strings.Join(names, ", ")+", for which the other members wait; they count a member as stopped after two minutes or so", nil)
}

// OfMember is what one member says, if it does.
type OfMember[T any] struct {
	Name string
	Says T
	Err  error // why it says nothing; nil = it does
}

// EachMember asks members by name, a few at a time, each with little patience.
func EachMember[T any](ctx context.Context, names []string, question func(ctx context.Context, name string) (T, error)) []OfMember[T] {
	all := make([]OfMember[T], len(names))
	Abreast(len(names), func(i int) {
		patience := memberPatience
		if end, ok := ctx.Deadline(); ok {
			patience = scaled(ctx, memberPatience, time.Until(end))
		}
		ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
		defer cancel()
		says, err := question(ctx, names[i])
		all[i] = OfMember[T]{names[i], says, err}
	})
	return all
}

// Missing names the members that say nothing; nil where none does, since it is
// then not they that hang.
func Missing[T any](all []OfMember[T]) []string {
	var names []string
	for _, m := range all {
		if m.Err != nil {
			names = append(names, m.Name)
		}
	}
	if len(names) == len(all) {
		return nil
	}
	slices.Sort(names)
	return names
}

// MessageOnly is what an error says, without whom was asked: that is not for
// everybody who reads it.
func MessageOnly(err error) string {
	var e *ecp.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return ecp.MessageOf(err)
}
