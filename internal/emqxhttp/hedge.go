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

// A member that hangs makes a broker hang in every call about all members, for about two
// minutes. The following limits that.
const (
	// hedgeAfter is how long a query may take before another one is started beside it.
	hedgeAfter = 1500 * time.Millisecond
	// memberTimeout is the time limit of a query to one of several members.
	memberTimeout = 3 * time.Second
)

// timeoutKey is the context key for a client's time limit, if that is more than the default.
type timeoutKey struct{}

// scaled scales d, which is for clients with the default time limit, to that of the client. A
// client has a longer limit if everything is slow: a slow answer does not mean that a member
// hangs. The result is at most half of the time that is left.
func scaled(ctx context.Context, d, left time.Duration) time.Duration {
	if timeout, ok := ctx.Value(timeoutKey{}).(time.Duration); ok {
		d = time.Duration(float64(d) * float64(timeout) / float64(defaultTimeout))
	}
	return min(d, left/2)
}

// wait returns after what time another query is started.
func wait(ctx context.Context) (time.Duration, bool) {
	end, ok := ctx.Deadline()
	return scaled(ctx, hedgeAfter, time.Until(end)), ok
}

// Hedged makes one query and, if it fails within the broker or takes long, another one
// beside it. The first result counts. The error is that of the first query.
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
	case !late.Stop(): // the second is running
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

// crashed reports whether an error is a failure within the broker.
func crashed(err error) bool {
	var said *ecp.BrokerError
	return errors.As(err, &said) && said.Status == http.StatusInternalServerError
}

// GiveUpOnHanging makes a query about all members that no single member can answer. If it
// takes long, missing returns the members that do not answer. If there are any, the query
// is cancelled, since it would last as long as they hang, and the error names them.
func GiveUpOnHanging[T any](ctx context.Context, c *Client, missing func(context.Context) []string,
	question func(context.Context) (T, error)) (T, error) {
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
			giveUp(c.HangingError(names))
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

// HangingError returns the error for a query that cannot be answered while these members
// hang.
func (c *Client) HangingError(names []string) error {
	for i, n := range names {
		names[i] = c.Sanitize(n)
	}
	return c.Fail(ecp.CodeUnavailable, "no answer from "+strings.Join(names, ", ")+", for which the other members "+
		"wait; they count a member as stopped after about two minutes", nil)
}

// MemberAnswer is the answer of one member.
type MemberAnswer[T any] struct {
	Name  string
	Value T
	Err   error // nil if it has answered
}

// EachMember queries members by name, a few at a time, each with a short time limit.
func EachMember[T any](ctx context.Context, names []string,
	question func(ctx context.Context, name string) (T, error)) []MemberAnswer[T] {
	all := make([]MemberAnswer[T], len(names))
	Parallel(len(names), func(i int) {
		timeout := memberTimeout
		if end, ok := ctx.Deadline(); ok {
			timeout = scaled(ctx, memberTimeout, time.Until(end))
		}
		ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
		says, err := question(ctx, names[i])
		all[i] = MemberAnswer[T]{names[i], says, err}
	})
	return all
}

// Unanswered returns the names of the members that did not answer. It returns nil if none
// did, because then it is not they that hang.
func Unanswered[T any](all []MemberAnswer[T]) []string {
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

// MessageOnly returns the message of an error without the address of the broker, which not
// every reader may see.
func MessageOnly(err error) string {
	var e *ecp.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return ecp.MessageOf(err)
}
