package brokers

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// TellSettings lets EMQX take the settings of the spec that it has not taken yet, before anything of them is
// written for nodes that start. It returns the record as it is then. One node is asked: it checks all
// of them, and either refuses them or lets all members make the change; see emqxv5's ChangeSettings for where that is
// known from.
func (m *Brokers) TellSettings(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory,
	snap *derive.Snapshot, outcome *derive.Outcome) ecp.ClusterRecord {
	v := derive.NewView(snap.At, rec, *snap)
	if v.Told() {
		snap.Telling = nil
		return rec
	}
	if ctx.Err() != nil || snap.Unseen != "" || snap.NotHeld != "" || rec.Deleting || len(v.Ready) == 0 ||
		derive.WritesHeld(rec, snap.Found) || severalVersions(mem.Snapshot.Views) {
		return rec
	}
	now := derive.Telling{Of: v.TellingOf()}
	if was := snap.Telling; was != nil && was.Of == now.Of {
		every := m.observed.Timings.Poll
		if was.Refused {
			every = limitsEvery
		}
		if snap.Tick.Sub(mem.ToldAt) < every {
			return rec
		}
	}
	err := m.tell(ctx, p, v)
	if ctx.Err() != nil {
		return rec
	}
	mem.ToldAt = snap.Tick
	if err != nil {
		now.Refused, now.Why = observed.IsFinal(err), "EMQX does not take its settings: "+observed.ReasonOf(err)
		if was := snap.Telling; was == nil || *was != now {
			m.observed.Log.WarnContext(ctx, "settings not taken", "cluster", rec.ID, "why", now.Why)
		}
		snap.Telling = &now
		return rec
	}
	m.observed.Log.InfoContext(ctx, "settings taken", "cluster", rec.ID,
		"keys", strings.Join(rec.Status.Untold.Keys, " "))
	snap.Telling, snap.Settings, mem.Settings, outcome.Told = nil, nil, observed.SettingsCheck{}, true
	rec = rec.Clone()
	rec.Status.Untold, rec.Status.Applied = nil, 0
	return rec
}

// severalVersions reports whether members run different versions: EMQX asks for no change of settings meanwhile.
func severalVersions(views map[string][]derive.Member) bool {
	seen := map[string]bool{}
	for _, members := range views {
		for _, member := range members {
			seen[member.Version] = true
		}
	}
	delete(seen, "")
	return len(seen) > 1
}

func (m *Brokers) tell(ctx context.Context, p ecp.Provisioner, v derive.View) error {
	set, reset := derive.SettingsToTell(v.Rec)
	set, err := m.observed.OpenSettings(v.Rec.ID, set)
	if err != nil {
		return err
	}
	err = m.ThroughOther(ctx, p, v, "", func(ctx context.Context, b ecp.Broker) error {
		c, ok := b.(ecp.SettingsChanger)
		if !ok {
			return ecp.NewError(ecp.CodeUnsupported, "", "EMQX "+strconv.Itoa(
				m.observed.AdapterFor(v.Rec.Resolved.Image.Version).Major())+" takes no settings while it runs")
		}
		return c.ChangeSettings(ctx, set, reset)
	})
	return withoutValues(err, set)
}

// withoutValues hides the values of settings that may be secrets in what EMQX says of them, which may have been cut
// short in the middle of one.
func withoutValues(err error, set map[string]string) error {
	var e *ecp.Error
	if !errors.As(err, &e) {
		return err
	}
	says := e.Message
	for key, value := range set {
		if setting.Harmless(key, value) || value == "" {
			continue
		}
		says = strings.ReplaceAll(says, value, setting.Redacted)
		for n := len(value) - 1; n > 0; n-- {
			says = strings.ReplaceAll(says, value[:n]+"…", setting.Redacted+"…")
		}
	}
	if says == e.Message {
		return err
	}
	return &ecp.Error{Code: e.Code, Op: e.Op, Message: says, Fields: slices.Clone(e.Fields)}
}
