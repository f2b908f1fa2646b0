package derive

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// Settings that EMQX takes while it runs are told to it, and only what it has taken is written where nodes find it when
// they start. Until then they start with what was there before: a value that EMQX refuses reaches no node.

// SettingsAtRunTime reports whether nodes of a cluster can be given other settings while they run.
func SettingsAtRunTime(rec ecp.ClusterRecord) bool {
	return rec.Status.RunTimeConfig && LimitsAtRunTime(rec.Resolved.Image.Version)
}

// SetRender notes in which way a cluster's objects are rendered from now on.
func SetRender(rec *ecp.ClusterRecord, p ecp.Provisioner, version int) {
	c, ok := p.(ecp.RunTimeConfigurer)
	_, reach := p.(ecp.Accessor)
	rec.Status.RenderVersion, rec.Status.RunTimeConfig = version, ok && reach && c.RunTimeConfig(version)
}

// startsWith returns the settings that nodes are to start with: those of the spec, but for what EMQX has not taken yet.
func startsWith(rec ecp.ClusterRecord) map[string]string {
	u := rec.Status.Untold
	if u == nil {
		return rec.Spec.Hosted.Config
	}
	out := maps.Clone(rec.Spec.Hosted.Config)
	for _, key := range u.Keys {
		delete(out, key)
	}
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, u.Was)
	return out
}

// splitSettings puts those that are no part of what pods are made from apart.
func splitSettings(rec ecp.ClusterRecord, d *ecp.Desired) {
	d.Spec.Config = maps.Clone(startsWith(rec))
	if !SettingsAtRunTime(rec) {
		return
	}
	d.RunTimeConfig = map[string]string{}
	for key, value := range d.Spec.Config {
		if setting.RunTime(key) {
			d.RunTimeConfig[key] = value
			delete(d.Spec.Config, key)
		}
	}
	if len(d.Spec.Config) == 0 {
		d.Spec.Config = nil
	}
}

