package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/pruning"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// reconcile observes a cluster, does the one thing that is due, and stores what
// follows. It returns after what time the cluster is reconciled again at the latest; 0 means
// only when it is woken.
func (m *Manager) reconcile(ctx context.Context, id ecp.ID) time.Duration {
	ctx, end, owned := m.shards.Begin(ctx, id)
	defer end()
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
		if !owned {
			return m.watchAdoptedOnly(rec)
		}
		return m.reconcileAdopted(ctx, rec)
	}
	p, err := m.observed.Provisioner(rec)
	if err != nil && !owned {
		return m.observed.Timings.Poll
	}
	if err != nil {
		return m.persist(ctx, rec, op, derive.Snapshot{At: m.observed.Now(), Unseen: ecp.MessageOf(err)},
			derive.Outcome{})
	}
	if m.lease(rec.Spec.Hosted.Target, p).Undecided() { // it is woken when that is known
		return 5 * time.Second
	}
	mem := m.observed.MemoryOf(id)
	m.observed.SetTarget(mem, rec.Spec.Hosted.Target)
	if !owned {
		return m.watchOnly(ctx, p, rec, mem)
	}
	m.takeOver(ctx, mem)
	if m.observed.TakeSecretsChanged(id) {
		mem.Known = false
	}
	// A cluster of which nothing was made yet takes its slot first: where many are made at once, each would ask
	// the platform again and again, while it is in line, whether something is there.
	target := rec.Spec.Hosted.Target
	if derive.NothingMade(rec) && mem.Backoff.Left(m.observed.Tick(), rec.Revision) == 0 {
		if !m.slots.TryAcquire(target, id) {
			return m.observed.Timings.Poll // it is woken when its turn comes
		}
		defer m.slots.Release(target, id)
	}
	snap := m.observe(ctx, p, rec, *mem)
	off, handled, taken := m.keepHours(ctx, rec, op, snap)
	if taken {
		return time.Millisecond
	}
	m.Logs.AddExitMessages(ctx, p, rec, mem, &snap)
	outcome := derive.Outcome{
		SleepHandled:     handled,
		FirstObservation: !mem.Derived,
		NewestRender:     derive.NewestRender(p),
		Lost:             mem.Mark.Lost(rec, m.observed.Now(), m.observed.Tick()),
	}
	stored := rec
	rec = rec.Clone()
	derive.AdjustDeadlines(m.observed.Timings, m.observed.Now().UTC(), &rec, nil, snap, outcome)
	rec = m.brokers.TellSettings(ctx, p, rec, mem, &snap, &outcome)
	told := snap.Telling
	if m.act(ctx, p, rec, mem, &snap, &outcome) { // what was seen before says nothing of what was done
		failure := snap.Failure // of what was done in part
		snap = m.observe(ctx, p, rec, *mem)
		m.Logs.AddExitMessages(ctx, p, rec, mem, &snap)
		snap.Failure, snap.Telling = failure, told
	}
	if ctx.Err() != nil {
		return 0
	}
	m.brokers.Observe(ctx, p, rec, mem, &snap)
	m.brokers.KeepLimits(ctx, p, rec, mem, &snap)
	m.brokers.ObserveCertificate(ctx, p, rec, mem, &snap)
	// much may have happened while a node did not answer
	if m.observed.Tick().Sub(snap.Tick) > maxSnapshotAge && ctx.Err() == nil {
		snap = m.observeAgain(ctx, p, rec, mem, snap)
	}
	changed := ctx.Err() == nil &&
		(m.replaceBroken(ctx, p, rec, mem, &snap, &outcome) || m.unite(ctx, p, rec, mem, &snap, &outcome) ||
			m.rollout(ctx, p, rec, mem, &snap, &outcome))
	if changed {
		snap = m.observeAgain(ctx, p, rec, mem, snap)
	}
	if ctx.Err() != nil {
		return 0
	}
	snap.OffSchedule = off
	m.observed.Remember(mem, snap)
	m.pushLicense(ctx, rec, snap)
	was := mem.Mark.Tick
	again := m.persist(ctx, stored, op, snap, outcome)
	if due := derive.NextDue(stored, snap, m.observed.Now()); due > 0 {
		again = min(again, due)
	}
	if outcome.Queued && again >= time.Second { // it is woken when its turn comes
		again = max(again, m.observed.Timings.Poll)
	}
	if mem.Mark.Tick != was {
		mem.Mark.Planned = again
	}
	return again
}

