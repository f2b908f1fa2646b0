package drift

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// Settings are the settings that are compared with those that nodes run with, as EMQX gets them.
type Settings struct {
	Spec     map[string]string // of the spec
	Rendered map[string]string // what OpenECP writes by itself; the spec's have the last word
	Former   map[string]string // not asked for any more
}

// Wanted are all that are asked for.
func (c Settings) Wanted() map[string]string {
	out := maps.Clone(c.Rendered)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, c.Spec)
	return out
}

// Find returns by key what nodes, by their names, have in another way than asked for, with values.
func Find(c Settings, nodes map[string]ecp.BrokerSettings) []ecp.SettingDrift {
	wanted := map[string]any{}
	Leaves(wanted, c.Wanted())
	diff := Compare(c.Wanted(), c.Former, nodes)
	out := []ecp.SettingDrift{}
	known := map[string]bool{}
	for _, d := range diff.Differ {
		out = append(out, c.drift(d.Key, ecp.DriftDiffers, wanted[d.Key], d.Nodes, nodes))
	}
	for kind, list := range map[ecp.DriftKind][]Setting{
		ecp.DriftLingers: diff.Linger, ecp.DriftMayLinger: diff.MayLinger,
	} {
		for _, d := range list {
			was := map[string]any{}
			Leaves(was, map[string]string{d.Key: c.Former[d.Key]})
			for leaf, value := range was {
				on := nodesThat(nodes, func(name string) bool {
					return formerOn(nodes[name], leaf, value) >= formerMaybe
				})
				if _, asked := wanted[leaf]; on != nil && !asked {
					known[leaf] = true
					out = append(out, c.drift(leaf, kind, nil, on, nodes))
				}
			}
		}
	}
	for _, key := range unaskedKeys(nodes) {
		on := nodesThat(nodes, func(name string) bool {
			same, tells := sameSetting(nodes[name].Defaults[key], valueAt(nodes[name].InForce, key))
			return tells && !same
		})
		if on != nil && !known[key] && !asksFor(wanted, key) {
			out = append(out, c.drift(key, ecp.DriftUnasked, nil, on, nodes))
		}
	}
	slices.SortFunc(out, func(a, b ecp.SettingDrift) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// unaskedKeys are the settings that EMQX takes while it runs and whose own value is known.
func unaskedKeys(nodes map[string]ecp.BrokerSettings) []string {
	keys := map[string]bool{}
	for _, n := range nodes {
		for key := range n.Defaults {
			if setting.RunTime(key) {
				keys[key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// asksFor reports whether settings, by their whole keys, have one, or a part of it.
func asksFor(wanted map[string]any, key string) bool {
	for leaf := range wanted {
		if leaf == key || strings.HasPrefix(leaf, key+".") || strings.HasPrefix(key, leaf+".") {
			return true
		}
	}
	return false
}

// drift describes one setting. on are the nodes that differ; none of several means all.
func (c Settings) drift(key string, kind ecp.DriftKind, want any, on []string,
	nodes map[string]ecp.BrokerSettings) ecp.SettingDrift {
	d := ecp.SettingDrift{Key: key, Kind: kind, Nodes: []ecp.SettingOnNode{}}
	if kind == ecp.DriftDiffers {
		d.Source, d.Wanted = c.sourceOf(key), shownSetting(key, want)
		d.Secret = d.Wanted == nil
	}
	var differing []any
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		n := ecp.SettingOnNode{Node: name, Differs: len(on) == 0 || slices.Contains(on, name)}
		if have := valueAt(nodes[name].InForce, key); have != nil {
			n.Value = shownSetting(key, have)
			d.Secret = d.Secret || n.Value == nil
			if n.Differs {
				differing = append(differing, have)
			}
		}
		d.Nodes = append(d.Nodes, n)
	}
	if d.Secret {
		d.Wanted = nil
		for i := range d.Nodes {
			d.Nodes[i].Value = nil
		}
	}
	d.NoPutBack, d.NoTakeOver = noPutBack(d), noTakeOver(d, differing)
	return d
}

// sourceOf returns what asks for a setting: the longest key of the spec that it is part of, or OpenECP.
func (c Settings) sourceOf(key string) string {
	source := ""
	for own := range c.Spec {
		if (own == key || strings.HasPrefix(key, own+".")) && len(own) > len(source) {
			source = own
		}
	}
	return cmp.Or(source, ecp.SourceOpenECP)
}

// shownSetting is the value of a setting as a text, as it can stand in a spec; nil where it may be a secret. Of what
// has objects in it nobody knows all the names.
func shownSetting(key string, value any) *string {
	text := settingOf(value)
	if hasObjects(value) || text == maskedValue || !setting.Harmless(key, text) {
		return nil
	}
	return &text
}

func hasObjects(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return true
	case []any:
		return slices.ContainsFunc(v, hasObjects)
	}
	return false
}

// settingOf writes a value as it stands in a spec.
func settingOf(value any) string {
	text, is := value.(string)
	if is && settingTree(text) == any(text) {
		return text
	}
	if b, err := json.Marshal(value); err == nil {
		return string(b)
	}
	return settingText(value)
}

// ownLimit are the settings that OpenECP sets by itself while EMQX runs.
var ownLimit = regexp.MustCompile(`^listeners\.[^.]+\.[^.]+\.max_connections$`)

const restartEndsIt = ": a restart of the cluster replaces the nodes one after the other, and they start with the " +
	"value that is asked for"

func noPutBack(d ecp.SettingDrift) string {
	switch {
	case setting.RunTime(d.Key) && (d.Kind != ecp.DriftDiffers || setting.RunTime(d.Source)):
		return ""
	case d.Kind != ecp.DriftDiffers:
		return "EMQX is not told it while it runs, and keeps it in its cluster.hocon over a restart: put the wanted " +
			"value into spec.config, or change it in the dashboard"
	case setting.RunTime(d.Key):
		return "it is part of " + d.Source + " in spec.config, which nodes get as a whole when they start" +
			restartEndsIt
	}
	return "EMQX is not told it while it runs" + restartEndsIt
}

func noTakeOver(d ecp.SettingDrift, values []any) string {
	switch {
	case ownLimit.MatchString(d.Key):
		return "OpenECP sets it from spec.connections"
	case d.Source == ecp.SourceOpenECP:
		return "OpenECP writes it by itself, from spec.network and spec.connections; it is no setting of spec.config"
	case d.Secret:
		return "it may be a secret, which is not read back from EMQX: put the wanted value into spec.config"
	case len(values) == 0:
		return "no node tells its value"
	}
	for _, other := range values[1:] {
		if same, known := sameSetting(values[0], other); !same || !known {
			return "the nodes have different values of it: put it back, or put the wanted value into spec.config"
		}
	}
	return ""
}

// Ending is what ends a drift, and what is to be said of it.
type Ending struct {
	Patch    json.RawMessage // of the spec; nil where nothing is taken over
	Tell     []string        // settings that EMQX is told again, or gets its own value of
	Notes    []string
	Revision int64 // of the cluster that it goes for
}

// End returns what a command does about a drift. A key that is asked for and for which it cannot be done is an
// error; of all, those are left out, unless nothing remains.
func End(drift ecp.SettingsDrift, cmd ecp.EndDrift) (out Ending, err error) {
	why := func(d ecp.SettingDrift) string { return d.NoPutBack }
	if cmd.TakeOver {
		why = func(d ecp.SettingDrift) string { return d.NoTakeOver }
	}
	if cmd.TakeOver && len(drift.Unanswered) > 0 {
		return out, ecp.NewError(ecp.CodeUnavailable, "", "what these nodes have is not known, they did not answer: "+
			strings.Join(drift.Unanswered, ", ")+"; ask again when they do")
	}
	take, tell, asked := map[string]string{}, map[string]bool{}, map[string]bool{}
	var left []ecp.FieldError
	for _, d := range drift.Settings {
		at := namedBy(cmd.Keys, d, asked)
		if at < 0 && len(cmd.Keys) > 0 {
			continue
		}
		if no := why(d); no != "" {
			f := ecp.FieldError{Field: "keys", Message: d.Key + ": " + no}
			if at >= 0 {
				f.Field = fmt.Sprintf("keys[%d]", at)
			}
			left = append(left, f)
			continue
		}
		if cmd.TakeOver {
			take[d.Key] = valueToTake(d)
		} else if d.Kind == ecp.DriftDiffers {
			tell[d.Source] = true
		} else {
			tell[d.Key] = true
		}
	}
	if len(left) > 0 && (len(cmd.Keys) > 0 || len(take)+len(tell) == 0) {
		return out, &ecp.Error{Code: ecp.CodeUnsupported, Message: "not every setting can be " +
			map[bool]string{true: "taken over", false: "put back"}[cmd.TakeOver], Fields: left}
	}
	for _, f := range left {
		out.Notes = append(out.Notes, "stays as it is: "+f.Message)
	}
	for _, key := range cmd.Keys {
		if !asked[key] {
			out.Notes = append(out.Notes, fmt.Sprintf("%.100s does not differ", key))
		}
	}
	if len(drift.Unanswered) > 0 {
		out.Notes = append(out.Notes, "what these nodes have is not known, they did not answer: "+
			strings.Join(drift.Unanswered, ", "))
	}
	out.Tell = slices.Sorted(maps.Keys(tell))
	if len(take) > 0 {
		out.Patch, err = json.Marshal(map[string]any{"config": take})
	}
	return out, err
}

// namedBy returns the place of the first of keys that is a setting, or the one of the spec that it is part of, and
// notes which are; below 0 means that none is.
func namedBy(keys []string, d ecp.SettingDrift, asked map[string]bool) int {
	at := -1
	for i, key := range keys {
		if key == d.Key || key == d.Source {
			asked[key] = true
			if at < 0 {
				at = i
			}
		}
	}
	return at
}

// valueToTake is the value that the nodes have that differ: it is the same on all.
func valueToTake(d ecp.SettingDrift) string {
	for _, n := range d.Nodes {
		if n.Differs && n.Value != nil {
			return *n.Value
		}
	}
	return ""
}
