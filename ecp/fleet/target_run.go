package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
)

// How targets are looked after.
const (
	healthEvery   = 5 * time.Second  // between two looks whether a target is seen
	healthTakes   = 10 * time.Second // how long one observation may take
	targetRetried = 10 * time.Second // after one that could not be started, or ended
)

// probeID is a cluster that nobody looks for: to see that it is not there is
// to see.
const probeID ecp.ID = "emqx-00000000"

// runningTarget is a target that is worked with.
type runningTarget struct {
	made wantedTarget // what its Provisioner was made of: another one means another Provisioner
	stop func()       // ends it and waits
}

// keepTargets works with the targets the store has until ctx ends: it begins
// with new ones, begins anew with changed ones, and ends removed ones.
func (m *Manager) keepTargets(ctx context.Context) {
	running := map[string]runningTarget{}
	defer func() {
		for _, r := range running {
			r.stop()
		}
	}()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.targets.Changed():
		case <-retry.C:
		}
		wanted, err := m.wantedTargets(ctx)
		if err != nil {
			if ctx.Err() == nil {
				m.observed.Log.WarnContext(ctx, "the Kubernetes targets could not be read; it is tried again",
					"error", err)
			}
			retry.Reset(targetRetried)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(running)) {
			if want, still := wanted[name]; !still || want != running[name].made {
				running[name].stop()
				delete(running, name)
			}
			if _, still := wanted[name]; !still {
				m.targets.Forget(name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			if _, ok := running[name]; !ok {
				running[name] = runningTarget{wanted[name], m.beginTarget(ctx, name)}
			}
		}
	}
}

// wantedTarget is what the Provisioner of a target is made of.
type wantedTarget struct {
	sealed  string // the kubeconfig as stored
	network ecp.TargetNetwork
}

// wantedTargets returns what every target of the store is made of.
func (m *Manager) wantedTargets(ctx context.Context) (map[string]wantedTarget, error) {
	wanted := map[string]wantedTarget{}
	err := m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		clear(wanted)
		for t, err := range ecp.List[ecp.Target](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			s, _, err := ecp.Get[catalog.SealedSecret](tx,
				catalog.SealedSecret{Kind: ecp.KindTarget, Key: t.Name, Field: "kubeconfig"}.Binding())
			if err != nil && !errors.Is(err, ecp.ErrNotFound) {
				return err
			}
			wanted[t.Name] = wantedTarget{s.Sealed, t.Network}
		}
		return nil
	})
	return wanted, err
}

// beginTarget works with one target in a goroutine of its own until the
// function it gives is called, which waits for its end.
func (m *Manager) beginTarget(ctx context.Context, name string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := m.workTarget(ctx, name); err != nil && ctx.Err() == nil {
				m.targets.Observed(name, m.observed.Now().UTC(), ecp.MessageOf(err))
				m.observed.Log.WarnContext(ctx, "a Kubernetes target is not up; it is tried again", "target", name,
					ecp.ErrorAttr(err))
			}
			sleep(ctx, targetRetried)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// workTarget makes a target's Provisioner and lets it watch, until ctx ends or
// it cannot go on.
func (m *Manager) workTarget(ctx context.Context, name string) (err error) {
	made := ecp.TargetConfig{Name: name}
	err = m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) {
		t, err := m.Catalog.Targets.Find(tx, name)
		if err == nil {
			made.Network = t.Network
			made.Kubeconfig, err = m.Catalog.Secret(tx, ecp.KindTarget, name, "kubeconfig")
		}
		return err
	})
	if err != nil {
		return err
	}
	if m.newProvisioner == nil {
		return ecp.NewError(ecp.CodeUnsupported, "start Kubernetes target",
			"the program was given no Config.NewProvisioner")
	}
	p, err := m.newProvisioner(ctx, made)
	if err != nil {
		return err
	}
	m.targets.Set(name, p)
	if err := m.wakeTarget(ctx, name); err != nil && ctx.Err() == nil {
		m.observed.Log.WarnContext(ctx, "clusters of a target could not be woken", "target", name, "error", err)
	}
	watching, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer func() {
		cancel()
		watchers.Wait()
		m.targets.Set(name, nil)
		err = errors.Join(err, closeProvisioner(p))
	}()
	watchers.Go(func() { m.watchHealth(watching, name, p) })
	recognized := make(chan struct{})
	watchers.Go(func() { m.recognize(watching, name, p, func() { close(recognized) }) })
	watchers.Go(func() {
		if err := m.holdTarget(watching, name, p, recognized); err != nil {
			m.observed.Log.WarnContext(ctx, "the lease of a target is not looked after any more", "target", name,
				"error", err)
		}
	})
	watchers.Go(func() { m.watchUnrecorded(watching, name, p) })
	w, ok := p.(ecp.Watcher)
	if !ok {
		<-ctx.Done()
		return nil
	}
	if err := w.Watch(ctx, m.queue.Add); err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch the target %q: %w", name, err)
	}
	return nil
}

// wakeTarget lets every cluster of a target be looked at: it can be now.
func (m *Manager) wakeTarget(ctx context.Context, name string) error {
	return m.enqueue(ctx, func(r ecp.ClusterRecord) bool {
		return r.Spec.Hosted != nil && r.Spec.Hosted.Target == name
	})
}

// watchHealth looks whether a target is seen, now and then until ctx ends.
func (m *Manager) watchHealth(ctx context.Context, name string, p ecp.Provisioner) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, healthTakes)
		_, err := p.Observe(asking, probeID)
		cancel()
		if ctx.Err() != nil {
			return
		}
		m.targets.Observed(name, m.observed.Now().UTC(), unseenWhy(err))
		if w, ok := p.(ecp.Warner); ok {
			m.targets.Warn(name, w.Warnings())
		}
		sleep(ctx, healthEvery)
	}
}

// unseenWhy says why a target is not seen, without the cluster that nobody has;
// "" = it is.
func unseenWhy(err error) string {
	var e *ecp.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return ecp.MessageOf(err)
}

// sleep waits, no longer than ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
