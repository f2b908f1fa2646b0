package ecp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"
)

// memory is what the engine keeps of a cluster between passes; losing it costs
// nothing but a look.
type memory struct {
	look     Look
	seenAt   time.Time // of the last look that saw anything
	mark     mark      // of the last one that was stored
	asked    time.Time // when EMQX was last asked; as all below by the monotonic clock
	pods     string    // which pods were ready then
	brokers  []Description
	settings settingsAsked   // when settings were last compared
	knocking chan mqttAnswer // where a client that knocks will tell; nil = none does
	counted  time.Time       // when Silent or Missing last grew
	known    bool            // Apply has succeeded in this process
	older    bool            // it is in the log that the record is older than what is found
	judged   bool            // a look that saw something was judged and stored
	wait     time.Duration   // back-off after a failed Apply or Delete
	retryAt  time.Time
	tried    int64         // revision that failed: another one does not wait
	pace     time.Duration // between looks at EMQX while it is waited for
	target   string        // that the cluster is on; guarded by Manager.mu, as slow
	slow     bool          // the last pass was held up

	agents    agentMemory          // of an adopted cluster; guarded by Manager.mu
	faltered  map[string]time.Time // when nodes of an adopted cluster gave no answer to a question; guarded by Manager.mu
	rehearsal rehearsal            // the last that was made
	words     map[int]lastWords    // of nodes that did not start, by ordinal
}

func (m *Manager) memoryOf(id ID) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.looks[id]
	if mem == nil {
		mem = &memory{}
		m.looks[id] = mem
	}
	return mem
}

