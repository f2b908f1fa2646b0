package drift

import (
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// Diff is what a comparison of the settings in force with those that
// should be has found: keys, and never values.
type Diff struct {
	// Differ are keys that some node has another value for than asked for.
	Differ []Setting
	// Linger are keys that are not asked for any more and still have the value
	// that was; MayLinger those of which that may be EMQX' own.
	Linger, MayLinger []Setting
	// Ended are keys that are not asked for any more, and that no node has the
	// value of.
	Ended []string
	// NotComparable is why nothing can be compared; empty means it can.
	NotComparable string
	// Partial: some node did not answer.
	Partial bool
}

// Setting is a setting, and the nodes that it was seen on; none means on all.
type Setting struct {
	Key   string
	Nodes []string
}

func (s Setting) String() string {
	if len(s.Nodes) == 0 {
		return s.Key
	}
	return s.Key + " (on " + strings.Join(s.Nodes, ", ") + ")"
}

// Compare compares what nodes say of themselves, by their names, with what
// they should have (wanted) and with what is not asked for any more (former).
func Compare(wanted, former map[string]string, nodes map[string]ecp.BrokerSettings) Diff {
	var out Diff
	should := map[string]any{}
	Leaves(should, wanted)
	for _, key := range slices.Sorted(maps.Keys(should)) {
		on := nodesThat(nodes, func(name string) bool {
			same, known := sameSetting(should[key], valueAt(nodes[name].InForce, key))
			return known && !same
		})
		if on != nil {
			out.Differ = append(out.Differ, Setting{key, on})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(former)) {
		was := map[string]any{}
		Leaves(was, map[string]string{key: former[key]})
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
func (s *Diff) addFormer(key string, was, should map[string]any, nodes map[string]ecp.BrokerSettings) {
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
		s.Linger = append(s.Linger, Setting{key, on})
	case formerMaybe:
		s.MayLinger = append(s.MayLinger, Setting{key, on})
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

// FirstKey returns the first word of a key, e.g. mqtt.
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
