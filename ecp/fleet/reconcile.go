package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// longestRetry is how long something that fails waits at most for its next try.
const longestRetry = 30 * time.Second

// reconcile observes a cluster, does the one thing that is due, and stores what
// follows. It returns when to look again at the latest; 0 = only when woken.
func (m *Manager) reconcile(ctx context.Context, id ecp.ID) time.Duration {
	m.observed.Counters.Passes.Add(1)
	defer m.nextInLine()
	rec, op, err := m.observed.Load(ctx, id)
	if errors.Is(err, ecp.ErrNotFound) {
		m.observed.Forget(id)
		return 0
	}
	if err != nil {
		m.logFailure(ctx, "read cluster", id, err)
		return time.Second
	}
	if rec.Mode == ecp.Adopted {
		return m.reconcileAdopted(ctx, rec)
	}
	p, err := m.observed.Provisioner(rec)
	if err != nil {
		return m.persist(ctx, rec, op, derive.Snapshot{At: m.observed.Now(), Unseen: ecp.MessageOf(err)}, derive.Outcome{})
	}
	if m.lease(rec.Spec.Hosted.Target, p).Undecided() { // it is woken when that is known
		return 5 * time.Second
	}
	mem := m.observed.MemoryOf(id)
	m.observed.SetTarget(mem, rec.Spec.Hosted.Target)
	if m.observed.TakeSecretsChanged(id) {
		mem.Known = false
	}
	look := m.observe(ctx, p, rec, *mem)
	m.Logs.AddExitMessages(ctx, p, rec, mem, &look)
	did := derive.Outcome{FirstObservation: !mem.Derived, NewestRender: derive.NewestRender(p), Lost: mem.Mark.Lost(rec.Status, m.observed.Now(), m.observed.Tick())}
	stored := rec
	rec = rec.Clone()
	derive.AdjustDeadlines(m.observed.Timings, m.observed.Now().UTC(), &rec, nil, look, did)
	if m.act(ctx, p, rec, mem, &look, &did) { // what was seen before says nothing of what was done
		failure := look.Failure // of what was done in part
		look = m.observe(ctx, p, rec, *mem)
		m.Logs.AddExitMessages(ctx, p, rec, mem, &look)
		look.Failure = failure
	}
	if ctx.Err() != nil {
		return 0
	}
	m.brokers.Observe(ctx, p, rec, mem, &look)
	if m.observed.Tick().Sub(look.Tick) > oldLook && ctx.Err() == nil { // much may have happened while a node did not answer
		look = m.observeAgain(ctx, p, rec, mem, look)
	}
	if ctx.Err() == nil && (m.unite(ctx, p, rec, mem, &look, &did) || m.rollout(ctx, p, rec, mem, &look, &did)) {
		look = m.observeAgain(ctx, p, rec, mem, look)
	}
	if ctx.Err() != nil {
		return 0
	}
	m.observed.Remember(mem, look)
	m.pushLicense(ctx, rec, look)
	was := mem.Mark.Tick
	again := m.persist(ctx, stored, op, look, did)
	if did.Queued && again >= time.Second { // it is woken when its turn comes
		again = max(again, m.observed.Timings.Poll)
	}
	if mem.Mark.Tick != was {
		mem.Mark.Planned = again
	}
	return again
}

// nextInLine lets the next cluster try that waits for a slot.
func (m *Manager) nextInLine() {
	if id := m.slots.Next(); id != "" {
		m.queue.Add(id)
	}
}

// observe asks the platform. Counters of earlier looks are carried on.
func (m *Manager) observe(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem observed.Memory) derive.Snapshot {
	target := rec.Spec.Hosted.Target
	look := derive.Snapshot{At: m.observed.Now(), Tick: m.observed.Tick(), NotHeld: m.lease(target, p).Waiting(), Unanswered: mem.Snapshot.Unanswered, UnansweredWhy: mem.Snapshot.UnansweredWhy, MissingMembers: mem.Snapshot.MissingMembers, Settings: mem.Snapshot.Settings, MQTT: mem.Snapshot.MQTT}
	if l := m.strange(target, p); l != nil { // what is there says nothing of the cluster
		look.Unseen = l.Message
		return look
	}
	found, err := p.Observe(ctx, rec.ID)
	if err != nil {
		look.Unseen = ecp.MessageOf(err)
		if mem.Snapshot.Unseen == "" && ctx.Err() == nil {
			m.logFailure(ctx, "observe cluster", rec.ID, err)
		}
		return look
	}
	look.Found = found
	return look
}

// oldLook is how long ago a look may be that is acted on and judged by.
const oldLook = time.Second

