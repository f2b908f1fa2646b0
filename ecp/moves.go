package ecp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// leaveWithin is the patience with the clients of one node where the spec names
// none.
const leaveWithin = 10 * time.Minute

func drainDeadline(e Evacuation) time.Duration {
	if e.DeadlineS > 0 {
		return time.Duration(e.DeadlineS) * time.Second
	}
	return leaveWithin
}

// move does what nextMove says: to the platform, or to EMQX. It says whether
// something was done that the platform shows.
func (m *Manager) move(ctx context.Context, p Provisioner, rec ClusterRecord, mem *memory, look *Look, did *deed) bool {
	if did.applied {
		rec.Status.Applied = did.generation
	}
	v := newView(look.At, rec, *look)
	if !v.mayMove() {
		return false
	}
	next := nextMove(v, false)
	look.Waits = next.waits
	if n := v.toReplace(next); n != nil && rec.Status.Leaving == nil {
		if look.Waits = m.rehearse(ctx, p, v, *n, mem); look.Waits != "" {
			return false
		}
	}
	if next.vacate != "" {
		done := m.vacate(ctx, p, v, next.vacate, look, did)
		if !done || ctx.Err() != nil {
			return false
		}
		next = nextMove(v, true)
		if n := v.toReplace(next); n != nil { // much may have changed while its clients left
			if look.Waits = m.rehearse(ctx, p, v, *n, mem); look.Waits != "" {
				next = nodeMove{back: n.Name}
			}
		}
	}
	switch {
	case next.forget:
		did.left = true
	case next.back != "":
		if waits := m.takeBack(ctx, p, v, next.back, did); waits != "" || look.Waits == "" {
			look.Waits = waits
		}
	case next.expel != "":
		look.Waits = m.expel(ctx, p, v, next.expel)
	case next.remove > 0 && rec.Status.Removing == 0: // stored first: a command in between must not bring it back
		did.removing, did.ordinals = next.remove, next.remove
	case next.remove > 0:
		look.Waits = m.removeMember(ctx, p, v, next.remove, did)
	case len(next.roll) > 0, next.lower:
		d := desiredOf(rec, look.Found)
		d.Roll = next.roll
		if next.lower {
			d.Replicas--
			d.Spec.Nodes = d.Replicas
		}
		return m.apply(ctx, p, rec, d, mem, look, did)
	}
	return false
}

// throughOther lets do speak to EMQX through ready nodes other than the one
// named, until one answers.
func (m *Manager) throughOther(ctx context.Context, p Provisioner, v view, node string, do func(context.Context, Broker) error) error {
	access, ok := p.(Accessor)
	adapter := m.adapterFor(v.rec.Resolved.Image.Version)
	if !ok || adapter == nil {
		return fail(CodeUnsupported, "", "there is no way to ask EMQX")
	}
	ctx, done, err := m.boundByLease(ctx, v.rec.Spec.Hosted.Target, p)
	if err != nil {
		return err
	}
	defer done()
	err = error(fail(CodeUnavailable, "", "no other node is ready"))
	for _, n := range byAnswer(v.ready, v.look.Views) {
		if n.Name == node {
			continue
		}
		if err = m.through(ctx, access, adapter, v.rec.ID, n.Name, v.nodeNames(), do); !errors.Is(err, ErrUnavailable) {
			return err
		}
	}
	return err
}

func (m *Manager) through(ctx context.Context, access Accessor, adapter Adapter, id ID, node string, nodes []string, do func(context.Context, Broker) error) error {
	m.counters.asked.Add(1)
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	e, err := access.Endpoint(ctx, id, node)
	if err != nil {
		return err
	}
	e.Nodes = nodes
	b, err := adapter.Open(e)
	if err != nil {
		return err
	}
	defer b.Close()
	return do(ctx, b)
}

// withEvacuator lets do speak to EMQX about the clients of a node.
func (m *Manager) withEvacuator(ctx context.Context, p Provisioner, v view, node string, do func(context.Context, Evacuator) error) error {
	return m.throughOther(ctx, p, v, node, func(ctx context.Context, b Broker) error {
		e, ok := b.(Evacuator)
		if !ok {
			return fail(CodeUnsupported, "", "this adapter moves no clients")
		}
		return do(ctx, e)
	})
}

