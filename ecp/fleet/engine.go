package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
)

// memory is what the engine keeps of a cluster between passes; losing it costs
// nothing but a look.
type memory struct {
	look     derive.Look
	seenAt   time.Time   // of the last look that saw anything
	mark     derive.Mark // of the last one that was stored
	asked    time.Time   // when EMQX was last asked; as all below by the monotonic clock
	pods     string      // which pods were ready then
	brokers  []ecp.Description
	settings settingsAsked          // when settings were last compared
	knocking chan derive.MqttAnswer // where a client that knocks will tell; nil = none does
	counted  time.Time              // when Silent or Missing last grew
	known    bool                   // Apply has succeeded in this process
	older    bool                   // it is in the log that the record is older than what is found
	judged   bool                   // a look that saw something was judged and stored
	wait     time.Duration          // back-off after a failed Apply or Delete
	retryAt  time.Time
	tried    int64         // revision that failed: another one does not wait
	pace     time.Duration // between looks at EMQX while it is waited for
	target   string        // that the cluster is on; guarded by Manager.mu, as slow
	slow     bool          // the last pass was held up

	agents    derive.AgentMemory   // of an adopted cluster; guarded by Manager.mu
	faltered  map[string]time.Time // when nodes of an adopted cluster gave no answer to a question; guarded by Manager.mu
	rehearsal rehearsal            // the last that was made
	words     map[int]lastWords    // of nodes that did not start, by ordinal
}

func (m *Manager) memoryOf(id ecp.ID) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.looks[id]
	if mem == nil {
		mem = &memory{}
		m.looks[id] = mem
	}
	return mem
}

func (m *Manager) forget(id ecp.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.looks, id)
	delete(m.changed, id)
	delete(m.relicensed, id)
}

func (m *Manager) forgetLooks() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.looks)
}

// pass looks at a cluster, does the one thing that is due, and stores what
// follows. It returns when to look again at the latest; 0 = only when woken.
func (m *Manager) pass(ctx context.Context, id ecp.ID) time.Duration {
	m.counters.passes.Add(1)
	defer m.nextInLine()
	rec, op, err := m.load(ctx, id)
	if errors.Is(err, ecp.ErrNotFound) {
		m.forget(id)
		return 0
	}
	if err != nil {
		m.complain(ctx, "read cluster", id, err)
		return time.Second
	}
	if rec.Mode == ecp.Adopted {
		return m.passAdopted(ctx, rec)
	}
	p, err := m.provisioner(rec)
	if err != nil {
		return m.settle(ctx, rec, op, derive.Look{At: m.now(), Unseen: ecp.MessageOf(err)}, derive.Deed{})
	}
	if m.lease(rec.Spec.Hosted.Target, p).Undecided() { // it is woken when that is known
		return 5 * time.Second
	}
	mem := m.memoryOf(id)
	m.onTarget(mem, rec)
	if m.takeChanged(id) {
		mem.known = false
	}
	look := m.lookAt(ctx, p, rec, *mem)
	m.addWords(ctx, p, rec, mem, &look)
	did := derive.Deed{FirstLook: !mem.judged, NewestRender: derive.NewestRender(p), Lost: mem.mark.Lost(rec.Status, m.now(), m.tick())}
	stored := rec
	rec = rec.Clone()
	derive.MoveDeadlines(m.timings, m.now().UTC(), &rec, nil, look, did)
	if m.act(ctx, p, rec, mem, &look, &did) { // what was seen before says nothing of what was done
		failure := look.Failure // of what was done in part
		look = m.lookAt(ctx, p, rec, *mem)
		m.addWords(ctx, p, rec, mem, &look)
		look.Failure = failure
	}
	if ctx.Err() != nil {
		return 0
	}
	m.ask(ctx, p, rec, mem, &look)
	if m.tick().Sub(look.Tick) > oldLook && ctx.Err() == nil { // much may have happened while a node did not answer
		look = m.lookAfresh(ctx, p, rec, mem, look)
	}
	if ctx.Err() == nil && (m.unite(ctx, p, rec, mem, &look, &did) || m.move(ctx, p, rec, mem, &look, &did)) {
		look = m.lookAfresh(ctx, p, rec, mem, look)
	}
	if ctx.Err() != nil {
		return 0
	}
	m.remember(mem, look)
	m.pushLicense(ctx, rec, look)
	was := mem.mark.Tick
	again := m.settle(ctx, stored, op, look, did)
	if did.InLine && again >= time.Second { // it is woken when its turn comes
		again = max(again, m.timings.Poll)
	}
	if mem.mark.Tick != was {
		mem.mark.Planned = again
	}
	return again
}