// observeAgain asks the platform once more and keeps what EMQX has said of the
// nodes that are still ready, and what was done.
func (m *Manager) observeAgain(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, old derive.Snapshot) derive.Snapshot {
	look := m.observe(ctx, p, rec, *mem)
	m.Logs.AddExitMessages(ctx, p, rec, mem, &look)
	look.Known, look.Settings, look.MQTT = old.Known, old.Settings, old.MQTT
	look.NoAdapter, look.Unanswered, look.UnansweredWhy, look.MissingMembers, look.Failure = old.NoAdapter, old.Unanswered, old.UnansweredWhy, old.MissingMembers, old.Failure
	if look.Unseen != "" {
		look.Views = old.Views
		return look
	}
	for _, n := range look.Found.Nodes {
		if view, ok := old.Views[n.Name]; ok && n.Ready && !n.Terminating {
			if look.Views == nil {
				look.Views = map[string][]derive.Member{}
			}
			look.Views[n.Name] = view
		}
	}
	return look
}

// act does what is due on the platform: at most one Apply or Delete. It says
// whether something was done.
func (m *Manager) act(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, look *derive.Snapshot, did *derive.Outcome) bool {
	if look.Unseen != "" || look.NotHeld != "" || look.Found.ForeignOwner != "" {
		return false
	}
	held := derive.WritesHeld(rec, look.Found)
	if held && !mem.OlderLogged {
		m.observed.Log.WarnContext(ctx, "the record is older than what is found; nothing is written", "cluster", rec.ID, "found", look.Found.Generation, "recorded", rec.Generation)
	}
	mem.OlderLogged = held
	if mem.Backoff.Left(look.Tick, rec.Revision) > 0 {
		look.Failure = mem.Snapshot.Failure
		return false
	}
	act := derive.NextAction(rec, look.Found, mem.Known, look.At, m.observed.Timings)
	if act == derive.ActionNone {
		return false
	}
	if act == derive.ActionDelete {
		return m.write(ctx, rec, mem, look, did, func() error { return p.Delete(ctx, rec.ID) })
	}
	d := derive.DesiredOf(rec, look.Found)
	if d.Replicas > derive.OrdinalsOf(rec) { // stored first: who takes it back has to know that the node may be there
		did.Ordinals = d.Replicas
		return false
	}
	return m.apply(ctx, p, rec, d, mem, look, did)
}

// apply asks the platform for what is wanted now.
func (m *Manager) apply(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, d ecp.Desired, mem *observed.Memory, look *derive.Snapshot, did *derive.Outcome) bool {
	return m.write(ctx, rec, mem, look, did, func() error {
		m.observed.Counters.Applies.Add(1)
		err := m.observed.AddSecrets(ctx, rec, &d)
		if err == nil {
			err = p.Apply(ctx, d)
		}
		if r := ecp.RefusalOf(err); err != nil && (r == nil || !r.Rest) {
			return err
		}
		did.Applied, did.Generation, mem.Known = true, rec.Generation, true
		return err
	})
}

// write does something to the platform in a slot, and backs off where that
// fails. It says whether it was done.
func (m *Manager) write(ctx context.Context, rec ecp.ClusterRecord, mem *observed.Memory, look *derive.Snapshot, did *derive.Outcome, do func() error) bool {
	target := rec.Spec.Hosted.Target
	if !m.slots.TryAcquire(target, rec.ID) {
		did.Queued = true
		return false
	}
	defer m.nextInLine()
	defer m.slots.Release(target)
	err := do()
	if err == nil {
		mem.Backoff, look.Failure = sched.Backoff{}, nil
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	m.observed.Counters.ApplyFailures.Add(1)
	if ecp.RefusalOf(err) == nil || ecp.MessageOf(err) != ecp.MessageOf(mem.Snapshot.Failure) {
		m.logFailure(ctx, "converge cluster", rec.ID, err)
	}
	look.Failure = err
	if r := ecp.RefusalOf(err); r != nil {
		mem.Backoff.Hold(look.Tick, rec.Revision, derive.RefusedRetry)
		return r.Rest
	}
	mem.Backoff.Fail(look.Tick, rec.Revision, m.observed.Timings.Retry, longestRetry)
	return false
}

// persist stores what follows from a look, and says when to look again.
func (m *Manager) persist(ctx context.Context, seen ecp.ClusterRecord, op *ecp.Operation, look derive.Snapshot, did derive.Outcome) time.Duration {
	now, tick, mem := m.observed.Now().UTC(), m.observed.Tick(), m.observed.MemoryOf(seen.ID)
	did.Lost = mem.Mark.Lost(seen.Status, now, tick)
	first := derive.Advance(m.observed.Timings, now, seen, op, look, did)
	if len(first.Transitions) == 0 && first.Operation == nil {
		mem.Derived, mem.Mark = look.Unseen == "", derive.NewClockMark(seen.Status, now, tick)
		return m.requeueAfter(seen, look)
	}
	var after ecp.ClusterRecord
	err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, op, err := observed.LoadTx(tx, seen.ID)
		if err != nil {
			return err
		}
		after = rec
		if rec.Revision != seen.Revision { // a command came in between: look again for its sake
			if !did.Applied || seen.Status.Dispatched {
				return nil
			}
			derive.MarkDispatched(m.observed.Timings, now, &rec, op)
			after = rec
			return writeStep(tx, derive.Result{Transitions: []ecp.ClusterRecord{rec}, Operation: op}, now)
		}
		s := derive.Advance(m.observed.Timings, now, rec, op, look, did)
		if n := len(s.Transitions); n > 0 {
			after = s.Transitions[n-1]
		}
		return writeStep(tx, s, now)
	})
	m.observed.Counters.Writes.Add(1)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, ecp.ErrNotFound) {
			m.logFailure(ctx, "store cluster", seen.ID, err)
		}
		return time.Second
	}
	if after.Revision == seen.Revision {
		mem.Mark = derive.NewClockMark(after.Status, now, tick)
	}
	if after.Revision == seen.Revision && after.Status.State != seen.Status.State {
		mem.Derived = true
		m.observed.Log.InfoContext(ctx, "cluster moved", "cluster", seen.ID, "from", seen.Status.State, "to", after.Status.State, "reason", after.Status.Reason, "message", after.Status.Message)
		return time.Millisecond
	}
	if after.Revision != seen.Revision {
		return time.Millisecond
	}
	mem.Derived = look.Unseen == ""
	if did.Ordinals > 0 { // what was meant to be done next can be done now
		return time.Millisecond
	}
	return m.requeueAfter(after, look)
}

