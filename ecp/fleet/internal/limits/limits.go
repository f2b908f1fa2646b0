package limits

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// Limits brings brokers of adopted clusters to the connection limits that they are to
// have.
type Limits struct {
	Observed *observed.Clusters
	// Intent returns what the audit log keeps of a record
	Intent func(ecp.ClusterRecord) any
}

// Retry is how long a broker is left alone at most that did not take its limit:
// it may be back with the next report of its agent.
const Retry = 5 * time.Second

// limitAgents is how many agents are asked at most in one pass, one after the other.
const limitAgents = 2

// ErrOvertaken is returned where another command has come in between.
var ErrOvertaken = errors.New("another command came in between")

// Reconcile brings the broker of an adopted cluster to the limit that it is to
// have, where that is not done, and stores what came of it. It starts from what the
// broker says and never from a remembered step. It returns when to try again; 0
// means that nothing is to be done.
func (m *Limits) Reconcile(ctx context.Context, id ecp.ID) time.Duration {
	rec, op, err := m.Observed.Load(ctx, id)
	if err != nil || rec.Deleting || rec.Status.Limit == nil || !rec.Status.Limit.Pending {
		return 0 // a record that cannot be read is complained of by the pass itself
	}
	mem := m.Observed.MemoryOf(id)
	if wait := mem.Backoff.Left(m.Observed.Tick(), rec.Revision); wait > 0 && !m.late(id, op) {
		return wait
	}
	out := m.Bring(ctx, rec, op != nil)
	if ctx.Err() != nil {
		return 0
	}
	if errors.Is(out.Err, ErrOvertaken) {
		return time.Millisecond
	}
	ended, err := m.store(ctx, rec, out)
	switch {
	case err != nil && !errors.Is(err, ecp.ErrNotFound):
		m.Observed.LogFailure(ctx, "store limit", id, err)
		return time.Second
	case ended || err != nil:
		mem.Backoff = sched.Backoff{}
		return time.Millisecond
	}
	if op == nil || adopted.Cause(ecp.MessageOf(out.Err)) != op.Error {
		m.Observed.LogFailure(ctx, "set connection limit", id, out.Err)
	}
	most := Retry
	if op == nil {
		most = sched.LongestRetry
	}
	return mem.Backoff.Fail(m.Observed.Tick(), rec.Revision, m.Observed.Timings.Retry, most)
}

// late reports whether the time of an operation is over: not while agents
// cannot be heard, nor before they have had time to come back to this program.
func (m *Limits) late(id ecp.ID, op *ecp.Operation) bool {
	if op == nil || op.Deadline.IsZero() || m.Observed.Now().Before(op.Deadline) {
		return false
	}
	obs := m.Observed.Observe(id)
	return obs.Unheard == "" && !m.Observed.Now().Before(obs.Since.Add(m.Observed.Timings.AgentReturn))
}

// Bring asks what the broker has and sends what it is to have, if that is
// another number. What is about to be sent is stored before.
func (m *Limits) Bring(ctx context.Context, rec ecp.ClusterRecord, asked bool) (out adopted.LimitOutcome) {
	l := *rec.Status.Limit
	if n := rec.Spec.Connections(); len(l.Sent) == 0 && n == 0 && l.Set == 0 && !rec.Deleting ||
		rec.Deleting && l.Untouched() {
		return adopted.LimitOutcome{Done: true} // nothing from here can be at the broker
	}
	is, major, err := m.ask(ctx, rec,
		func(ctx context.Context, b ecp.ConnectionLimiter) (ecp.ConnectionLimit, error) {
			return b.ConnectionLimit(ctx)
		})
	if err != nil {
		return adopted.LimitOutcome{Err: err, Final: lastWord(err)}
	}
	out = adopted.LimitOutcome{Is: is, Read: true, Steps: 1}
	next := adopted.NextLimitStep(rec, asked, major, is)
	out.Note = next.Note
	switch next.Action {
	case adopted.LimitDone:
		out.Done = true
	case adopted.LimitWait:
		out.Steps, out.Err = 2, ecp.NewError(ecp.CodeUnavailable, "", next.Why)
	case adopted.LimitRefused:
		out.Err, out.Final = ecp.NewError(ecp.CodeUnsupported, "", next.Why), true
		out.Dropped = m.droppedNow(rec, next.Why)
	case adopted.LimitSend:
		m.send(ctx, rec, next.Limit, &out)
	}
	return out
}