// nextInLine lets the next cluster try that waits for a slot.
func (m *Manager) nextInLine() {
	if id := m.slots.Next(); id != "" {
		m.queue.Add(id)
	}
}

func (m *Manager) remember(mem *memory, look derive.Look) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if look.Unseen != "" { // what was seen before is the best there is
		mem.look.Unseen, mem.look.At = look.Unseen, look.At
		return
	}
	mem.look, mem.seenAt = look, look.At
}

// load reads a cluster and its running operation.
func (m *Manager) load(ctx context.Context, id ecp.ID) (rec ecp.ClusterRecord, op *ecp.Operation, err error) {
	err = m.store.Read(ctx, func(tx ecp.Tx) error {
		rec, op, err = loadTx(tx, id)
		return err
	})
	return rec, op, err
}

func loadTx(tx ecp.Tx, id ecp.ID) (ecp.ClusterRecord, *ecp.Operation, error) {
	rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(id))
	if err != nil || rec.Status.Operation == "" {
		return rec, nil, err
	}
	op, _, err := ecp.Get[ecp.Operation](tx, string(rec.Status.Operation))
	if errors.Is(err, ecp.ErrNotFound) { // a cluster must not be lost with the record of its operation
		rec.Status.Operation = ""
		return rec, nil, nil
	}
	if err != nil {
		return rec, nil, fmt.Errorf("read operation %s: %w", rec.Status.Operation, err)
	}
	return rec, &op, nil
}

// lookAt asks the platform. Counters of earlier looks are carried on.
func (m *Manager) lookAt(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem memory) derive.Look {
	target := rec.Spec.Hosted.Target
	look := derive.Look{At: m.now(), Tick: m.tick(), NotHeld: m.lease(target, p).Waiting(), Silent: mem.look.Silent, SilentWhy: mem.look.SilentWhy, Missing: mem.look.Missing, Settings: mem.look.Settings, Mqtt: mem.look.Mqtt}
	if l := m.strange(target, p); l != nil { // what is there says nothing of the cluster
		look.Unseen = l.Message
		return look
	}
	found, err := p.Observe(ctx, rec.ID)
	if err != nil {
		look.Unseen = ecp.MessageOf(err)
		if mem.look.Unseen == "" && ctx.Err() == nil {
			m.complain(ctx, "observe cluster", rec.ID, err)
		}
		return look
	}
	look.Found = found
	return look
}

// oldLook is how long ago a look may be that is acted on and judged by.
const oldLook = time.Second