// changedSettings returns the keys in which two sets of settings differ, in order.
func changedSettings(a, b map[string]string) (keys []string) {
	for _, one := range []map[string]string{a, b} {
		for key := range one {
			x, had := a[key]
			if y, has := b[key]; had != has || x != y {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// rolledSettings returns the keys of changed settings for which nodes are replaced.
func rolledSettings(before, after ecp.ClusterRecord) []string {
	keys := changedSettings(startsWith(before), after.Spec.Hosted.Config)
	if !SettingsAtRunTime(before) {
		return keys
	}
	return slices.DeleteFunc(keys, setting.RunTime)
}

// TellSettings notes which settings EMQX is to be told after a change: those that differ from what nodes start with,
// and those of an earlier change that it has not taken. Where it refuses one, the others of the change wait with it.
func TellSettings(rec *ecp.ClusterRecord, before ecp.ClusterRecord) {
	was := startsWith(before)
	keys := changedSettings(was, rec.Spec.Hosted.Config)
	switch {
	case WantedNodes(before) == 0 && len(changedSettings(before.Spec.Hosted.Config, rec.Spec.Hosted.Config)) == 0:
		return
	case WantedNodes(before) == 0 || !SettingsAtRunTime(before):
		rec.Status.Untold = nil
		return
	}
	if before.Status.Untold != nil {
		keys = append(keys, before.Status.Untold.Keys...)
	}
	setUntold(rec, was, keys)
}

func setUntold(rec *ecp.ClusterRecord, was map[string]string, keys []string) {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	rec.Status.Untold = nil
	if !slices.ContainsFunc(keys, setting.RunTime) {
		return
	}
	u := &ecp.UntoldSettings{Keys: keys, Was: map[string]string{}}
	for _, key := range keys {
		if value, had := was[key]; had {
			u.Was[key] = value
		}
	}
	rec.Status.Untold = u
}

// TellAgain notes settings that EMQX is to be told again, although the spec has not changed.
func TellAgain(rec *ecp.ClusterRecord, keys []string) {
	was := startsWith(*rec)
	if rec.Status.Untold != nil {
		keys = append(keys, rec.Status.Untold.Keys...)
	}
	setUntold(rec, was, slices.Clone(keys))
}

// Telling is what has come of telling EMQX settings.
type Telling struct {
	Of      string // which nodes were asked, for which change
	Refused bool   // EMQX does not take them, and would not the next time
	Why     string
}

// TellingOf identifies a change and the nodes that are ready.
func (v View) TellingOf() string {
	parts := []string{fmt.Sprint(v.Rec.Revision)}
	for _, n := range v.Ready {
		parts = append(parts, n.Pod+"/"+n.PodUID)
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, " ")
}

// SettingsToTell returns the settings of the spec that EMQX is to be told now, as they are stored, and the keys of
// those that are to get EMQX's own value.
func SettingsToTell(rec ecp.ClusterRecord) (set map[string]string, reset []string) {
	set = map[string]string{}
	for _, key := range rec.Status.Untold.Keys {
		value, is := rec.Spec.Hosted.Config[key]
		switch {
		case !setting.RunTime(key):
		case is:
			set[key] = value
		default:
			reset = append(reset, key)
		}
	}
	return set, reset
}

// Told reports whether EMQX has taken the settings of the spec, as far as it has to be told.
func (v View) Told() bool { return v.Want == 0 || v.Rec.Status.Untold == nil }

// changingState reports whether a change is under way.
func (v View) changingState() bool {
	return v.Rec.Status.State == ecp.Updating || v.Rec.Status.State == ecp.Syncing
}

// tellingAwaited reports whether the cluster counts as running only once EMQX has taken its settings. A start does not
// wait: its nodes have those that EMQX took last.
func (v View) tellingAwaited() bool {
	return !v.Told() && (v.changingState() || taskFailures[v.Rec.Status.Reason])
}

// tellingRefused reports whether EMQX has refused the settings, and nothing else is left to do.
func (v View) tellingRefused() bool {
	return !v.Told() && v.changingState() && v.Agreed() && v.refusedSettings() != ""
}

// refusedSettings returns why EMQX does not take the settings of the spec; empty if it has not said that.
func (v View) refusedSettings() string {
	if t := v.Snapshot.Telling; !v.Told() && t != nil && t.Refused && t.Of == v.TellingOf() {
		return t.Why
	}
	return ""
}

func settingsRefusedByEMQX(v View) (ecp.State, ecp.Reason, string) {
	return v.failedAtEMQX(v.refusedSettings() + "; no setting of the change has reached a node: change " +
		"spec.config, or take the setting out")
}

// waitsForSettings returns why EMQX has not taken the settings of the spec yet.
func (v View) waitsForSettings() string {
	if t := v.Snapshot.Telling; t != nil && t.Why != "" {
		return t.Why
	}
	return "EMQX is told its settings"
}

// SettingNotes say in a plan which settings are put into force while EMQX runs, and for which nodes are replaced.
func SettingNotes(before, after ecp.ClusterRecord) (out []string) {
	if before.Spec.Hosted == nil || WantedNodes(before) == 0 || WantedNodes(after) == 0 {
		return nil
	}
	changed, rolled := changedSettings(startsWith(before), after.Spec.Hosted.Config), rolledSettings(before, after)
	told := slices.DeleteFunc(slices.Clone(changed), func(key string) bool { return slices.Contains(rolled, key) })
	if len(told) > 0 {
		out = append(out, "EMQX takes these settings while it runs, on all nodes at once, or refuses them and nothing "+
			"changes: "+keysSaid(told))
	}
	later := slices.DeleteFunc(slices.Clone(rolled), func(key string) bool { return !setting.RunTime(key) })
	switch {
	case len(rolled) == 0:
	case !LimitsAtRunTime(after.Resolved.Image.Version):
		out = append(out, "EMQX 4.4 reads settings only when it starts, so that nodes are replaced for: "+
			keysSaid(rolled))
	case len(later) > 0:
		out = append(out, "nodes are replaced for: "+keysSaid(rolled)+"; an earlier build has made them so that they "+
			"find no settings beside those that they were made with, and later changes of these need no other nodes: "+
			keysSaid(later))
	default:
		out = append(out, "EMQX reads these settings only when it starts, so that nodes are replaced for them: "+
			keysSaid(rolled))
	}
	return out
}

// TellAgainNotes say in a plan what EMQX is told.
func TellAgainNotes(rec ecp.ClusterRecord, keys []string) (out []string) {
	var set, reset []string
	for _, key := range keys {
		if _, is := rec.Spec.Hosted.Config[key]; is {
			set = append(set, key)
		} else {
			reset = append(reset, key)
		}
	}
	if len(set) > 0 {
		out = append(out, "EMQX is told these settings of the spec again, on all nodes at once and while it runs: "+
			keysSaid(set))
	}
	if len(reset) > 0 {
		out = append(out, "EMQX gets its own values of these settings, which the spec does not have: "+keysSaid(reset))
	}
	return out
}

// keysSaid names keys in a message.
func keysSaid(keys []string) string {
	if len(keys) > mostKeysSaid {
		return strings.Join(keys[:mostKeysSaid], ", ") + fmt.Sprintf(", and %d more", len(keys)-mostKeysSaid)
	}
	return strings.Join(keys, ", ")
}
