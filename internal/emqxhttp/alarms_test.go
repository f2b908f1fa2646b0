package emqxhttp

import (
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func at(second int) time.Time { return time.Unix(int64(second), 0).UTC() }

func TestGroupAlarms(t *testing.T) {
	raised := []NodeAlarm{
		{Node: "b", Name: "down", Message: "late", Since: at(20)},
		{Node: "a", Name: "down", Message: "early", Details: []byte(`{"x":1}`), Since: at(10)},
		{Node: "a", Name: "full", Since: at(30)},
		// Over: 1-3 and 2-6 meet; 5-8 meets the second; 9-9 stands alone.
		{Node: "b", Name: "down", Since: at(2), Until: at(6)},
		{Node: "a", Name: "down", Since: at(1), Until: at(3)},
		{Node: "a", Name: "down", Since: at(5), Until: at(8)},
		{Node: "c", Name: "down", Since: at(9), Until: at(9)},
		{Node: "c", Name: "full", Since: at(2), Until: at(6)},
	}
	before := slices.Clone(raised)
	require.Equal(t, []ecp.Alarm{
		{Name: "full", Nodes: []string{"a"}, Since: at(30)},
		{Name: "down", Message: "early", Details: []byte(`{"x":1}`), Nodes: []string{"a", "b"}, Since: at(10)},
		{Name: "down", Nodes: []string{"c"}, Since: at(9), Until: at(9)},
		{Name: "full", Nodes: []string{"c"}, Since: at(2), Until: at(6)},
		{Name: "down", Nodes: []string{"a", "b"}, Since: at(1), Until: at(8)},
	}, GroupAlarms(raised))
	require.Equal(t, before, raised, "the argument stays as it was")
	require.Empty(t, GroupAlarms(nil))
}

// TestGroupAlarmsLosesNone: each alarm that was raised is in exactly one group
// of its name, with its node and within its time; groups of one name do not
// meet, nobody else's node is in one, and the order is by age.
func TestGroupAlarmsLosesNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raised := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) NodeAlarm {
			a := NodeAlarm{
				Node:  rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "node"),
				Name:  rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name"),
				Since: at(rapid.IntRange(1, 30).Draw(t, "since")),
			}
			if rapid.Bool().Draw(t, "over") {
				a.Until = a.Since.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "lasted")) * time.Second)
			}
			return a
		}), 0, 20).Draw(t, "raised")
		groups := GroupAlarms(raised)
		for _, r := range raised {
			in := 0
			for _, g := range groups {
				if holds(g, r) {
					in++
				}
			}
			if in != 1 {
				t.Fatalf("%+v is in %d groups of %+v", r, in, groups)
			}
		}
		for i, g := range groups {
			if i > 0 && groups[i-1].Since.Before(g.Since) {
				t.Fatalf("%+v is not by age", groups)
			}
			if !slices.IsSorted(g.Nodes) || len(slices.Compact(slices.Clone(g.Nodes))) != len(g.Nodes) {
				t.Fatalf("%+v has its nodes twice or in no order", g)
			}
			for _, node := range g.Nodes {
				if !slices.ContainsFunc(raised, func(r NodeAlarm) bool { return r.Node == node && holds(g, r) }) {
					t.Fatalf("%+v has node %s, which raised nothing of it", g, node)
				}
			}
			for _, other := range groups[i+1:] {
				if g.Name == other.Name && g.Active() == other.Active() && (g.Active() || !g.Since.After(other.Until) &&
					!other.Since.After(g.Until)) {
					t.Fatalf("%+v and %+v are one", g, other)
				}
			}
		}
	})
}

func holds(g ecp.Alarm, r NodeAlarm) bool {
	return g.Name == r.Name && g.Active() == r.Until.IsZero() && slices.Contains(g.Nodes, r.Node) &&
		!r.Since.Before(g.Since) && (g.Active() || !r.Until.After(g.Until))
}