// vacate lets the clients of a node leave it, and says whether it may go. That
// it has begun is stored before EMQX is told: an evacuation survives much, and
// somebody has to end it.
func (m *Manager) vacate(ctx context.Context, p Provisioner, v view, node string, look *Look, did *deed) bool {
	leaving := v.rec.Status.Leaving
	if leaving == nil {
		did.leaving = &Leaving{Node: node, Since: look.At.UTC()}
		did.leaving.Clients, did.leaving.Elsewhere = m.connections(v.rec.ID, node)
		look.Waits = "the clients of " + node + " are about to be moved"
		return false
	}
	spec := v.rec.Spec.Hosted.Evacuation
	end := leaving.Since.Add(drainDeadline(spec))
	over := look.At.After(end) && !did.firstLook // nobody looked while the program was down
	var at EvacuationProgress
	err := m.aboutClients(ctx, p, v, node, func(ctx context.Context, e Evacuator) (err error) {
		at, err = e.EvacuationProgress(ctx, node)
		switch {
		case err != nil:
			return err
		case over && spec.OnDeadline == StopAtTime && at.Phase != EvacuationNone && !nobodyLeft(at):
			return e.StopEvacuation(ctx, node)
		case at.Phase == EvacuationNone && (!over || spec.OnDeadline == StopAtTime):
			return e.StartEvacuation(ctx, node, EvacuationOrder{ConnectionRate: spec.Rate, SessionRate: spec.Rate, WaitHealth: m.timings.Notice, WaitTakeover: m.timings.Takeover})
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrUnsupported): // clients are cut, and come back elsewhere
		return true
	case err == nil && nobodyLeft(at) && !waitsUnseen(*leaving, at, look.At, noticeOf(m.timings, v.rec.Resolved.Image.Version)), over && spec.OnDeadline != StopAtTime:
		did.evacuated = m.evacuated(v.rec.ID, *leaving)
		return true
	case err != nil:
		look.Waits = fmt.Sprintf("the clients of %s cannot be moved: %s", node, MessageOf(err))
	case over && at.Phase == EvacuationNone: // it begins only now
		did.leaving = &Leaving{Node: node, Since: look.At.UTC(), Clients: leaving.Clients, Elsewhere: leaving.Elsewhere}
	case over:
		did.leaving = &Leaving{Node: node, Since: leaving.Since, GivenUp: true, Clients: leaving.Clients, Elsewhere: leaving.Elsewhere}
		look.Waits = fmt.Sprintf("%s still has %d clients and %d sessions, its time is over, and the spec wants it to stop there", node, at.Connections, at.Sessions)
	default:
		if leaving.Begun.IsZero() { // EMQX was told, now or before
			did.leaving = &Leaving{Node: node, Since: leaving.Since, Begun: look.At.UTC(), Clients: leaving.Clients, Elsewhere: leaving.Elsewhere}
		}
		look.Waits = evacuating(m.timings, v.rec.Resolved.Image.Version, node, at, end)
	}
	return false
}

// nobodyLeft says that the node has neither clients nor sessions, and gets none:
// it takes clients until it has waited for load balancers to notice.
func nobodyLeft(at EvacuationProgress) bool {
	takes := at.Phase == EvacuationNone || at.Phase == EvacuationOther || at.Phase == EvacuationWaiting
	return !takes && at.Connections == 0 && at.Sessions == 0
}

// takeBack lets a node take clients again. Where no other can tell it, it is told
// itself: while it takes none it is not ready, and serves all the same.
func (m *Manager) takeBack(ctx context.Context, p Provisioner, v view, node string, did *deed) (waits string) {
	stop := func(ctx context.Context, e Evacuator) error { return e.StopEvacuation(ctx, node) }
	err := m.withEvacuator(ctx, p, v, "", stop)
	if i := slices.IndexFunc(v.look.Found.Nodes, func(n NodeObservation) bool { return n.Name == node && !n.Ready }); i >= 0 && errors.Is(err, ErrUnavailable) {
		v.ready = v.look.Found.Nodes[i : i+1]
		err = m.withEvacuator(ctx, p, v, "", stop)
	}
	if err == nil || errors.Is(err, ErrUnsupported) {
		did.left = true
		return ""
	}
	i := slices.IndexFunc(v.look.Found.Nodes, func(n NodeObservation) bool { return n.Name == node && n.Ready })
	if i < 0 && (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound)) { // nobody there to be told yet
		return node + " has to start"
	}
	return fmt.Sprintf("%s cannot be told to take clients again: %s", node, MessageOf(err))
}

// removeMember ends the membership of a node that has gone for good.
func (m *Manager) removeMember(ctx context.Context, p Provisioner, v view, ordinal int, did *deed) (waits string) {
	name := v.nameOf(ordinal)
	if name == "" && len(v.look.Found.Nodes) == 0 {
		return fmt.Sprintf("node %d has gone, and no other is there to end its membership", ordinal)
	}
	if name != "" {
		if err := m.forceLeave(ctx, p, v, name); err != nil && !errors.Is(err, ErrUnsupported) {
			return fmt.Sprintf("%s has gone, and is still a member: %s", name, MessageOf(err))
		}
	}
	did.removed = true
	return ""
}

func (m *Manager) forceLeave(ctx context.Context, p Provisioner, v view, name string) error {
	return m.throughOther(ctx, p, v, name, func(ctx context.Context, b Broker) error {
		if members, ok := b.(MemberManager); ok {
			return members.RemoveMember(ctx, name)
		}
		return nil
	})
}
