package brokers

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/drift"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// settingsEvery is how often the settings in force are compared with those that
// should be, where no pod has changed.
const settingsEvery = 5 * time.Minute

// compareSettings compares the settings that nodes run with with those that they
// should have, once all of them are as wanted: before that they may differ.
func (m *Brokers) compareSettings(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory,
	snap *derive.Snapshot) {
	v := derive.NewView(snap.At, rec, *snap)
	now := observed.SettingsCheck{At: snap.Tick, Pods: readyPods(v.Ready), Rev: rec.Revision}
	if was := mem.Settings; was.Pods != now.Pods || was.Rev != now.Rev {
		snap.Settings = nil // it was of others
	} else if now.At.Sub(was.At) < settingsEvery {
		return
	}
	access, ok := p.(ecp.Accessor)
	adapter := m.observed.AdapterFor(rec.Resolved.Image.Version)
	if !ok || adapter == nil || !v.Agreed() {
		return
	}
	c, err := m.comparedSettings(p, rec)
	wanted := c.Wanted()
	switch {
	case err != nil:
		snap.Settings = &drift.Diff{NotComparable: ecp.MessageOf(err)}
	case len(wanted)+len(c.Former) > 0:
		snap.Settings = m.settingsOf(ctx, access, adapter, v, wanted, c.Former)
	}
	if ctx.Err() == nil && (snap.Settings == nil || !snap.Settings.Partial) {
		mem.Settings = now
	}
}

// comparedSettings returns the settings that nodes should have, and those that
// are not asked for any more, as EMQX gets them.
func (m *Brokers) comparedSettings(p ecp.Provisioner, rec ecp.ClusterRecord) (c drift.Settings, err error) {
	if c.Spec, err = m.observed.OpenSettings(rec.ID, rec.Spec.Hosted.Config); err != nil {
		return c, err
	}
	if c.Former, err = m.observed.OpenSettings(rec.ID, rec.Status.FormerSettings); err != nil {
		return c, err
	}
	if configurer, ok := p.(ecp.Configurer); ok {
		c.Rendered = configurer.Configured(derive.Desired(rec))
	}
	return c, nil
}

// settingsOf compares what the nodes say.
func (m *Brokers) settingsOf(ctx context.Context, access ecp.Accessor, adapter ecp.Adapter, v derive.View, wanted,
	former map[string]string) *drift.Diff {
	told, unanswered, err := m.askSettings(ctx, access, adapter, v, rootsOf(wanted, former))
	if len(told) == 0 && observed.IsFinal(err) {
		return &drift.Diff{NotComparable: ecp.MessageOf(err)}
	}
	seen := drift.Compare(wanted, former, told)
	seen.Partial = len(unanswered) > 0
	if seen.Partial {
		seen.Ended = nil
	}
	return &seen
}

// rootsOf returns the first words of the keys of settings.
func rootsOf(all ...map[string]string) (roots []string) {
	for _, settings := range all {
		for key := range settings {
			roots = append(roots, drift.FirstKey(key))
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}

// askSettings asks the nodes that are ready, side by side. The result is by pod; unanswered are the pods of the others,
// and the error is what one of them said.
func (m *Brokers) askSettings(ctx context.Context, access ecp.Accessor, adapter ecp.Adapter, v derive.View,
	roots []string) (told map[string]ecp.BrokerSettings, unanswered []string, failed error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	told = map[string]ecp.BrokerSettings{}
	for _, n := range v.Ready {
		group.Go(func() {
			var s ecp.BrokerSettings
			err := m.through(ctx, access, adapter, v.Rec.ID, n.Name, v.NodeNames(),
				func(ctx context.Context, b ecp.Broker) (err error) {
					source, ok := b.(ecp.SettingsSource)
					if !ok {
						return ecp.NewError(ecp.CodeUnsupported, "",
							"EMQX "+strconv.Itoa(adapter.Major())+" cannot be asked for its settings")
					}
					s, err = source.Settings(ctx, roots)
					return err
				})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed, unanswered = err, append(unanswered, n.Pod)
				return
			}
			told[n.Pod] = s
		})
	}
	group.Wait()
	slices.Sort(unanswered)
	return told, unanswered, failed
}
