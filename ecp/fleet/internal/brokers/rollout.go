package brokers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// ThroughOther lets do speak to EMQX through ready nodes other than the one
// named, until one answers.
func (m *Brokers) ThroughOther(ctx context.Context, p ecp.Provisioner, v derive.View, node string,
	do func(context.Context, ecp.Broker) error) error {
	access, ok := p.(ecp.Accessor)
	adapter := m.observed.AdapterFor(v.Rec.Resolved.Image.Version)
	if !ok || adapter == nil {
		return ecp.NewError(ecp.CodeUnsupported, "", "there is no way to ask EMQX")
	}
	ctx, done, err := m.withLease(ctx, v.Rec.Spec.Hosted.Target, p)
	if err != nil {
		return err
	}
	defer done()
	err = error(ecp.NewError(ecp.CodeUnavailable, "", "no other node is ready"))
	for _, n := range byAnswer(v.Ready, v.Snapshot.Views) {
		if n.Name == node {
			continue
		}
		if err = m.through(ctx, access, adapter, v.Rec.ID, n.Name, v.NodeNames(), do); !errors.Is(err,
			ecp.ErrUnavailable) {
			return err
		}
	}
	return err
}

func (m *Brokers) through(ctx context.Context, access ecp.Accessor, adapter ecp.Adapter, id ecp.ID, node string,
	nodes []string, do func(context.Context, ecp.Broker) error) error {
	m.observed.Counters.Queries.Add(1)
	ctx, cancel := context.WithTimeout(ctx, QueryTimeout)
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
func (m *Brokers) withEvacuator(ctx context.Context, p ecp.Provisioner, v derive.View, node string,
	do func(context.Context, ecp.Evacuator) error) error {
	return m.ThroughOther(ctx, p, v, node, func(ctx context.Context, b ecp.Broker) error {
		e, ok := b.(ecp.Evacuator)
		if !ok {
			return ecp.NewError(ecp.CodeUnsupported, "", "this adapter moves no clients")
		}
		return do(ctx, e)
	})
}

// Drain lets the clients of a node leave it, and says whether it may go. That
// it has begun is stored before EMQX is told: an evacuation survives much, and
// somebody has to end it.
func (m *Brokers) Drain(ctx context.Context, p ecp.Provisioner, v derive.View, node string, snap *derive.Snapshot,
	outcome *derive.Outcome) bool {
	draining := v.Rec.Status.Draining
	if draining == nil {
		outcome.Draining = &ecp.Draining{Node: node, Since: snap.At.UTC()}
		outcome.Draining.Clients, outcome.Draining.Elsewhere = m.observed.Connections(v.Rec.ID, node)
		snap.Waits = "the clients of " + node + " are about to be moved"
		return false
	}
	spec := v.Rec.Spec.Hosted.Evacuation
	end := draining.Since.Add(derive.DrainDeadline(spec))
	over := snap.At.After(end) && !outcome.FirstObservation // nobody looked while the program was down
	var at ecp.EvacuationProgress
	err := m.aboutClients(ctx, p, v, node, func(ctx context.Context, e ecp.Evacuator) (err error) {
		at, err = e.EvacuationProgress(ctx, node)
		switch {
		case err != nil:
			return err
		case over && spec.OnDeadline == ecp.StopAtTime && at.Phase != ecp.EvacuationNone && !derive.IsDrained(at):
			return e.StopEvacuation(ctx, node)
		case at.Phase == ecp.EvacuationNone && (!over || spec.OnDeadline == ecp.StopAtTime):
			return e.StartEvacuation(ctx, node,
				ecp.EvacuationOrder{ConnectionRate: spec.Rate, SessionRate: spec.Rate,
					WaitHealth: m.observed.Timings.Notice, WaitTakeover: m.observed.Timings.Takeover,
					To: v.Recipients(node)})
		}
		return nil
	})
	switch {
	case errors.Is(err, ecp.ErrUnsupported): // clients are cut, and come back elsewhere
		return true
	case err == nil && derive.IsDrained(at) &&
		!MayStillWait(*draining, at, snap.At, derive.NoticePeriod(m.observed.Timings, v.Rec.Resolved.Image.Version)),
		over && spec.OnDeadline != ecp.StopAtTime:
		outcome.Evacuated = m.observed.Evacuated(v.Rec.ID, *draining)
		return true
	case err != nil:
		snap.Waits = fmt.Sprintf("the clients of %s cannot be moved: %s", node, ecp.MessageOf(err))
	case over && at.Phase == ecp.EvacuationNone: // it begins only now
		outcome.Draining = &ecp.Draining{Node: node, Since: snap.At.UTC(), Clients: draining.Clients,
			Elsewhere: draining.Elsewhere}
	case over:
		outcome.Draining = &ecp.Draining{Node: node, Since: draining.Since, TimedOut: true, Clients: draining.Clients,
			Elsewhere: draining.Elsewhere}
		snap.Waits = fmt.Sprintf("%s still has %d clients and %d sessions, its time is over, and the spec wants it to "+
			"stop there", node, at.Connections, at.Sessions)
	default:
		if draining.Begun.IsZero() { // EMQX was told, now or before
			outcome.Draining = &ecp.Draining{Node: node, Since: draining.Since, Begun: snap.At.UTC(),
				Clients: draining.Clients, Elsewhere: draining.Elsewhere}
		}
		snap.Waits = DescribeEvacuation(m.observed.Timings, v.Rec.Resolved.Image.Version, node, at, end)
	}
	return false
}

// Undrain lets a node take clients again. Where no other can tell it, it is told
// itself: while it takes none it is not ready, and serves all the same.
func (m *Brokers) Undrain(ctx context.Context, p ecp.Provisioner, v derive.View, node string,
	outcome *derive.Outcome) (waits string) {
	stop := func(ctx context.Context, e ecp.Evacuator) error { return e.StopEvacuation(ctx, node) }
	err := m.withEvacuator(ctx, p, v, "", stop)
	if i := slices.IndexFunc(v.Snapshot.Found.Nodes,
		func(n ecp.NodeObservation) bool { return n.Name == node && !n.Ready }); i >= 0 &&
		errors.Is(err, ecp.ErrUnavailable) {
		v.Ready = v.Snapshot.Found.Nodes[i : i+1]
		err = m.withEvacuator(ctx, p, v, "", stop)
	}
	if err == nil || errors.Is(err, ecp.ErrUnsupported) {
		outcome.Drained = true
		return ""
	}
	is := func(n ecp.NodeObservation) bool { return n.Name == node }
	silent := errors.Is(err, ecp.ErrUnavailable) || errors.Is(err, ecp.ErrNotFound)
	switch i := slices.IndexFunc(v.Snapshot.Found.Nodes, is); {
	case silent && i >= 0 && v.WaitsForCore(v.Snapshot.Found.Nodes[i]):
		// It was made anew and keeps nothing, so that no evacuation goes on there; and it joins only
		// after the core nodes are replaced, which nothing must hold up.
		outcome.Drained = true
		return ""
	case silent && (i < 0 || !v.Snapshot.Found.Nodes[i].Ready): // nobody there to be told yet
		return node + " has to start"
	}
	return fmt.Sprintf("%s cannot be told to take clients again: %s", node, ecp.MessageOf(err))
}

// RemoveMember ends the membership of a node that has gone for good.
func (m *Brokers) RemoveMember(ctx context.Context, p ecp.Provisioner, v derive.View, ordinal int,
	outcome *derive.Outcome) (waits string) {
	name := v.NameOf(ordinal)
	if name == "" && len(v.Snapshot.Found.Nodes) == 0 {
		return fmt.Sprintf("node %d has gone, and no other is there to end its membership", ordinal)
	}
	if name != "" {
		if err := m.forceLeave(ctx, p, v, name); err != nil && !errors.Is(err, ecp.ErrUnsupported) {
			return fmt.Sprintf("%s has gone, and is still a member: %s", name, ecp.MessageOf(err))
		}
	}
	outcome.Removed = true
	return ""
}

func (m *Brokers) forceLeave(ctx context.Context, p ecp.Provisioner, v derive.View, name string) error {
	return m.ThroughOther(ctx, p, v, name, func(ctx context.Context, b ecp.Broker) error {
		if members, ok := b.(ecp.MemberManager); ok {
			return members.RemoveMember(ctx, name)
		}
		return nil
	})
}

// aboutClients lets do speak to EMQX about the clients of a node: through others,
// and where none of them can tell, because a member hangs, to the node itself.
func (m *Brokers) aboutClients(ctx context.Context, p ecp.Provisioner, v derive.View, node string,
	do func(context.Context, ecp.Evacuator) error) error {
	err := m.withEvacuator(ctx, p, v, node, do)
	i := slices.IndexFunc(v.Snapshot.Found.Nodes,
		func(n ecp.NodeObservation) bool { return n.Name == node && !n.Terminating && !n.Broken })
	if i < 0 || !errors.Is(err, ecp.ErrUnavailable) {
		return err
	}
	v.Ready = v.Snapshot.Found.Nodes[i : i+1]
	if m.withEvacuator(ctx, p, v, "", do) != nil {
		return err
	}
	return nil
}

// MayStillWait reports whether an evacuation whose phase nobody tells may be waiting
// for load balancers still: an empty node takes clients then.
func MayStillWait(l ecp.Draining, at ecp.EvacuationProgress, now time.Time, notice time.Duration) bool {
	return at.Phase == ecp.EvacuationUntold && (l.Begun.IsZero() || now.Before(l.Begun.Add(notice+QueryTimeout)))
}

// dryRunInterval is the pause between two tries while a node's successor would
// be refused.
const dryRunInterval = 10 * time.Second

// DryRun returns why the successor of a healthy node would not be taken now, so
// that the node must stay; empty means it may go.
func (m *Brokers) DryRun(ctx context.Context, p ecp.Provisioner, v derive.View, n ecp.NodeObservation,
	mem *observed.Memory) string {
	r, ok := p.(ecp.Rehearser)
	if !ok {
		return ""
	}
	of := fmt.Sprint(n.PodUID, " ", v.Rec.Generation)
	if last := mem.DryRun; last.Of == of && last.Why != "" && v.Snapshot.At.Sub(last.At) < dryRunInterval {
		return last.Why
	}
	why := ""
	err := r.Rehearse(ctx, v.Rec.ID, n.Role, n.Ordinal)
	switch {
	case err == nil, errors.Is(err, ecp.ErrUnsupported):
	case errors.Is(err, ecp.ErrConflict):
		why = n.Pod + " stays as it is: " + ecp.MessageOf(err)
	default:
		why = fmt.Sprintf("%s stays as it is: it cannot be told whether its successor would be taken: %s", n.Pod,
			ecp.MessageOf(err))
	}
	mem.DryRun = observed.DryRun{Of: of, At: v.Snapshot.At, Why: why}
	return why
}

// RemoveForeign ends the membership of one that is no node of the cluster. The broker is asked
// just before whether it runs.
func (m *Brokers) RemoveForeign(ctx context.Context, p ecp.Provisioner, v derive.View, name string) (waits string) {
	if err := m.forceLeave(ctx, p, v, name); err != nil {
		return fmt.Sprintf("%s is no node of the cluster, and is still a member: %s", name, ecp.MessageOf(err))
	}
	m.observed.Log.InfoContext(ctx, "a member of EMQX that was no node of the cluster was removed", "cluster", v.Rec.ID,
		"member", name)
	return name + " was removed from the members of EMQX"
}