// lookAfresh asks the platform once more and keeps what EMQX has said of the
// nodes that are still ready, and what was done.
func (m *Manager) lookAfresh(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *memory, old derive.Look) derive.Look {
	look := m.lookAt(ctx, p, rec, *mem)
	m.addWords(ctx, p, rec, mem, &look)
	look.Knows, look.Settings, look.Mqtt = old.Knows, old.Settings, old.Mqtt
	look.Deaf, look.Silent, look.SilentWhy, look.Missing, look.Failure = old.Deaf, old.Silent, old.SilentWhy, old.Missing, old.Failure
	if look.Unseen != "" {
		look.Views = old.Views
		return look
	}
	for _, n := range look.Found.Nodes {
		if view, ok := old.Views[n.Name]; ok && n.Ready && !n.Going {
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
func (m *Manager) act(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *memory, look *derive.Look, did *derive.Deed) bool {
	if look.Unseen != "" || look.NotHeld != "" || look.Found.Foreign != "" {
		return false
	}
	if held := derive.HeldBack(rec, look.Found); m.toldOlder(mem, held) != held && held {
		m.log.WarnContext(ctx, "the record is older than what is found; nothing is written", "cluster", rec.ID, "found", look.Found.Generation, "recorded", rec.Generation)
	}
	if look.Tick.Before(mem.retryAt) && mem.tried == rec.Revision {
		look.Failure = mem.look.Failure
		return false
	}
	act := derive.Due(rec, look.Found, mem.known, look.At, m.timings)
	if act == derive.DueNothing {
		return false
	}
	if act == derive.DueDelete {
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
func (m *Manager) apply(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, d ecp.Desired, mem *memory, look *derive.Look, did *derive.Deed) bool {
	return m.write(ctx, rec, mem, look, did, func() error {
		m.counters.applies.Add(1)
		err := m.addSecrets(ctx, rec, &d)
		if err == nil {
			err = p.Apply(ctx, d)
		}
		if r := ecp.RefusalOf(err); err != nil && (r == nil || !r.Rest) {
			return err
		}
		did.Applied, did.Generation, mem.known = true, rec.Generation, true
		return err
	})
}

// write does something to the platform in a slot, and backs off where that
// fails. It says whether it was done.
func (m *Manager) write(ctx context.Context, rec ecp.ClusterRecord, mem *memory, look *derive.Look, did *derive.Deed, do func() error) bool {
	target := rec.Spec.Hosted.Target
	if !m.slots.Take(target, rec.ID) {
		did.InLine = true
		return false
	}
	defer m.nextInLine()
	defer m.slots.Give(target)
	err := do()
	if err == nil {
		mem.wait, mem.retryAt, look.Failure = 0, time.Time{}, nil
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	m.counters.applyFailures.Add(1)
	if ecp.RefusalOf(err) == nil || ecp.MessageOf(err) != ecp.MessageOf(mem.look.Failure) {
		m.complain(ctx, "converge cluster", rec.ID, err)
	}
	look.Failure = err
	if r := ecp.RefusalOf(err); r != nil {
		mem.wait, mem.tried, mem.retryAt = 0, rec.Revision, look.Tick.Add(derive.RefusedAgain)
		return r.Rest
	}
	if mem.tried != rec.Revision {
		mem.wait, mem.tried = 0, rec.Revision
	}
	mem.wait = min(max(2*mem.wait, m.timings.Retry), 30*time.Second)
	mem.retryAt = look.Tick.Add(mem.wait/2 + rand.N(mem.wait/2+1))
	return false
}

// addSecrets opens what a cluster was given of registries and licences.
func (m *Manager) addSecrets(ctx context.Context, rec ecp.ClusterRecord, d *ecp.Desired) error {
	var err error
	if d.Spec.Config, err = m.openSettings(rec.ID, d.Spec.Config); err != nil {
		return err
	}
	if rec.Resolved.Registry == "" && rec.Resolved.Licence == "" {
		return nil
	}
	return m.store.Read(ctx, func(tx ecp.Tx) error {
		r, _, err := ecp.Get[ecp.Registry](tx, rec.Resolved.Registry)
		if err == nil {
			d.Pull = ecp.PullCredentials{Host: r.Host, User: r.User}
			d.Pull.Password, err = m.Secret(tx, ecp.KindRegistry, r.Name, catalog.Registries.Secret)
		}
		if err != nil && !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		if rec.Resolved.Licence == "" {
			return nil
		}
		d.Licence, err = m.Secret(tx, ecp.KindLicence, rec.Resolved.Licence, catalog.Licences.Secret)
		return err
	})
}

// settle stores what follows from a look, and says when to look again.
func (m *Manager) settle(ctx context.Context, seen ecp.ClusterRecord, op *ecp.Operation, look derive.Look, did derive.Deed) time.Duration {
	now, tick, mem := m.now().UTC(), m.tick(), m.memoryOf(seen.ID)
	did.Lost = mem.mark.Lost(seen.Status, now, tick)
	first := derive.Advance(m.timings, now, seen, op, look, did)
	if len(first.Hops) == 0 && first.Op == nil {
		mem.judged, mem.mark = look.Unseen == "", derive.NewMark(seen.Status, now, tick)
		return m.again(seen, look)
	}
	var after ecp.ClusterRecord
	err := m.store.Write(ctx, func(tx ecp.Tx) error {
		rec, op, err := loadTx(tx, seen.ID)
		if err != nil {
			return err
		}
		after = rec
		if rec.Revision != seen.Revision { // a command came in between: look again for its sake
			if !did.Applied || seen.Status.Dispatched {
				return nil
			}
			derive.Dispatched(m.timings, now, &rec, op)
			after = rec
			return writeStep(tx, derive.Step{Hops: []ecp.ClusterRecord{rec}, Op: op}, now)
		}
		s := derive.Advance(m.timings, now, rec, op, look, did)
		if n := len(s.Hops); n > 0 {
			after = s.Hops[n-1]
		}
		return writeStep(tx, s, now)
	})
	m.counters.writes.Add(1)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, ecp.ErrNotFound) {
			m.complain(ctx, "store cluster", seen.ID, err)
		}
		return time.Second
	}
	if after.Revision == seen.Revision {
		mem.mark = derive.NewMark(after.Status, now, tick)
	}
	if after.Revision == seen.Revision && after.Status.State != seen.Status.State {
		mem.judged = true
		m.log.InfoContext(ctx, "cluster moved", "cluster", seen.ID, "from", seen.Status.State, "to", after.Status.State, "reason", after.Status.Reason, "message", after.Status.Message)
		return time.Millisecond
	}
	if after.Revision != seen.Revision {
		return time.Millisecond
	}
	mem.judged = look.Unseen == ""
	if did.Ordinals > 0 { // what was meant to be done next can be done now
		return time.Millisecond
	}
	return m.again(after, look)
}

// writeStep stores a step, each hop a change of its own; a cluster that is
// gone leaves a tombstone and gives its booking back.
func writeStep(tx ecp.Tx, s derive.Step, now time.Time) error {
	if err := derive.PutHops(tx, s.Hops); err != nil {
		return err
	}
	if s.Op != nil {
		if err := ecp.Put(tx, *s.Op, ecp.AnyVersion); err != nil {
			return err
		}
	}
	if n := len(s.Hops); n > 0 && s.Hops[n-1].Status.State == ecp.Gone {
		return bury(tx, s.Hops[n-1], s.Op, now)
	}
	return nil
}

// bury removes the record of a cluster that is gone.
func bury(tx ecp.Tx, rec ecp.ClusterRecord, op *ecp.Operation, now time.Time) error {
	by := ""
	if op != nil {
		by = op.Actor
	}
	if err := change.Release(tx, change.BookingOf(rec)); err != nil && (rec.Mode != ecp.Adopted || !rec.Force) {
		return fmt.Errorf("%w: %w", derive.ErrNotReleased, err)
	}
	if err := ecp.Put(tx, ecp.Tombstone{ID: rec.ID, Name: rec.Name, Project: rec.Project, DeletedAt: now, DeletedBy: by}, 0); err != nil {
		return err
	}
	if err := change.DeleteIfThere(tx, ecp.KindDeparture, string(rec.ID)); err != nil {
		return err
	}
	return tx.Delete(ecp.KindCluster, string(rec.ID))
}

// again says when a cluster is to be looked at without being woken.
func (m *Manager) again(rec ecp.ClusterRecord, look derive.Look) time.Duration {
	mem := m.memoryOf(rec.ID)
	settledDown := !rec.Status.State.Unsteady() && !rec.Deleting
	v := derive.NewView(look.At, rec, look)
	switch {
	case look.Unseen != "" || look.NotHeld != "":
		return 5 * time.Second
	case v.Stuck():
		return max(mem.retryAt.Sub(m.tick()), time.Millisecond)
	case look.Silent == 1 || look.Missing == 1 || look.Mqtt.Mute == 1:
		return time.Second
	case v.Want > 0 && v.AsWanted() && !v.Agreed():
		mem.pace = min(mem.pace*3/2+100*time.Millisecond, 2*time.Second)
		return mem.pace
	case settledDown && rec.Status.State == ecp.Stopped:
		return 10 * m.timings.Poll
	case settledDown && (rec.Status.State == ecp.Running || v.Refused() != nil && v.RestAsWanted()):
		return m.timings.Poll
	}
	mem.pace = 0
	return time.Second
}

func (m *Manager) complain(ctx context.Context, doing string, id ecp.ID, err error) {
	if ctx.Err() != nil {
		return
	}
	m.log.WarnContext(ctx, "pass did not succeed", "doing", doing, "cluster", id, ecp.ErrorAttr(err))
}
