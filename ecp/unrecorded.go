package ecp

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ClusterLister is a Provisioner that can list what it finds of clusters, whoever
// asked for them: after an older database was put back some have no record.
type ClusterLister interface {
	// Clusters lists every cluster of ours on the platform, in no order. Like
	// Observe it fails as unavailable where nothing can be seen.
	Clusters(ctx context.Context) ([]FoundCluster, error)
}

// FoundCluster is a cluster as the platform names it.
type FoundCluster struct {
	ID      ID
	Name    string // "" = not known, as Project
	Project string
	Since   time.Time // when it was made
}

// UnrecordedCluster is a cluster that is there and that no record knows.
type UnrecordedCluster struct {
	ID      ID
	Target  string // Kubernetes target it was found on
	Name    string // as its objects say; "" = they do not
	Project string // "org/project"; "" = the objects do not say
	Since   time.Time
	// Found is what is there of it.
	Found Observation
	// Manifest says whether its objects tell what they were made from, so that it
	// can be taken over; where not, Why says so.
	Manifest bool
	Why      string
	Settings []string // settings it was made with, whose values are not kept with the objects
	// Tombstone is what is left of a deleted cluster of the id; nil = there was none.
	Tombstone *Tombstone
	// RecordedOn is the target that a cluster of this id is recorded on; "" = none is.
	RecordedOn string
}

// unrecordedEvery is the time between two looks for clusters that no record knows.
const unrecordedEvery = time.Minute

// Unrecorded lists the clusters that are found on any target and that no record
// knows; it needs [RightAdmin]. Targets that cannot be seen are named in the error
// where none can, else left out.
func (m *Manager) Unrecorded(ctx context.Context) ([]UnrecordedCluster, error) {
	const op = "list unrecorded clusters"
	if _, err := authorize(ctx, op, RightAdmin, ""); err != nil {
		return nil, err
	}
	out := []UnrecordedCluster{}
	var failed error
	targets := m.listers()
	for _, target := range sortedKeys(targets) {
		found, err := m.unrecordedOn(ctx, target, targets[target])
		if err != nil {
			failed = err
			continue
		}
		out = append(out, found...)
	}
	if failed != nil && len(out) == 0 {
		return nil, explain(op, failed, "", "")
	}
	return out, nil
}

// listers gives the Provisioners that can list clusters, by target.
func (m *Manager) listers() map[string]Provisioner {
	out := map[string]Provisioner{}
	for target, p := range m.provisioners {
		out[target] = p
	}
	m.targets.mu.Lock()
	for target, p := range m.targets.up {
		out[target] = p
	}
	m.targets.mu.Unlock()
	for target, p := range out {
		if _, ok := p.(ClusterLister); !ok {
			delete(out, target)
		}
	}
	return out
}

// unrecordedOn lists those of one target.
func (m *Manager) unrecordedOn(ctx context.Context, target string, p Provisioner) ([]UnrecordedCluster, error) {
	lister, ok := p.(ClusterLister)
	if !ok {
		return nil, nil
	}
	if l := m.strange(target, p); l != nil {
		return nil, fail(CodeUnavailable, "", l.Waiting())
	}
	all, err := lister.Clusters(ctx)
	if err != nil {
		return nil, err
	}
	var out []UnrecordedCluster
	err = m.store.Read(ctx, func(tx Tx) error {
		out = nil
		for _, f := range all {
			u := UnrecordedCluster{ID: f.ID, Target: target, Name: f.Name, Project: f.Project, Since: f.Since}
			known, err := u.lookUp(tx)
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
		made, err := readManifest(u.Found)
		u.Manifest, u.Settings = err == nil, made.Settings
		if err != nil {
			u.Why = MessageOf(err)
		}
		there = append(there, u)
	}
	return there, nil
}

// lookUp says whether the cluster is recorded where it was found, and what else
// is known of its id.
func (u *UnrecordedCluster) lookUp(tx Tx) (known bool, err error) {
	rec, _, err := Get[ClusterRecord](tx, string(u.ID))
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
	if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	t, _, err := Get[Tombstone](tx, string(u.ID))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	u.Tombstone = &t
	return false, err
}

// watchUnrecorded looks for clusters of a target that no record knows, now and
// then until ctx ends: each is in the log once, and counted.
func (m *Manager) watchUnrecorded(ctx context.Context, target string, p Provisioner) {
	defer m.unrecorded.forget(target)
	for ctx.Err() == nil {
		wait := unrecordedEvery
		look, cancel := context.WithTimeout(ctx, healthTakes)
		found, err := m.unrecordedOn(look, target, p)
		cancel()
		if err == nil {
			m.tellUnrecorded(ctx, target, found)
		} else { // nothing is seen yet: the target's health says so
			wait = healthEvery
		}
		sleep(ctx, wait)
	}
}

func (m *Manager) tellUnrecorded(ctx context.Context, target string, found []UnrecordedCluster) {
	for _, u := range m.unrecorded.saw(target, found) {
		m.log.WarnContext(ctx, "a cluster is there that no record knows; it is left alone", "cluster", u.ID, "target", target,
			"name", u.Name, "project", u.Project, "generation", u.Found.Generation, "deleted", u.Tombstone != nil)
	}
}

// oneUnrecorded finds the one cluster of an id that no record knows. An empty
// target means any.
func (m *Manager) oneUnrecorded(ctx context.Context, id ID, target string) (UnrecordedCluster, error) {
	targets := m.listers()
	var out []UnrecordedCluster
	for _, name := range sortedKeys(targets) {
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
		return UnrecordedCluster{}, fail(CodeNotFound, "", fmt.Sprintf("there is no unrecorded cluster %q", id))
	case 1:
		return out[0], nil
	}
	return UnrecordedCluster{}, &Error{Code: CodeInvalid, Message: "the cluster is there on several targets", Fields: []FieldError{{"target", "is missing: say which one"}}}
}