// nextInLine queues the next cluster that waits for a slot.
func (m *Manager) nextInLine() {
	if id := m.slots.Next(); id != "" {
		m.queue.Add(id)
	}
}

// observe asks the platform what is there. It carries counters of earlier snapshots on.
func (m *Manager) observe(
	ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem observed.Memory,
) derive.Snapshot {
	target := rec.Spec.Hosted.Target
	snap := derive.Snapshot{
		At:             m.observed.Now(),
		Tick:           m.observed.Tick(),
		NotHeld:        m.lease(target, p).Waiting(),
		Unanswered:     mem.Snapshot.Unanswered,
		UnansweredWhy:  mem.Snapshot.UnansweredWhy,
		MissingMembers: mem.Snapshot.MissingMembers,
		Settings:       mem.Snapshot.Settings,
		MQTT:           mem.Snapshot.MQTT,
		Limits:         mem.Snapshot.Limits,
		Telling:        mem.Snapshot.Telling,
		Certificate:    mem.Snapshot.Certificate,
	}
	if l := m.strange(target, p); l != nil { // what is there says nothing of the cluster
		snap.Unseen = l.Message
		return snap
	}
	found, err := p.Observe(ctx, rec.ID)
	if err != nil {
		snap.Unseen = ecp.MessageOf(err)
		if mem.Snapshot.Unseen == "" && ctx.Err() == nil {
			m.logFailure(ctx, "observe cluster", rec.ID, err)
		}
		return snap
	}
	snap.Found = found
	return snap
}

// maxSnapshotAge is how old a snapshot may be from which the state is derived, and on which
// the Manager acts.
const maxSnapshotAge = time.Second

// observeAgain asks the platform once more. It keeps from the old snapshot what EMQX
// answered about nodes that are still ready, and what was done.
func (m *Manager) observeAgain(
	ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, old derive.Snapshot,
) derive.Snapshot {
	snap := m.observe(ctx, p, rec, *mem)
	m.Logs.AddExitMessages(ctx, p, rec, mem, &snap)
	snap.Known, snap.Settings, snap.MQTT, snap.Limits = old.Known, old.Settings, old.MQTT, old.Limits
	snap.Telling, snap.Certificate = old.Telling, old.Certificate
	snap.NoAdapter, snap.MissingMembers, snap.Failure = old.NoAdapter, old.MissingMembers, old.Failure
	snap.Unanswered, snap.UnansweredWhy = old.Unanswered, old.UnansweredWhy
	if snap.Unseen != "" {
		snap.Views = old.Views
		return snap
	}
	for _, n := range snap.Found.Nodes {
		if view, ok := old.Views[n.Name]; ok && n.Ready && !n.Terminating {
			if snap.Views == nil {
				snap.Views = map[string][]derive.Member{}
			}
			snap.Views[n.Name] = view
		}
	}
	return snap
}

// act does what is due on the platform: at most one Apply or Delete. It reports whether
// the platform was changed.
func (m *Manager) act(
	ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, snap *derive.Snapshot,
	outcome *derive.Outcome,
) bool {
	if snap.Unseen != "" || snap.NotHeld != "" || snap.Found.ForeignOwner != "" {
		return false
	}
	held := derive.WritesHeld(rec, snap.Found)
	if held && !mem.OlderLogged {
		m.observed.Log.WarnContext(ctx, "the record is older than what is found; nothing is written", "cluster", rec.ID,
			"found", snap.Found.Generation, "recorded", rec.Generation)
	}
	mem.OlderLogged = held
	if mem.Backoff.Left(snap.Tick, rec.Revision) > 0 {
		snap.Failure = mem.Snapshot.Failure
		return false
	}
	act := derive.NextAction(rec, snap.Found, mem.Known, snap.At, m.observed.Timings)
	if act == derive.ActionNone {
		return false
	}
	if act == derive.ActionDelete {
		return m.write(ctx, rec, mem, snap, outcome, func() error { return p.Delete(ctx, rec.ID) })
	}
	if derive.UnforeseenKeys(rec, snap.Found) { // stored first: with which keys nodes run cannot be seen later
		outcome.KeysLost = true
		return false
	}
	d := derive.DesiredOf(rec, snap.Found)
	if d.Replicas > derive.OrdinalsOf(rec) { // stored first: who takes it back has to know that the node may be there
		outcome.Ordinals = d.Replicas
		return false
	}
	return m.apply(ctx, p, rec, d, mem, snap, outcome)
}

