package derive

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// SettingsDiff is what a comparison of the settings in force with those that
// should be has found: keys, and never values.
type SettingsDiff struct {
	// Differ are keys that some node has another value for than asked for.
	Differ []SettingDiff
	// Linger are keys that are not asked for any more and still have the value
	// that was; MayLinger those of which that may be EMQX' own.
	Linger, MayLinger []SettingDiff
	// Ended are keys that are not asked for any more, and that no node has the
	// value of.
	Ended []string
	// NotComparable is why nothing can be compared; empty means it can.
	NotComparable string
	// Partial: some node did not answer.
	Partial bool
}

// SettingDiff is a setting, and the nodes that it was seen on; none means on all.
type SettingDiff struct {
	Key   string
	Nodes []string
}

func (s SettingDiff) String() string {
	if len(s.Nodes) == 0 {
		return s.Key
	}
	return s.Key + " (on " + strings.Join(s.Nodes, ", ") + ")"
}

// CompareSettings compares what nodes say of themselves, by their names, with what
// they should have (wanted) and with what is not asked for any more (former).
func CompareSettings(wanted, former map[string]string, nodes map[string]ecp.BrokerSettings) SettingsDiff {
	var out SettingsDiff
	should := map[string]any{}
	settingLeaves(should, wanted)
	for _, key := range slices.Sorted(maps.Keys(should)) {
		on := nodesThat(nodes, func(name string) bool {
			same, known := sameSetting(should[key], valueAt(nodes[name].InForce, key))
			return known && !same
		})
		if on != nil {
			out.Differ = append(out.Differ, SettingDiff{key, on})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(former)) {
		was := map[string]any{}
		settingLeaves(was, map[string]string{key: former[key]})
		out.addFormer(key, was, should, nodes)
	}
	return out
}

// formerState is what a node has of a setting that is not asked for any more.
type formerState int

// From what is best to what is worst.
const (
	formerEnded  formerState = iota // nothing, or EMQX' own value
	formerUntold                    // it does not tell
	formerMaybe                     // the value that was asked for, which may be EMQX' own
	formerLives                     // that value, and EMQX' own is another
)

// formerOn returns what a node has of one leaf of such a setting.
func formerOn(n ecp.BrokerSettings, leaf string, was any) formerState {
	if _, ok := n.InForce[FirstKey(leaf)]; !ok {
		return formerUntold
	}
	have := valueAt(n.InForce, leaf)
	same, known := sameSetting(was, have)
	own, hasOwn := n.Defaults[leaf]
	switch {
	case have == nil, known && !same, hasOwn && sameText(settingText(was), own):
		return formerEnded
	case !known:
		return formerUntold
	case hasOwn:
		return formerLives
	}
	return formerMaybe
}

// addFormer records what has become of one setting that is not asked for any more.
func (s *SettingsDiff) addFormer(key string, was, should map[string]any, nodes map[string]ecp.BrokerSettings) {
	states, worst := map[string]formerState{}, formerEnded
	for name, n := range nodes {
		for leaf, value := range was {
			if _, wanted := should[leaf]; !wanted {
				states[name] = max(states[name], formerOn(n, leaf, value))
			}
		}
		worst = max(worst, states[name])
	}
	on := nodesThat(nodes, func(name string) bool { return states[name] >= formerMaybe })
	switch worst {
	case formerLives:
		s.Linger = append(s.Linger, SettingDiff{key, on})
	case formerMaybe:
		s.MayLinger = append(s.MayLinger, SettingDiff{key, on})
	case formerEnded:
		s.Ended = append(s.Ended, key)
	case formerUntold:
	}
}

// nodesThat names nodes: nil means none, empty = all.
func nodesThat(nodes map[string]ecp.BrokerSettings, is func(name string) bool) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		if is(name) {
			out = append(out, name)
		}
	}
	if len(out) == len(nodes) && len(out) > 0 {
		return []string{}
	}
	return out
}

func FirstKey(key string) string {
	word, _, _ := strings.Cut(key, ".")
	return word
}

// valueAt returns what is at a key of a tree; nil means nothing.
func valueAt(tree map[string]any, key string) any {
	var at any = tree
	for word := range strings.SplitSeq(key, ".") {
		object, is := at.(map[string]any)
		if !is {
			return nil
		}
		at = object[word]
	}
	return at
}