// send sets a limit at the broker and looks what came of it. The adapter
// compares the echo and reads the license afterwards.
func (m *Limits) send(ctx context.Context, rec ecp.ClusterRecord, n int, out *adopted.LimitOutcome) {
	if err := m.noteSending(ctx, rec, n, out.Is); err != nil {
		out.Err = err
		return
	}
	is, _, err := m.ask(ctx, rec, func(ctx context.Context, b ecp.ConnectionLimiter) (ecp.ConnectionLimit, error) {
		return b.SetConnectionLimit(ctx, n)
	})
	if err != nil {
		out.Err, out.Final = err, lastWord(err)
		if out.Read = out.Final; out.Final { // it said no, so that it has what it had
			out.Refused = n
		}
		if errors.Is(err, ecp.ErrLicenseNotBusinessCritical) {
			out.Dropped = m.droppedNow(rec, observed.WordsOf(err))
		}
		return
	}
	out.Is, out.Steps = is, 2
	if _, release := rec.LimitTarget(); !release && is.InForce > n {
		out.Err = ecp.NewError(ecp.CodeUnavailable, "", adopted.NextLimitStep(rec, true, 5, is).Why)
		return
	}
	out.Done = true
}

// noteSending stores that a number is about to be sent: a program that takes over
// here has to know what the broker had before, and what it may have since.
func (m *Limits) noteSending(ctx context.Context, seen ecp.ClusterRecord, n int, is ecp.ConnectionLimit) error {
	err := m.Observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, _, err := observed.LoadTx(tx, seen.ID)
		if err != nil {
			return err
		}
		if Overtaken(seen, rec) {
			return ErrOvertaken
		}
		next := rec.Clone()
		l := next.Status.Limit
		if _, release := rec.LimitTarget(); !release && n != l.Set && !l.Ours(n) {
			l.Sent = append(l.Sent, n)
		}
		if l.Former == nil {
			former := is.Set
			l.Former = &former
		}
		return Put(tx, rec, next)
	})
	m.Observed.Counters.Writes.Add(1)
	return err
}

// Overtaken reports whether something else is wanted of a cluster's limit than when
// it was read.
func Overtaken(seen, is ecp.ClusterRecord) bool {
	return is.Status.Limit == nil || is.Generation != seen.Generation || is.Deleting != seen.Deleting ||
		is.Force != seen.Force || is.Status.Operation != seen.Status.Operation
}

// Put stores a record whose limit is another, with what it has booked: what it
// gives back is free from then on.
func Put(tx ecp.Tx, was, is ecp.ClusterRecord) error {
	if err := change.Rebook(tx, ecp.System, was, is, time.Time{}); err != nil {
		return err
	}
	return derive.PutTransitions(tx, []ecp.ClusterRecord{is})
}

// store stores what came of a try, unless something else is wanted by now. It
// reports whether there is nothing left to do.
func (m *Limits) store(
	ctx context.Context, seen ecp.ClusterRecord, out adopted.LimitOutcome,
) (ended bool, _ error) {
	id := seen.ID
	q := change.Request{
		Op:     "set connection limit of " + string(id),
		Action: "restore",
		Kind:   ecp.KindCluster,
		Key:    string(id),
	}
	err := m.Observed.Changes.DoAs(ctx, ecp.System, q, func(w *change.Tx) error {
		ended = true
		rec, op, err := observed.LoadTx(w.Tx, id)
		if err != nil || Overtaken(seen, rec) {
			return err
		}
		next, newOp := adopted.LimitAfter(w.Now, rec, op, out, m.late(id, op))
		ended = newOp != nil && newOp.Phase.Final() || op == nil && out.Done
		if next.Generation != rec.Generation { // what was asked for is taken back
			w.Note(string(id), rec.Project, m.Intent(rec), m.Intent(next))
		}
		if newOp != nil && !derive.SameOperation(*op, *newOp) {
			if err := ecp.Put(w.Tx, *newOp, ecp.AnyVersion); err != nil {
				return err
			}
		}
		if !ended {
			return nil
		}
		agents, err := observed.ChildrenIn[ecp.AgentRecord](w.Tx, id)
		if err != nil {
			return err
		}
		next.Status.Conditions = adopted.Conditions(adopted.NewView(m.Observed.Timings, w.Now, next, agents,
			m.Observed.AdoptedSnapshot(id)))
		return Put(w.Tx, rec, next)
	})
	m.Observed.Counters.Writes.Add(1)
	return ended, err
}

