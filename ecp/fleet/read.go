package fleet

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/tenancy"
)

// Get returns a cluster; see [ecp.Cluster].
func (h handle) Get(ctx context.Context) (ecp.Info, error) {
	rec, err := h.m.observed.LoadReadable(ctx, "read cluster "+string(h.id), ecp.RightRead, h.id)
	if err != nil {
		return ecp.Info{}, err
	}
	return h.m.observed.Info(rec), nil
}

// WaitOperation waits until an operation has ended or patience is over, and
// gives it as it then is. ctx ending early is an error.
func (m *Manager) WaitOperation(
	ctx context.Context, id ecp.OperationID, patience time.Duration,
) (ecp.Operation, error) {
	if patience <= 0 {
		return m.Operation(ctx, id)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	from, err := m.Position(waiting)
	if err != nil {
		return ecp.Operation{}, fault.Wrap("wait for operation", err)
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
			return ecp.Operation{}, fault.Wrap("wait for operation", err)
		}
		if done, ok := c.Payload.(ecp.Operation); ok && done.ID == id && done.Phase.Final() {
			return done, nil
		}
	}
	if ctx.Err() != nil {
		return ecp.Operation{}, ctx.Err()
	}
	return m.Operation(ctx, id)
}

// Position is the number of the last change: Watch after it yields everything
// that happens from now on.
func (m *Manager) Position(ctx context.Context) (seq int64, err error) {
	const op = "read position"
	if _, err := ecp.Authorize(ctx, op, ecp.RightRead, ""); err != nil {
		return 0, err
	}
	err = m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) { seq, err = tx.Seq(); return err })
	if err != nil {
		return 0, fault.Wrap(op, err)
	}
	return seq, nil
}

// watchable says who may see the changes of each kind of record; nobody sees
// those of a kind that is not in it. Who may read a record may see its changes.
var watchable = map[ecp.Kind]func(ecp.Actor, ecp.Change) bool{
	ecp.KindCluster:        readsProject,
	ecp.KindTombstone:      func(a ecp.Actor, c ecp.Change) bool { return !c.Deleted && readsProject(a, c) },
	ecp.KindOperation:      readsProject,
	ecp.KindAgent:          readsProject,
	ecp.KindTransferNotice: func(a ecp.Actor, c ecp.Change) bool { return !c.Deleted && readsProject(a, c) },
	ecp.KindProject:        func(a ecp.Actor, c ecp.Change) bool { return a.May(ecp.RightRead, c.Key) },
	ecp.KindOrg:            func(a ecp.Actor, c ecp.Change) bool { return a.Sees(c.Key) },
	ecp.KindImage:          readsCatalog,
	ecp.KindSize:           readsCatalog,
	ecp.KindPool:           readsCatalog,
	ecp.KindQuota:          func(a ecp.Actor, c ecp.Change) bool { return ecp.Quota{Of: c.Key}.SeenBy(a) },
	ecp.KindLBProfile:      readsCatalog,
	ecp.KindTarget:         readsCatalog,
	ecp.KindRegistry:       administers,
	ecp.KindLicense:        administers,
	ecp.KindCertificate:    administers,
}

func readsProject(a ecp.Actor, c ecp.Change) bool {
	return c.Index.Project != "" && a.May(ecp.RightRead, c.Index.Project)
}

func administers(a ecp.Actor, _ ecp.Change) bool { return a.May(ecp.RightAdmin, "") }

func readsCatalog(a ecp.Actor, _ ecp.Change) bool { return a.May(ecp.RightCatalog, "") }