// apply asks the platform for the desired cluster.
func (m *Manager) apply(
	ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, d ecp.Desired, mem *observed.Memory,
	snap *derive.Snapshot, outcome *derive.Outcome,
) bool {
	return m.write(ctx, rec, mem, snap, outcome, func() error {
		m.observed.Counters.Applies.Add(1)
		err := m.observed.AddSecrets(ctx, rec, &d)
		if err == nil {
			err = p.Apply(ctx, d)
		}
		if r := ecp.RefusalOf(err); err != nil && (r == nil || !r.Rest) {
			return err
		}
		outcome.Applied, outcome.Generation, mem.Known = true, rec.Generation, true
		return err
	})
}

// write calls do, which changes the platform, while it holds a slot of the write limiter.
// It reports whether do succeeded; after a failure the next attempt waits.
func (m *Manager) write(
	ctx context.Context, rec ecp.ClusterRecord, mem *observed.Memory, snap *derive.Snapshot, outcome *derive.Outcome,
	do func() error,
) bool {
	target := rec.Spec.Hosted.Target
	if !m.slots.TryAcquire(target, rec.ID) {
		outcome.Queued = true
		return false
	}
	defer m.nextInLine()
	defer m.slots.Release(target, rec.ID)
	if o, ok := ecp.OwnershipFrom(ctx); ok && o.Err() != nil {
		return false
	}
	err := do()
	if err == nil {
		mem.Backoff, snap.Failure = sched.Backoff{}, nil
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	m.observed.Counters.ApplyFailures.Add(1)
	if ecp.RefusalOf(err) == nil || ecp.MessageOf(err) != ecp.MessageOf(mem.Snapshot.Failure) {
		m.logFailure(ctx, "converge cluster", rec.ID, err)
	}
	snap.Failure = err
	if r := ecp.RefusalOf(err); r != nil {
		mem.Backoff.Hold(snap.Tick, rec.Revision, derive.RefusedRetry)
		return r.Rest
	}
	mem.Backoff.Fail(snap.Tick, rec.Revision, m.observed.Timings.Retry, sched.LongestRetry)
	return false
}

// persist stores what follows from a snapshot, and returns after what time the cluster is
// reconciled again.
func (m *Manager) persist(
	ctx context.Context, seen ecp.ClusterRecord, op *ecp.Operation, snap derive.Snapshot, outcome derive.Outcome,
) time.Duration {
	now, tick, mem := m.observed.Now().UTC(), m.observed.Tick(), m.observed.MemoryOf(seen.ID)
	outcome.Lost = mem.Mark.Lost(seen, now, tick)
	first := derive.Advance(m.observed.Timings, now, seen, op, snap, outcome)
	if len(first.Transitions) == 0 && first.Operation == nil {
		mem.Derived, mem.Mark = snap.Unseen == "", derive.NewClockMark(seen, now, tick)
		return m.requeueAfter(seen, snap)
	}
	var after ecp.ClusterRecord
	err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, op, err := observed.LoadTx(tx, seen.ID)
		if err != nil {
			return err
		}
		after = rec
		if rec.Revision != seen.Revision { // a command came in between: reconcile again for its sake
			if !outcome.Applied || seen.Status.Dispatched || len(seen.Status.OldKeys) > 0 {
				return nil
			}
			derive.MarkDispatched(m.observed.Timings, now, &rec, op)
			after = rec
			return writeStep(tx, derive.Result{Transitions: []ecp.ClusterRecord{rec}, Operation: op}, now)
		}
		s := derive.Advance(m.observed.Timings, now, rec, op, snap, outcome)
		if n := len(s.Transitions); n > 0 {
			after = s.Transitions[n-1]
		}
		if after.Booked() != rec.Booked() { // fewer: hibernation has released them
			if err := change.Rebook(tx, ecp.System, rec, after, time.Time{}); err != nil {
				return err
			}
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
		mem.Mark = derive.NewClockMark(after, now, tick)
	}
	if after.Revision == seen.Revision && after.Status.State != seen.Status.State {
		mem.Derived = true
		m.observed.Log.InfoContext(ctx, "cluster moved", "cluster", seen.ID, "from", seen.Status.State,
			"to", after.Status.State, "reason", after.Status.Reason, "message", after.Status.Message)
		return time.Millisecond
	}
	if after.Revision != seen.Revision {
		return time.Millisecond
	}
	mem.Derived = snap.Unseen == ""
	if outcome.Ordinals > 0 || outcome.KeysLost { // what was meant to be done next can be done now
		return time.Millisecond
	}
	return m.requeueAfter(after, snap)
}

// writeStep stores a step, each transition as a change of its own. A cluster that is
// gone leaves a tombstone, and its booked resources are released.
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
		return putTombstone(tx, s.Transitions[n-1], s.Operation, now)
	}
	return nil
}

