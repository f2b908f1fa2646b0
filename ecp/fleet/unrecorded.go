package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// UnrecordedCluster is a cluster that is there and that no record knows.
type UnrecordedCluster struct {
	ID      ecp.ID
	Target  string // Kubernetes target it was found on
	Name    string // as its objects say; "" = they do not
	Project string // "org/project"; "" = the objects do not say
	Since   time.Time
	// Found is what is there of it.
	Found ecp.Observation
	// Manifest says whether its objects tell what they were made from, so that it
	// can be taken over; where not, Why says so.
	Manifest bool
	Why      string
	Settings []string // settings it was made with, whose values are not kept with the objects
	// Tombstone is what is left of a deleted cluster of the id; nil = there was none.
	Tombstone *ecp.Tombstone
	// RecordedOn is the target that a cluster of this id is recorded on; "" = none is.
	RecordedOn string
}

// unrecordedEvery is the time between two looks for clusters that no record knows.
const unrecordedEvery = time.Minute

// Unrecorded lists the clusters that are found on any target and that no record
// knows; it needs [ecp.RightAdmin]. Targets that cannot be seen are named in the error
// where none can, else left out.
func (m *Manager) Unrecorded(ctx context.Context) ([]UnrecordedCluster, error) {
	const op = "list unrecorded clusters"
	if _, err := ecp.Authorize(ctx, op, ecp.RightAdmin, ""); err != nil {
		return nil, err
	}
	out := []UnrecordedCluster{}
	var failed error
	targets := m.listers()
	for _, target := range slices.Sorted(maps.Keys(targets)) {
		found, err := m.unrecordedOn(ctx, target, targets[target])
		if err != nil {
			failed = err
			continue
		}
		out = append(out, found...)
	}
	if failed != nil && len(out) == 0 {
		return nil, fault.Wrap(op, failed)
	}
	return out, nil
}

// listers returns the Provisioners that can list clusters, by target.
func (m *Manager) listers() map[string]ecp.Provisioner {
	out := m.targets.All()
	maps.Copy(out, m.observed.Provisioners)
	maps.DeleteFunc(out, func(_ string, p ecp.Provisioner) bool { _, ok := p.(ecp.ClusterLister); return !ok })
	return out
}

// unrecordedOn lists those of one target.
func (m *Manager) unrecordedOn(ctx context.Context, target string, p ecp.Provisioner) ([]UnrecordedCluster, error) {
	lister, ok := p.(ecp.ClusterLister)
	if !ok {
		return nil, nil
	}
	if l := m.strange(target, p); l != nil {
		return nil, ecp.NewError(ecp.CodeUnavailable, "", l.Waiting())
	}
	all, err := lister.Clusters(ctx)
	if err != nil {
		return nil, err
	}
	var out []UnrecordedCluster
	err = m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		out = nil
		for _, f := range all {
			u := UnrecordedCluster{ID: f.ID, Target: target, Name: f.Name, Project: f.Project, Since: f.Since}
			known, err := u.findRecord(tx)
			if err != nil {
				return err
			}
			if !known {
				out = append(out, u)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	there := out[:0]
	for _, u := range out {
		if u.Found, err = p.Observe(ctx, u.ID); err != nil {
			return nil, err
		}
		if !u.Found.Exists { // it has gone meanwhile
			continue
		}
		made, err := derive.ReadManifest(u.Found)
		u.Manifest, u.Settings = err == nil, made.Settings
		if err != nil {
			u.Why = ecp.MessageOf(err)
		}
		there = append(there, u)
	}
	return there, nil
}

// findRecord reports whether the cluster is recorded on the target where it was found. It
// notes in u what else is recorded under its id.
func (u *UnrecordedCluster) findRecord(tx ecp.Tx) (known bool, err error) {
	rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(u.ID))
	if err == nil {
		if rec.Spec.Hosted != nil && rec.Spec.Hosted.Target == u.Target {
			return true, nil
		}
		u.RecordedOn = "(an adopted cluster)"
		if rec.Spec.Hosted != nil {
			u.RecordedOn = rec.Spec.Hosted.Target
		}
		return false, nil
	}
	if !errors.Is(err, ecp.ErrNotFound) {
		return false, err
	}
	t, _, err := ecp.Get[ecp.Tombstone](tx, string(u.ID))
	if errors.Is(err, ecp.ErrNotFound) {
		return false, nil
	}
	u.Tombstone = &t
	return false, err
}

// watchUnrecorded looks for clusters of a target that no record knows, now and
// then until ctx ends: each is in the log once, and counted.
func (m *Manager) watchUnrecorded(ctx context.Context, target string, p ecp.Provisioner) {
	defer m.unrecorded.Forget(target)
	for ctx.Err() == nil {
		wait := unrecordedEvery
		asking, cancel := context.WithTimeout(ctx, healthTakes)
		found, err := m.unrecordedOn(asking, target, p)
		cancel()
		if _, end, leads := m.shards.Lead(ctx); err == nil && !leads { // another one tells
			m.unrecorded.Forget(target)
		} else if end(); err == nil {
			m.tellUnrecorded(ctx, target, found)
		} else { // nothing is seen yet: the target's health says so
			wait = healthEvery
		}
		sleep(ctx, wait)
	}
}

func (m *Manager) tellUnrecorded(ctx context.Context, target string, found []UnrecordedCluster) {
	now := map[ecp.ID]bool{}
	for _, u := range found {
		now[u.ID] = true
	}
	fresh := m.unrecorded.Observed(target, now)
	for _, u := range found {
		if !fresh[u.ID] {
			continue
		}
		m.observed.Log.WarnContext(ctx, "a cluster is there that no record knows; it is left alone", "cluster", u.ID,
			"target", target,
			"name", u.Name, "project", u.Project, "generation", u.Found.Generation, "deleted", u.Tombstone != nil)
	}
}

// oneUnrecorded finds the one cluster of an id that no record knows. An empty
// target means any.
func (m *Manager) oneUnrecorded(ctx context.Context, id ecp.ID, target string) (UnrecordedCluster, error) {
	targets := m.listers()
	var out []UnrecordedCluster
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		if target != "" && name != target {
			continue
		}
		found, err := m.unrecordedOn(ctx, name, targets[name])
		if err != nil {
			return UnrecordedCluster{}, err
		}
		for _, u := range found {
			if u.ID == id {
				out = append(out, u)
			}
		}
	}
	switch len(out) {
	case 0:
		return UnrecordedCluster{}, ecp.NewError(ecp.CodeNotFound, "",
			fmt.Sprintf("there is no unrecorded cluster %q", id))
	case 1:
		return out[0], nil
	}
	return UnrecordedCluster{}, &ecp.Error{
		Code:    ecp.CodeInvalid,
		Message: "the cluster is there on several targets",
		Fields:  []ecp.FieldError{{Field: "target", Message: "is missing: say which one"}},
	}
}