// Watch yields every change the actor may read after a sequence number (-1 =
// from now on), until ctx ends, or the session or token the actor came with, by
// its time or by being taken away: the last thing is an error then, denied, or
// unavailable where the actor may come again with other rights. People,
// credentials, secrets and the audit are never among the changes.
func (m *Manager) Watch(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) {
		actor, _ := ecp.ActorFrom(ctx)
		good, cancel, now, err := m.Accounts.WhileGood(ctx)
		if err != nil {
			yield(ecp.Change{}, err)
			return
		}
		defer cancel()
		if after < 0 {
			after = now
		}
		for c, err := range m.observed.Store.Changes(good, after) {
			if err != nil && ctx.Err() == nil && errors.Is(context.Cause(good), tenancy.ErrExpired) {
				err = tenancy.ErrExpired
			}
			if err == nil && c.Seq > now { // what was before, the actor came with
				err = tenancy.EndedBy(actor, c)
			}
			if err != nil {
				yield(ecp.Change{}, err)
				return
			}
			if rec, ok := c.Payload.(ecp.ClusterRecord); ok && rec.Status.State == ecp.Gone && !c.Deleted {
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
// operations and agents; see [ecp.Cluster].
func (h handle) Watch(ctx context.Context) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) {
		now, err := h.asChange(ctx)
		if !yield(now, err) || err != nil {
			return
		}
		for c, err := range h.m.Watch(ctx, now.Seq) {
			own := (c.Kind == ecp.KindCluster && c.Key == string(h.id)) ||
				c.Index.Parent == string(h.id) && c.Kind != ecp.KindProject
			if err == nil && !own {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
			if (c.Kind == ecp.KindCluster && c.Deleted) || (c.Kind == ecp.KindTransferNotice && h.lost(ctx)) {
				return
			}
		}
	}
}

// lost says that the cluster is in a project that the watcher may not read.
func (h handle) lost(ctx context.Context) bool {
	_, err := h.Get(ctx)
	return errors.Is(err, ecp.ErrNotFound)
}

// asChange returns the cluster as a change, with the position after which its changes follow.
func (h handle) asChange(ctx context.Context) (ecp.Change, error) {
	if _, err := h.Get(ctx); err != nil {
		return ecp.Change{}, err
	}
	var c ecp.Change
	err := h.m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		r, err := tx.Get(ecp.KindCluster, string(h.id))
		if err != nil {
			return err
		}
		c = ecp.Change{At: r.At, Kind: r.Kind, Key: r.Key, Index: r.Index, Payload: r.Payload}
		c.Seq, err = tx.Seq()
		return err
	})
	op := "watch cluster " + string(h.id)
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.Change{}, observed.NoCluster(op, h.id, nil)
	}
	if err != nil {
		return ecp.Change{}, fault.Wrap(op, err)
	}
	return c, nil
}

// Pool returns the resources that all clusters together may use, and those they have booked.
func (m *Manager) Pool(ctx context.Context) (ecp.Pool, error) {
	const op = "read pool"
	if _, err := ecp.Authorize(ctx, op, ecp.RightCatalog, ""); err != nil {
		return ecp.Pool{}, err
	}
	var p ecp.Pool
	err := m.observed.Store.Read(ctx,
		func(tx ecp.Tx) (err error) { p, _, err = ecp.Get[ecp.Pool](tx, ecp.PoolKey); return err })
	if err != nil {
		return ecp.Pool{}, fault.Wrap(op, err)
	}
	return catalog.ShownPool(p), nil
}

// Usage is what the clusters of one project have booked together.
type Usage struct {
	Clusters    int `json:"clusters"`
	Connections int `json:"connections"`
}

// UsageByProject says what each project the actor may read has booked of the
// pool; projects without clusters are left out. It follows a cluster that is
// transferred.
func (m *Manager) UsageByProject(ctx context.Context) (map[string]Usage, error) {
	const op = "sum up usage"
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return nil, err
	}
	all, err := m.observed.All(ctx)
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	out := map[string]Usage{}
	seen := observed.Filter(ecp.ListOptions{}, actor)
	for _, l := range all {
		if seen(l) {
			u := out[l.Project]
			out[l.Project] = Usage{u.Clusters + 1, u.Connections + l.Connections}
		}
	}
	return out, nil
}

// List lists the clusters that the actor may read.
func (m *Manager) Clusters(ctx context.Context, o ecp.ListOptions) (ecp.Page, error) {
	return m.observed.List(ctx, o)
}

// CountByState counts the clusters that the actor may read, for metrics. States that no
// cluster is in are left out.
func (m *Manager) CountByState(ctx context.Context) (map[ecp.Mode]map[ecp.State]int, error) {
	return m.observed.CountByState(ctx)
}
