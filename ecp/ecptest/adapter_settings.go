package ecptest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
)

// testSettings changes settings through one node, and reads them of two: every node has them,
// or none.
func testSettings(t *testing.T, s AdapterSuite) {
	if s.Settings == nil || s.Settings.OpenOther == nil || s.lacks("ChangeSettings") || s.Recorded {
		return
	}
	want := s.Settings
	one, two := want.OpenOther(t)
	b, ok := asChanger.of(subject{s, one, open(t, s, one)})
	other, _ := asChanger.of(subject{s, two, open(t, s, two)})
	if !ok {
		return
	}
	changed := func(when string, value func(key string) string) {
		t.Helper()
		for _, node := range []ecp.SettingsChanger{b, other} {
			got, err := node.Settings(t.Context(), s.words())
			must(t, "Settings "+when, err)
			for key := range want.Change {
				if is := fmt.Sprint(at(got.InForce, key)); is != value(key) {
					t.Errorf("%s the setting %s is %s, want %s", when, key, is, value(key))
				}
			}
		}
	}
	own := func(key string) string { return fmt.Sprint(at(want.InForce, key)) }
	changed("before", own)
	must(t, "ChangeSettings of nothing", b.ChangeSettings(t.Context(), nil, nil))
	for _, when := range []string{"after they were changed", "after they were changed again"} {
		must(t, "ChangeSettings", b.ChangeSettings(t.Context(), want.Change, nil))
		changed(when, func(key string) string { return want.Change[key] })
	}
	reset := slices.Sorted(maps.Keys(want.Change))
	must(t, "ChangeSettings to the broker's own", b.ChangeSettings(t.Context(), nil, reset))
	changed("after they were given their own values", own)
	for key, value := range want.Refused {
		all := maps.Clone(want.Change)
		all[key] = value
		checkCode(t, b.ChangeSettings(t.Context(), all, nil), nil, ecp.CodeInvalid)
		changed("after "+key+" was refused", own)
	}
}

// at is what is at a key of a tree.
func at(tree map[string]any, key string) any {
	first, rest, more := strings.Cut(key, ".")
	inner, is := tree[first].(map[string]any)
	if !more || !is {
		return tree[first]
	}
	return at(inner, rest)
}
