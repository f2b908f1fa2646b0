package ecp

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// Get gives a cluster; see [Cluster].
func (h handle) Get(ctx context.Context) (Info, error) {
	rec, err := h.m.readable(ctx, "read cluster "+string(h.id), RightRead, h.id)
	if err != nil {
		return Info{}, err
	}
	return h.m.info(rec), nil
}

// unseen is a record of which nothing was seen yet.
func (m *Manager) unseen(rec ClusterRecord) Info {
	version := rec.EMQXVersion()
	return Info{
		ClusterRecord: rec, Version: version, Nodes: []NodeInfo{},
		Current:  ConnectionsInfo{Limit: rec.Spec.Connections(), EnforcedBy: EnforcedByNone},
		Features: Features(rec.Mode, version, m.capabilities(rec, AgentsObservation{})),
	}
}

// info joins a record with what was seen last. It asks nobody.
func (m *Manager) info(rec ClusterRecord) Info {
	i := m.unseen(rec)
	if rec.Mode == Adopted {
		m.addAgents(&i)
		return i
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[rec.ID]; mem != nil {
		i.LookedAt = mem.seenAt
		i.Endpoints = mem.look.Found.Endpoints
		i.Unseen, i.ForeignMembers = mem.look.Unseen, slices.Clone(mem.look.Foreign)
		i.Volumes = volumesOf(rec, mem.look.Found)
		switch {
		case mem.look.NotHeld != "":
			i.Waits = mem.look.NotHeld
		case rec.Status.Operation == "":
		case i.Unseen != "":
			i.Waits = "nothing can be seen: " + i.Unseen
		default:
			i.Waits = newView(mem.look.At, rec, mem.look).waitsFor()
		}
		if mem.look.Unseen == "" {
			i.Status.Conditions = reworded(rec, mem.look)
		}
		described, members := brokerNodes(mem), []Member(nil)
		if len(described) > 0 {
			i.Version, members = mem.brokers[0].Version, runningMembers(mem.brokers[0])
		}
		for _, n := range mem.look.Found.Nodes {
			b := described[n.Name]
			i.Nodes = append(i.Nodes, NodeInfo{NodeObservation: n, Member: hasMember(members, n.Name), Status: b.Status, Role: b.Role, Version: b.Version, Uptime: b.Uptime, Connections: b.Connections})
			i.Current.Current += b.Connections
			if n.Ready {
				i.ReadyNodes++
			}
		}
		allowed := 0
		if len(described) > 0 {
			allowed = licensed(mem.brokers)
		}
		i.Current.Limit, i.Current.EnforcedBy = enforced(rec, allowed, i.ReadyNodes > 0)
	}
	i.Features = Features(Hosted, i.Version, Capabilities{})
	return i
}

// brokerNodes is what EMQX said of its nodes, where the last look still stands
// on it.
func brokerNodes(mem *memory) map[string]BrokerNode {
	out := map[string]BrokerNode{}
	if len(mem.look.Views) == 0 {
		return out
	}
	for _, d := range mem.brokers {
		for _, n := range d.Nodes {
			if old, ok := out[n.Name]; !ok || old.Status != NodeRunning {
				out[n.Name] = n
			}
		}
	}
	return out
}

// WaitOperation waits until an operation has ended or patience is over, and
// gives it as it then is. ctx ending early is an error.
func (m *Manager) WaitOperation(ctx context.Context, id OperationID, patience time.Duration) (Operation, error) {
	if patience <= 0 {
		return m.Operation(ctx, id)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	from, err := m.Position(waiting)
	if err != nil {
		return Operation{}, explain("wait for operation", err, "", "")
	}
	o, err := m.Operation(ctx, id)
	if err != nil || o.Phase.Final() {
		return o, err
	}
	for c, err := range m.Watch(waiting, from) {
		if waiting.Err() != nil {
			break
		}
		if err != nil {
			return Operation{}, explain("wait for operation", err, "", "")
		}
		if done, ok := c.Payload.(Operation); ok && done.ID == id && done.Phase.Final() {
			return done, nil
		}
	}
	if ctx.Err() != nil {
		return Operation{}, ctx.Err()
	}
	return m.Operation(ctx, id)
}

// Position is the number of the last change: Watch after it yields everything
// that happens from now on.
func (m *Manager) Position(ctx context.Context) (seq int64, err error) {
	const op = "read position"
	if _, err := authorize(ctx, op, RightRead, ""); err != nil {
		return 0, err
	}
	err = m.store.Read(ctx, func(tx Tx) (err error) { seq, err = tx.Seq(); return err })
	if err != nil {
		return 0, explain(op, err, "", "")
	}
	return seq, nil
}

// watchable says who may see the changes of each kind of record; nobody sees
// those of a kind that is not in it. Who may read a record may see its changes.
var watchable = map[Kind]func(Actor, Change) bool{
	KindCluster:   readsProject,
	KindTombstone: func(a Actor, c Change) bool { return !c.Deleted && readsProject(a, c) },
	KindOperation: readsProject,
	KindAgent:     readsProject,
	KindDeparture: func(a Actor, c Change) bool { return !c.Deleted && readsProject(a, c) },
	KindProject:   func(a Actor, c Change) bool { return a.May(RightRead, c.Key) },
	KindOrg:       func(a Actor, c Change) bool { return a.sees(c.Key) },
	KindImage:     readsCatalog,
	KindSize:      readsCatalog,
	KindPool:      readsCatalog,
	KindQuota:     func(a Actor, c Change) bool { return Quota{Of: c.Key}.seenBy(a) },
	KindLBProfile: readsCatalog,
	KindTarget:    readsCatalog,
	KindRegistry:  administers,
	KindLicence:   administers,
}

func readsProject(a Actor, c Change) bool {
	return c.Index.Project != "" && a.May(RightRead, c.Index.Project)
}

func administers(a Actor, _ Change) bool { return a.May(RightAdmin, "") }

func readsCatalog(a Actor, _ Change) bool { return a.May(RightCatalog, "") }

// Watch yields every change the actor may read after a sequence number (-1 =
// from now on), until ctx ends, or the session or token the actor came with, by
// its time or by being taken away: the last thing is an error then, denied, or
// unavailable where the actor may come again with other rights. People,
// credentials, secrets and the audit are never among the changes.
func (m *Manager) Watch(ctx context.Context, after int64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		actor, _ := ActorFrom(ctx)
		good, cancel, now, err := m.whileGood(ctx)
		if err != nil {
			yield(Change{}, err)
			return
		}
		defer cancel()
		if after < 0 {
			after = now
		}
		for c, err := range m.store.Changes(good, after) {
			if err != nil && ctx.Err() == nil && errors.Is(context.Cause(good), errOver) {
				err = errOver
			}
			if err == nil && c.Seq > now { // what was before, the actor came with
				err = endedBy(actor, c)
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			if rec, ok := c.Payload.(ClusterRecord); ok && rec.Status.State == Gone && !c.Deleted {
				continue // the deletion, in the same transaction, tells of it
			}
			if sees := watchable[c.Kind]; sees == nil || !sees(actor, c) {
				continue
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Watch yields the cluster as it is, then its changes and those of its
// operations and agents; see [Cluster].
func (h handle) Watch(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		now, err := h.asChange(ctx)
		if !yield(now, err) || err != nil {
			return
		}
		for c, err := range h.m.Watch(ctx, now.Seq) {
			own := (c.Kind == KindCluster && c.Key == string(h.id)) || c.Index.Parent == string(h.id) && c.Kind != KindProject
			if err == nil && !own {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
			if (c.Kind == KindCluster && c.Deleted) || (c.Kind == KindDeparture && h.lost(ctx)) {
				return
			}
		}
	}
}

// lost says that the cluster is in a project that the watcher may not read.
func (h handle) lost(ctx context.Context) bool {
	_, err := h.Get(ctx)
	return errors.Is(err, ErrNotFound)
}

// asChange gives the cluster with the position its changes go on from.
func (h handle) asChange(ctx context.Context) (Change, error) {
	if _, err := h.Get(ctx); err != nil {
		return Change{}, err
	}
	var c Change
	err := h.m.store.Read(ctx, func(tx Tx) error {
		r, err := tx.Get(KindCluster, string(h.id))
		if err != nil {
			return err
		}
		c = Change{At: r.At, Kind: r.Kind, Key: r.Key, Index: r.Index, Payload: r.Payload}
		c.Seq, err = tx.Seq()
		return err
	})
	op := "watch cluster " + string(h.id)
	if errors.Is(err, ErrNotFound) {
		return Change{}, noCluster(op, h.id, nil)
	}
	if err != nil {
		return Change{}, explain(op, err, "", "")
	}
	return c, nil
}

// Pool gives what all clusters together may use and have booked.
func (m *Manager) Pool(ctx context.Context) (Pool, error) {
	const op = "read pool"
	if _, err := authorize(ctx, op, RightCatalog, ""); err != nil {
		return Pool{}, err
	}
	var p Pool
	err := m.store.Read(ctx, func(tx Tx) (err error) { p, _, err = Get[Pool](tx, poolKey); return err })
	if err != nil {
		return Pool{}, explain(op, err, "", "")
	}
	return shownPool(p), nil
}