// ask asks the broker of an adopted cluster through an agent, and through
// another one where that does not answer. It returns the major version that
// answered, too.
func (m *Limits) ask(
	ctx context.Context, rec ecp.ClusterRecord,
	question func(context.Context, ecp.ConnectionLimiter) (ecp.ConnectionLimit, error),
) (ecp.ConnectionLimit, int, error) {
	nodes := m.Observed.LikeliestAgents(rec.ID)
	if len(nodes) == 0 {
		return ecp.ConnectionLimit{}, 0, ecp.NewError(ecp.CodeUnavailable, "", observed.NoAgentConnected)
	}
	v, _ := ecp.ParseVersion(rec.Status.Version)
	var told observed.NodeErrors
	refused := len(nodes) <= limitAgents // by every agent that there is
	q := observed.Query{Op: "set connection limit of " + string(rec.ID), ID: rec.ID}
	for _, node := range nodes[:min(len(nodes), limitAgents)] {
		is, err := observed.QueryNode(ctx, m.Observed, q, rec, rec.Status.Version, node, nodes, question)
		if err == nil {
			return is, v.Major, nil
		}
		if observed.IsFinal(err) || ctx.Err() != nil {
			return is, v.Major, &ecp.Error{Code: ecp.CodeOf(err), Message: observed.ReasonOf(err), Cause: err}
		}
		told.Add(node, err)
		refused = refused && agentRefuses(err)
	}
	if refused {
		return ecp.ConnectionLimit{}, 0, &ecp.Error{
			Code:    ecp.CodeDenied,
			Message: told.String(),
			Cause:   errors.Join(append(told.Causes, errAgentsRefuse)...),
		}
	}
	return ecp.ConnectionLimit{}, 0, &ecp.Error{
		Code:    ecp.CodeUnavailable,
		Message: "no agent gives an answer: " + told.String(),
		Cause:   errors.Join(told.Causes...),
	}
}

// errAgentsRefuse says that no agent of a cluster passes a question on.
var errAgentsRefuse = errors.New("every agent of the cluster refuses it")

// lastWord reports whether trying again would not help: the broker has said so, or
// every agent, as those do that are read-only.
func lastWord(err error) bool { return observed.IsFinal(err) || errors.Is(err, errAgentsRefuse) }

// agentRefuses reports whether an agent did not pass a question on and would not the
// next time. The adapter cannot know: to it the way to the broker has failed.
func agentRefuses(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		var e *ecp.Error
		if !errors.As(err, &e) {
			return false
		}
		switch e.Code { //nolint:exhaustive // all others may pass
		case ecp.CodeDenied, ecp.CodeInvalid, ecp.CodeUnsupported:
			return true
		}
		err = e
	}
	return false
}

// droppedNow notes how a broker is reported to be that takes no limit.
func (m *Limits) droppedNow(rec ecp.ClusterRecord, why string) *ecp.LimitDropped {
	d := ecp.LimitDropped{Why: derive.Clip(why, 500), Version: rec.Status.Version}
	for _, a := range observed.ByReport(m.Observed.Observe(rec.ID).Agents) {
		if a.Connected && a.Report.Complete() {
			d.LicenseType = a.Report.LicenseType
			d.Version, d.Limit = a.Report.Description.Version, a.Report.Description.Limit
		}
	}
	return &d
}