// putTombstone replaces the record of a cluster that is gone by a tombstone.
func putTombstone(tx ecp.Tx, rec ecp.ClusterRecord, op *ecp.Operation, now time.Time) error {
	by := ""
	if op != nil {
		by = op.Actor
	}
	if err := change.Release(tx, rec); err != nil && (rec.Mode != ecp.Adopted || !rec.Force) {
		return fmt.Errorf("%w: %w", adopted.ErrNotReleased, err)
	}
	tombstone := ecp.Tombstone{ID: rec.ID, Name: rec.Name, Project: rec.Project, DeletedAt: now, DeletedBy: by}
	if err := ecp.Put(tx, tombstone, 0); err != nil {
		return err
	}
	if err := pruning.Remove(tx, ecp.KindTransferNotice, string(rec.ID)); err != nil {
		return err
	}
	return tx.Delete(ecp.KindCluster, string(rec.ID))
}

// requeueAfter returns after what time a cluster is reconciled without being woken.
func (m *Manager) requeueAfter(rec ecp.ClusterRecord, snap derive.Snapshot) time.Duration {
	mem := m.observed.MemoryOf(rec.ID)
	settledDown := !rec.Status.State.Unsteady() && !rec.Deleting
	v := derive.NewView(snap.At, rec, snap)
	switch {
	case snap.Unseen != "" || snap.NotHeld != "":
		return 5 * time.Second
	case v.Blocked():
		return max(mem.Backoff.At.Sub(m.observed.Tick()), time.Millisecond)
	case snap.Unanswered == 1 || snap.MissingMembers == 1 || snap.MQTT.Unserved == 1:
		return time.Second
	case v.Want > 0 && v.AsWanted() && (!v.Agreed() || rec.Status.State.Unsteady() && (!v.Limited() || !v.Told())):
		mem.AskInterval = min(mem.AskInterval*3/2+100*time.Millisecond, 2*time.Second)
		return mem.AskInterval
	case !v.Opens().IsZero(), snap.OffSchedule != nil:
		return m.observed.Timings.Poll
	case derive.Emptying(rec):
		return time.Second
	case settledDown && rec.Status.State == ecp.Stopped:
		return 10 * m.observed.Timings.Poll
	case settledDown && (rec.Status.State == ecp.Running || v.Refused() != nil && v.RestAsWanted()):
		return m.observed.Timings.Poll
	}
	mem.AskInterval = 0
	return time.Second
}

func (m *Manager) logFailure(ctx context.Context, doing string, id ecp.ID, err error) {
	m.observed.LogFailure(ctx, doing, id, err)
}
