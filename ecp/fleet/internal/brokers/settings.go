package brokers

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
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
	wanted, former, err := m.comparedSettings(p, rec)
	switch {
	case err != nil:
		snap.Settings = &derive.SettingsDiff{NotComparable: ecp.MessageOf(err)}
	case len(wanted)+len(former) > 0:
		snap.Settings = m.settingsOf(ctx, access, adapter, v, wanted, former)
	}
	if ctx.Err() == nil && (snap.Settings == nil || !snap.Settings.Partial) {
		mem.Settings = now
	}
}

// comparedSettings returns the settings that nodes should have, and those that
// are not asked for any more, as EMQX gets them.
func (m *Brokers) comparedSettings(p ecp.Provisioner,
	rec ecp.ClusterRecord) (wanted, former map[string]string, err error) {
	own, err := m.observed.OpenSettings(rec.ID, rec.Spec.Hosted.Config)
	if err != nil {
		return nil, nil, err
	}
	if former, err = m.observed.OpenSettings(rec.ID, rec.Status.FormerSettings); err != nil {
		return nil, nil, err
	}
	wanted = map[string]string{}
	if c, ok := p.(ecp.Configurer); ok {
		maps.Copy(wanted, c.Configured(derive.Desired(rec)))
	}
	maps.Copy(wanted, own) // the last word is the spec's
	return wanted, former, nil
}

// settingsOf asks the nodes, side by side.
func (m *Brokers) settingsOf(ctx context.Context, access ecp.Accessor, adapter ecp.Adapter, v derive.View, wanted,
	former map[string]string) *derive.SettingsDiff {
	var roots []string
	for _, settings := range []map[string]string{wanted, former} {
		for key := range settings {
			roots = append(roots, derive.FirstKey(key))
		}
	}
	slices.Sort(roots)
	roots = slices.Compact(roots)
	var (
		group    sync.WaitGroup
		mu       sync.Mutex
		told     = map[string]ecp.BrokerSettings{}
		untold   error
		untoldBy int
	)
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
				untold, untoldBy = err, untoldBy+1
				return
			}
			told[n.Pod] = s
		})
	}
	group.Wait()
	if len(told) == 0 && observed.IsFinal(untold) {
		return &derive.SettingsDiff{NotComparable: ecp.MessageOf(untold)}
	}
	seen := derive.CompareSettings(wanted, former, told)
	seen.Partial = untoldBy > 0
	if seen.Partial {
		seen.Ended = nil
	}
	return &seen
}