// writeStep stores a step, each hop a change of its own; a cluster that is
// gone leaves a tombstone and gives its booking back.
func writeStep(tx ecp.Tx, s derive.Result, now time.Time) error {
	if err := derive.PutTransitions(tx, s.Transitions); err != nil {
		return err
	}
	if s.Operation != nil {
		if err := ecp.Put(tx, *s.Operation, ecp.AnyVersion); err != nil {
			return err
		}
	}
	if n := len(s.Transitions); n > 0 && s.Transitions[n-1].Status.State == ecp.Gone {
		return bury(tx, s.Transitions[n-1], s.Operation, now)
	}
	return nil
}

// bury removes the record of a cluster that is gone.
func bury(tx ecp.Tx, rec ecp.ClusterRecord, op *ecp.Operation, now time.Time) error {
	by := ""
	if op != nil {
		by = op.Actor
	}
	if err := change.Release(tx, rec); err != nil && (rec.Mode != ecp.Adopted || !rec.Force) {
		return fmt.Errorf("%w: %w", derive.ErrNotReleased, err)
	}
	if err := ecp.Put(tx, ecp.Tombstone{ID: rec.ID, Name: rec.Name, Project: rec.Project, DeletedAt: now, DeletedBy: by}, 0); err != nil {
		return err
	}
	if err := remove(tx, ecp.KindTransferNotice, string(rec.ID)); err != nil {
		return err
	}
	return tx.Delete(ecp.KindCluster, string(rec.ID))
}

// requeueAfter returns when a cluster is to be looked at without being woken.
func (m *Manager) requeueAfter(rec ecp.ClusterRecord, look derive.Snapshot) time.Duration {
	mem := m.observed.MemoryOf(rec.ID)
	settledDown := !rec.Status.State.Unsteady() && !rec.Deleting
	v := derive.NewView(look.At, rec, look)
	switch {
	case look.Unseen != "" || look.NotHeld != "":
		return 5 * time.Second
	case v.Blocked():
		return max(mem.Backoff.At.Sub(m.observed.Tick()), time.Millisecond)
	case look.Unanswered == 1 || look.MissingMembers == 1 || look.MQTT.Unserved == 1:
		return time.Second
	case v.Want > 0 && v.AsWanted() && !v.Agreed():
		mem.AskInterval = min(mem.AskInterval*3/2+100*time.Millisecond, 2*time.Second)
		return mem.AskInterval
	case settledDown && rec.Status.State == ecp.Stopped:
		return 10 * m.observed.Timings.Poll
	case settledDown && (rec.Status.State == ecp.Running || v.Refused() != nil && v.RestAsWanted()):
		return m.observed.Timings.Poll
	}
	mem.AskInterval = 0
	return time.Second
}

func (m *Manager) logFailure(ctx context.Context, doing string, id ecp.ID, err error) {
	if ctx.Err() != nil {
		return
	}
	m.observed.Log.WarnContext(ctx, "pass did not succeed", "doing", doing, "cluster", id, ecp.ErrorAttr(err))
}