func (m *Manager) forget(id ID) {
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
func (m *Manager) pass(ctx context.Context, id ID) time.Duration {
	m.counters.passes.Add(1)
	defer m.nextInLine()
	rec, op, err := m.load(ctx, id)
	if errors.Is(err, ErrNotFound) {
		m.forget(id)
		return 0
	}
	if err != nil {
		m.complain(ctx, "read cluster", id, err)
		return time.Second
	}
	if rec.Mode == Adopted {
		return m.passAdopted(ctx, rec)
	}
	p, err := m.provisioner(rec)
	if err != nil {
		return m.settle(ctx, rec, op, Look{At: m.now(), Unseen: MessageOf(err)}, deed{})
	}
	if m.lease(rec.Spec.Hosted.Target, p).undecided() { // it is woken when that is known
		return 5 * time.Second
	}
	mem := m.memoryOf(id)
	m.onTarget(mem, rec)
	if m.takeChanged(id) {
		mem.known = false
	}
	look := m.lookAt(ctx, p, rec, *mem)
	m.addWords(ctx, p, rec, mem, &look)
	did := deed{firstLook: !mem.judged, newestRender: newestRender(p), lost: mem.mark.lost(rec.Status, m.now(), m.tick())}
	stored := rec
	rec = rec.Clone()
	moveDeadlines(m.timings, m.now().UTC(), &rec, nil, look, did)
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
	if m.tick().Sub(look.tick) > oldLook && ctx.Err() == nil { // much may have happened while a node did not answer
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
	was := mem.mark.tick
	again := m.settle(ctx, stored, op, look, did)
	if did.inLine && again >= time.Second { // it is woken when its turn comes
		again = max(again, m.timings.Poll)
	}
	if mem.mark.tick != was {
		mem.mark.planned = again
	}
	return again
}

// nextInLine lets the next cluster try that waits for a slot.
func (m *Manager) nextInLine() {
	if id := m.slots.next(); id != "" {
		m.queue.add(id)
	}
}

func (m *Manager) remember(mem *memory, look Look) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if look.Unseen != "" { // what was seen before is the best there is
		mem.look.Unseen, mem.look.At = look.Unseen, look.At
		return
	}
	mem.look, mem.seenAt = look, look.At
}

// load reads a cluster and its running operation.
func (m *Manager) load(ctx context.Context, id ID) (rec ClusterRecord, op *Operation, err error) {
	err = m.store.Read(ctx, func(tx Tx) error {
		rec, op, err = loadTx(tx, id)
		return err
	})
	return rec, op, err
}

func loadTx(tx Tx, id ID) (ClusterRecord, *Operation, error) {
	rec, _, err := Get[ClusterRecord](tx, string(id))
	if err != nil || rec.Status.Operation == "" {
		return rec, nil, err
	}
	op, _, err := Get[Operation](tx, string(rec.Status.Operation))
	if errors.Is(err, ErrNotFound) { // a cluster must not be lost with the record of its operation
		rec.Status.Operation = ""
		return rec, nil, nil
	}
	if err != nil {
		return rec, nil, fmt.Errorf("read operation %s: %w", rec.Status.Operation, err)
	}
	return rec, &op, nil
}

// lookAt asks the platform. Counters of earlier looks are carried on.
func (m *Manager) lookAt(ctx context.Context, p Provisioner, rec ClusterRecord, mem memory) Look {
	target := rec.Spec.Hosted.Target
	look := Look{At: m.now(), tick: m.tick(), NotHeld: m.lease(target, p).Waiting(), Silent: mem.look.Silent, SilentWhy: mem.look.SilentWhy, Missing: mem.look.Missing, settings: mem.look.settings, mqtt: mem.look.mqtt}
	if l := m.strange(target, p); l != nil { // what is there says nothing of the cluster
		look.Unseen = l.Message
		return look
	}
	found, err := p.Observe(ctx, rec.ID)
	if err != nil {
		look.Unseen = MessageOf(err)
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
func (m *Manager) lookAfresh(ctx context.Context, p Provisioner, rec ClusterRecord, mem *memory, old Look) Look {
	look := m.lookAt(ctx, p, rec, *mem)
	m.addWords(ctx, p, rec, mem, &look)
	look.Knows, look.settings, look.mqtt = old.Knows, old.settings, old.mqtt
	look.Deaf, look.Silent, look.SilentWhy, look.Missing, look.Failure = old.Deaf, old.Silent, old.SilentWhy, old.Missing, old.Failure
	if look.Unseen != "" {
		look.Views = old.Views
		return look
	}
	for _, n := range look.Found.Nodes {
		if view, ok := old.Views[n.Name]; ok && n.Ready && !n.Going {
			if look.Views == nil {
				look.Views = map[string][]Member{}
			}
			look.Views[n.Name] = view
		}
	}
	return look
}

// act does what is due on the platform: at most one Apply or Delete. It says
// whether something was done.
func (m *Manager) act(ctx context.Context, p Provisioner, rec ClusterRecord, mem *memory, look *Look, did *deed) bool {
	if look.Unseen != "" || look.NotHeld != "" || look.Found.Foreign != "" {
		return false
	}
	if held := heldBack(rec, look.Found); m.toldOlder(mem, held) != held && held {
		m.log.WarnContext(ctx, "the record is older than what is found; nothing is written", "cluster", rec.ID, "found", look.Found.Generation, "recorded", rec.Generation)
	}
	if look.tick.Before(mem.retryAt) && mem.tried == rec.Revision {
		look.Failure = mem.look.Failure
		return false
	}
	act := due(rec, look.Found, mem.known, look.At, m.timings)
	if act == dueNothing {
		return false
	}
	if act == dueDelete {
		return m.write(ctx, rec, mem, look, did, func() error { return p.Delete(ctx, rec.ID) })
	}
	d := desiredOf(rec, look.Found)
	if d.Replicas > ordinalsOf(rec) { // stored first: who takes it back has to know that the node may be there
		did.ordinals = d.Replicas
		return false
	}
	return m.apply(ctx, p, rec, d, mem, look, did)
}

// apply asks the platform for what is wanted now.
func (m *Manager) apply(ctx context.Context, p Provisioner, rec ClusterRecord, d Desired, mem *memory, look *Look, did *deed) bool {
	return m.write(ctx, rec, mem, look, did, func() error {
		m.counters.applies.Add(1)
		err := m.addSecrets(ctx, rec, &d)
		if err == nil {
			err = p.Apply(ctx, d)
		}
		if r := RefusalOf(err); err != nil && (r == nil || !r.Rest) {
			return err
		}
		did.applied, did.generation, mem.known = true, rec.Generation, true
		return err
	})
}

// write does something to the platform in a slot, and backs off where that
// fails. It says whether it was done.
func (m *Manager) write(ctx context.Context, rec ClusterRecord, mem *memory, look *Look, did *deed, do func() error) bool {
	target := rec.Spec.Hosted.Target
	if !m.slots.take(target, rec.ID) {
		did.inLine = true
		return false
	}
	defer m.nextInLine()
	defer m.slots.give(target)
	err := do()
	if err == nil {
		mem.wait, mem.retryAt, look.Failure = 0, time.Time{}, nil
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	m.counters.applyFailures.Add(1)
	if RefusalOf(err) == nil || MessageOf(err) != MessageOf(mem.look.Failure) {
		m.complain(ctx, "converge cluster", rec.ID, err)
	}
	look.Failure = err
	if r := RefusalOf(err); r != nil {
		mem.wait, mem.tried, mem.retryAt = 0, rec.Revision, look.tick.Add(refusedAgain)
		return r.Rest
	}
	if mem.tried != rec.Revision {
		mem.wait, mem.tried = 0, rec.Revision
	}
	mem.wait = min(max(2*mem.wait, m.timings.Retry), 30*time.Second)
	mem.retryAt = look.tick.Add(mem.wait/2 + rand.N(mem.wait/2+1))
	return false
}

// dueAct is what is due on the platform.
type dueAct int

const (
	dueNothing dueAct = iota
	dueApply
	dueDelete
)

// due says what to do next on the platform. known: this process has applied
// the cluster before, so that the Provisioner can tell a drift.
func due(rec ClusterRecord, found Observation, known bool, now time.Time, t Timings) dueAct {
	if heldBack(rec, found) {
		return dueNothing
	}
	if rec.Deleting {
		return dueDeleting(rec, found, now, t)
	}
	if rec.Status.State == Nonexistent {
		return dueNothing
	}
	want := wantedNodes(rec)
	if lossOf(rec, found) != nil {
		// Nothing is made anew, but nodes that should not run are taken away.
		if want == 0 && found.Exists && !found.Terminating && found.Replicas > 0 {
			return dueApply
		}
		return dueNothing
	}
	if !known || rec.Status.Refused != nil || !rec.Status.Dispatched || rec.Status.Applied != rec.Generation || found.Replicas != replicasFor(rec, found) || len(found.Drift) > 0 || len(leftovers(rec, found)) > 0 && want > 0 {
		return dueApply
	}
	return dueNothing
}

// dueDeleting: nodes are stopped in order first, for as long as a stop may
// take; then everything is removed.
func dueDeleting(rec ClusterRecord, found Observation, now time.Time, t Timings) dueAct {
	switch {
	case !found.Exists || found.Terminating:
		return dueNothing
	case rec.Force || !rec.Status.Dispatched || lossOf(rec, found) != nil:
		return dueDelete
	case found.Replicas > 0:
		return dueApply
	case len(found.Nodes) > 0 && now.Before(rec.Status.Deadline.Add(t.Stop-t.Delete)): // from when it was asked for on
		return dueNothing
	}
	return dueDelete
}

// desiredOf is what a record wants of its platform now, where this was found.
// Its number of nodes is that of those which are meant to have claims.
func desiredOf(rec ClusterRecord, found Observation) Desired {
	d := desired(rec)
	d.Replicas, d.Drop = replicasFor(rec, found), leftovers(rec, found)
	d.Spec.Nodes = d.Replicas
	if d.Replicas == 0 {
		d.Drop, d.Spec.Nodes = nil, min(rec.Spec.Hosted.Nodes, ordinalsOf(rec))
	}
	return d
}

// desired is what a record wants of its platform in the end.
func desired(rec ClusterRecord) Desired {
	d := Desired{
		ID: rec.ID, Project: rec.Project, Name: rec.Name, Generation: rec.Generation, ChangeID: changeIDOf(rec), Manifest: manifestOf(rec), Spec: rec.Spec.Hosted.Clone(),
		Image: rec.Resolved.Image, Size: rec.Resolved.Size, Replicas: wantedNodes(rec), Restarts: rec.Restarts,
		RenderVersion: rec.Status.RenderVersion, Create: !rec.Status.Dispatched && !rec.Deleting,
	}
	if n := rec.Resolved.Connections; n > 0 {
		d.Spec.Connections = n
	}
	if len(rec.Resolved.LBAnnotations) > 0 {
		own := d.Spec.Network.Annotations
		d.Spec.Network.Annotations = maps.Clone(rec.Resolved.LBAnnotations)
		maps.Copy(d.Spec.Network.Annotations, own)
	}
	return d
}

// addSecrets opens what a cluster was given of registries and licences.
func (m *Manager) addSecrets(ctx context.Context, rec ClusterRecord, d *Desired) error {
	var err error
	if d.Spec.Config, err = m.openSettings(rec.ID, d.Spec.Config); err != nil {
		return err
	}
	if rec.Resolved.Registry == "" && rec.Resolved.Licence == "" {
		return nil
	}
	return m.store.Read(ctx, func(tx Tx) error {
		r, _, err := Get[Registry](tx, rec.Resolved.Registry)
		if err == nil {
			d.Pull = PullCredentials{Host: r.Host, User: r.User}
			d.Pull.Password, err = m.secret(tx, KindRegistry, r.Name, registries.secret)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if rec.Resolved.Licence == "" {
			return nil
		}
		d.Licence, err = m.secret(tx, KindLicence, rec.Resolved.Licence, licences.secret)
		return err
	})
}

// settle stores what follows from a look, and says when to look again.
func (m *Manager) settle(ctx context.Context, seen ClusterRecord, op *Operation, look Look, did deed) time.Duration {
	now, tick, mem := m.now().UTC(), m.tick(), m.memoryOf(seen.ID)
	did.lost = mem.mark.lost(seen.Status, now, tick)
	first := advance(m.timings, now, seen, op, look, did)
	if len(first.hops) == 0 && first.op == nil {
		mem.judged, mem.mark = look.Unseen == "", newMark(seen.Status, now, tick)
		return m.again(seen, look)
	}
	var after ClusterRecord
	err := m.store.Write(ctx, func(tx Tx) error {
		rec, op, err := loadTx(tx, seen.ID)
		if err != nil {
			return err
		}
		after = rec
		if rec.Revision != seen.Revision { // a command came in between: look again for its sake
			if !did.applied || seen.Status.Dispatched {
				return nil
			}
			dispatched(m.timings, now, &rec, op)
			after = rec
			return writeStep(tx, step{hops: []ClusterRecord{rec}, op: op}, now)
		}
		s := advance(m.timings, now, rec, op, look, did)
		if n := len(s.hops); n > 0 {
			after = s.hops[n-1]
		}
		return writeStep(tx, s, now)
	})
	m.counters.writes.Add(1)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, ErrNotFound) {
			m.complain(ctx, "store cluster", seen.ID, err)
		}
		return time.Second
	}
	if after.Revision == seen.Revision {
		mem.mark = newMark(after.Status, now, tick)
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
	if did.ordinals > 0 { // what was meant to be done next can be done now
		return time.Millisecond
	}
	return m.again(after, look)
}

// writeStep stores a step, each hop a change of its own; a cluster that is
// gone leaves a tombstone and gives its booking back.
func writeStep(tx Tx, s step, now time.Time) error {
	if err := putHops(tx, s.hops); err != nil {
		return err
	}
	if s.op != nil {
		if err := Put(tx, *s.op, AnyVersion); err != nil {
			return err
		}
	}
	if n := len(s.hops); n > 0 && s.hops[n-1].Status.State == Gone {
		return bury(tx, s.hops[n-1], s.op, now)
	}
	return nil
}

// bury removes the record of a cluster that is gone.
func bury(tx Tx, rec ClusterRecord, op *Operation, now time.Time) error {
	by := ""
	if op != nil {
		by = op.Actor
	}
	if err := release(tx, bookingOf(rec)); err != nil && (rec.Mode != Adopted || !rec.Force) {
		return fmt.Errorf("%w: %w", errNotReleased, err)
	}
	if err := Put(tx, Tombstone{ID: rec.ID, Name: rec.Name, Project: rec.Project, DeletedAt: now, DeletedBy: by}, 0); err != nil {
		return err
	}
	if err := deleteIfThere(tx, KindDeparture, string(rec.ID)); err != nil {
		return err
	}
	return tx.Delete(KindCluster, string(rec.ID))
}

// again says when a cluster is to be looked at without being woken.
func (m *Manager) again(rec ClusterRecord, look Look) time.Duration {
	mem := m.memoryOf(rec.ID)
	settledDown := !rec.Status.State.Unsteady() && !rec.Deleting
	v := newView(look.At, rec, look)
	switch {
	case look.Unseen != "" || look.NotHeld != "":
		return 5 * time.Second
	case v.stuck():
		return max(mem.retryAt.Sub(m.tick()), time.Millisecond)
	case look.Silent == 1 || look.Missing == 1 || look.mqtt.mute == 1:
		return time.Second
	case v.want > 0 && v.asWanted() && !v.agreed():
		mem.pace = min(mem.pace*3/2+100*time.Millisecond, 2*time.Second)
		return mem.pace
	case settledDown && rec.Status.State == Stopped:
		return 10 * m.timings.Poll
	case settledDown && (rec.Status.State == Running || v.refused() != nil && v.restAsWanted()):
		return m.timings.Poll
	}
	mem.pace = 0
	return time.Second
}

func (m *Manager) complain(ctx context.Context, doing string, id ID, err error) {
	if ctx.Err() != nil {
		return
	}
	m.log.WarnContext(ctx, "pass did not succeed", "doing", doing, "cluster", id, ErrorAttr(err))
}
