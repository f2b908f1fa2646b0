package derive

import (
	"maps"
	"slices"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func untold(r *ecp.ClusterRecord) {
	r.Spec.Hosted.Config = map[string]string{"mqtt.max_inflight": "64"}
	r.Status.RunTimeConfig = true
	r.Status.Untold = &ecp.UntoldSettings{Keys: []string{"mqtt.max_inflight"}}
}

// told is a change of a look to what EMQX has said of the settings of its nodes.
func told(t Telling) func(l *Snapshot) {
	return func(l *Snapshot) {
		v := NewView(l.At, aRecord(ecp.Updating), *l)
		t.Of = v.TellingOf()
		l.Telling = &t
	}
}

var tellingCases = []judgeCase{
	{name: "settings are not told yet", state: ecp.Updating, rec: untold, look: aLook(3, 3), want: ecp.Syncing},
	{name: "settings cannot be told", state: ecp.Syncing, rec: untold, look: aLook(3, 3),
		change: told(Telling{Why: "x"}), want: ecp.Syncing},
	{name: "settings are refused", state: ecp.Updating, rec: untold, look: aLook(3, 3),
		change: told(Telling{Refused: true, Why: "x"}), want: ecp.Abnormal, reason: ecp.ReasonSyncFailed},
	{name: "settings were refused by other nodes", state: ecp.Syncing, rec: untold, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Telling = &Telling{Refused: true, Why: "x", Of: "y"} }, want: ecp.Syncing},
	{name: "refused settings do not keep a cluster from starting", state: ecp.Starting, rec: untold, look: aLook(3, 3),
		change: told(Telling{Refused: true, Why: "x"}), want: ecp.Running},
	{name: "refused settings are not taken by waiting", state: ecp.Abnormal, look: aLook(3, 3),
		rec: func(r *ecp.ClusterRecord) { untold(r); reason(ecp.ReasonSyncFailed)(r) }, want: ecp.Abnormal},
}

// TestTellSettings: whatever is changed, one change after the other, nodes start with what EMQX has taken, until it has
// taken the rest; and what it is told is what makes the difference.
func TestTellSettings(t *testing.T) {
	keys := []string{"mqtt.max_inflight", "mqtt.idle_timeout", "sysmon.os", "exhook.servers", "rule_engine.a"}
	rapid.Check(t, func(t *rapid.T) {
		rec := aRecord(ecp.Running)
		rec.Status.RunTimeConfig = rapid.Bool().Draw(t, "at run time")
		taken := map[string]string{} // by EMQX, and what nodes start with
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			before := rec.Clone()
			rec.Spec.Hosted.Config = rapid.MapOf(rapid.SampledFrom(keys), rapid.SampledFrom([]string{"1", "2"})).
				Draw(t, "config")
			TellSettings(&rec, before)
			if rec.Status.Untold == nil {
				rolled := rolledSettings(before, rec)
				require.Equal(t, changedSettings(taken, rec.Spec.Hosted.Config), rolled, "nodes are replaced for all")
				taken = maps.Clone(rec.Spec.Hosted.Config)
			} else {
				require.True(t, rec.Status.RunTimeConfig)
				require.True(t, slices.ContainsFunc(rec.Status.Untold.Keys, setting.RunTime))
			}
			require.True(t, maps.Equal(taken, startsWith(rec)), "%v %v", taken, startsWith(rec))
			if rec.Status.Untold != nil && rapid.Bool().Draw(t, "EMQX takes it") {
				set, reset := SettingsToTell(rec)
				for _, key := range slices.Concat(slices.Collect(maps.Keys(set)), reset) {
					require.True(t, setting.RunTime(key))
				}
				rec.Status.Untold, taken = nil, maps.Clone(rec.Spec.Hosted.Config)
			}
		}
		d := Desired(rec)
		all := maps.Clone(d.RunTimeConfig)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, d.Spec.Config)
		require.True(t, maps.Equal(taken, all))
	})
}

func TestSettingNotes(t *testing.T) {
	for _, c := range []struct {
		name, version string
		atRunTime     bool
		config        map[string]string
		want          []string
	}{
		{"taken", "5.8.9", true, map[string]string{"mqtt.a": "1"}, []string{"EMQX takes these settings while it runs"}},
		{"rolled", "6.2.2", true, map[string]string{"exhook.a": "1"},
			[]string{"reads these settings only when it starts"}},
		{"both", "5.8.9", true, map[string]string{"mqtt.a": "1", "exhook.a": "1"},
			[]string{"EMQX takes these", "only when it starts, so that nodes are replaced for them: exhook.a"}},
		{"earlier build", "5.8.9", false, map[string]string{"mqtt.a": "1", "exhook.a": "1"},
			[]string{"replaced for: exhook.a, mqtt.a; an earlier build"}},
		{"4.4", "4.4.24", true, map[string]string{"mqtt.a": "1"}, []string{"EMQX 4.4 reads settings only"}},
		{"nothing", "5.8.9", true, nil, nil},
	} {
		before := aRecord(ecp.Running)
		before.Status.RunTimeConfig, before.Resolved.Image.Version = c.atRunTime, c.version
		after := before.Clone()
		after.Spec.Hosted.Config = c.config
		got := SettingNotes(before, after)
		require.Len(t, got, len(c.want), c.name)
		for i, want := range c.want {
			require.Contains(t, got[i], want, c.name)
		}
	}
}