// mostKeysSaid is how many keys a message names.
const mostKeysSaid = 10

func settingNames(list []SettingDiff) string {
	var words []string
	for i, s := range list {
		if i == mostKeysSaid {
			words = append(words, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		words = append(words, s.String())
	}
	return strings.Join(words, ", ")
}

// What to do about each kind.
const (
	differHelp = "EMQX has another value than asked for: %s; it was changed on the broker, and a node that starts " +
		"anew takes the one that is asked for: put the wanted one into spec.config, or restart the cluster"
	lingerHelp = "EMQX still has the value that is not asked for any more: %s; it keeps it in its cluster.hocon, " +
		"where one change in its dashboard or API puts all settings beside the changed one: put the wanted value " +
		"into spec.config, or change it in the dashboard"
	maybeHelp = "EMQX has the value that is not asked for any more: %s; it may be EMQX' own, or one that it keeps in " +
		"its cluster.hocon: put the wanted value into spec.config to be sure"
)

func settingsSay(help string, list []SettingDiff) string {
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf(help, settingNames(list))
}

// configured reports whether EMQX runs with the settings that are asked for.
func configured(v View, _ int) verdict {
	seen, limits := v.Snapshot.Settings, v.Snapshot.Limits
	switch {
	case v.Want > 0 && v.settling() == "" && !v.Limited() && limits != nil && limits.Refused:
		return verdict{Status: ecp.False, Reason: ecp.ReasonLimitDiffers, Message: limits.Why}
	case v.Want > 0 && v.settling() == "" && v.refusedSettings() != "":
		return verdict{Status: ecp.False, Reason: ecp.ReasonSettingsDiffer, Message: v.refusedSettings()}
	case seen == nil && len(v.Rec.Spec.Hosted.Config) == 0 && len(v.Rec.Status.FormerSettings) == 0:
		return yes
	case v.Want == 0:
		return notAsked
	case v.settling() != "":
		return verdict{Status: ecp.Unknown, Reason: ecp.ReasonInProgress}
	case seen == nil:
		return unchanged
	case seen.NotComparable != "":
		return verdict{Status: ecp.Unknown, Reason: ecp.ReasonNotAsked, Message: seen.NotComparable}
	}
	differ, linger := settingsSay(differHelp, seen.Differ), settingsSay(lingerHelp, seen.Linger)
	switch {
	case differ != "":
		return verdict{Status: ecp.False, Reason: ecp.ReasonSettingsDiffer, Message: joinCauses(differ, linger)}
	case linger != "":
		return verdict{Status: ecp.False, Reason: ecp.ReasonSettingsLinger, Message: linger}
	case seen.Partial:
		return unchanged
	case len(seen.MayLinger) > 0:
		return verdict{Status: ecp.Unknown, Reason: ecp.ReasonSettingsLinger,
			Message: settingsSay(maybeHelp, seen.MayLinger)}
	}
	return yes
}

// What a record once asked for and does not any more may live on in EMQX, which
// fills in from what it keeps itself. Such settings are remembered until no node
// has their value.

// RememberFormer remembers the settings that are in the older spec and not in the
// newer one, with their values as they are stored: sealed where they may be
// secrets. They take no more room than settings may.
func RememberFormer(st *ecp.Status, older, newer map[string]string) {
	out := map[string]string{}
	room := setting.MaxTotal
	keep := func(settings map[string]string) {
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			size := len(key) + len(settings[key])
			_, asked := newer[key]
			_, kept := out[key]
			if asked || kept || size > room {
				continue
			}
			out[key], room = settings[key], room-size
		}
	}
	keep(older)
	keep(st.FormerSettings)
	if len(out) == 0 {
		out = nil
	}
	st.FormerSettings = out
}

// forgetFormer forgets those that no node has the value of any more.
func forgetFormer(st *ecp.Status, seen *SettingsDiff) {
	if seen == nil || len(seen.Ended) == 0 {
		return
	}
	kept := map[string]string{}
	for key, value := range st.FormerSettings {
		if !slices.Contains(seen.Ended, key) {
			kept[key] = value
		}
	}
	if len(kept) == 0 {
		kept = nil
	}
	st.FormerSettings = kept
}
