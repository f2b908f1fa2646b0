package derive

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestWhoIsRestartedToJoin: all but the largest side, of two equal ones but the older; the
// smallest side first, and none where a node cannot be placed.
func TestWhoIsRestartedToJoin(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		views   map[string]string // whom each asked node counts, by single letters
		ages    string            // of the nodes a, b, c …: a digit each, - = not ready, ! = will not start
		restart []string
		not     string
	}{
		"no partition":       {views: map[string]string{"a": "abc"}, ages: "333"},
		"one against two":    {views: map[string]string{"a": "ab", "c": "c"}, ages: "339", restart: []string{"c"}},
		"first against two":  {views: map[string]string{"a": "a", "b": "bc"}, ages: "933", restart: []string{"a"}},
		"equal: the younger": {views: map[string]string{"a": "a", "b": "b"}, ages: "19", restart: []string{"a"}},
		"youngest node first": {
			views: map[string]string{"a": "abc", "d": "de"}, ages: "99912", restart: []string{"d", "e"},
		},
		"three sides": {
			views: map[string]string{"a": "ab", "c": "c", "d": "d"}, ages: "9938", restart: []string{"c", "d"},
		},
		"one does not answer":  {views: map[string]string{"a": "a", "b": "b"}, ages: "999", not: "c does not answer"},
		"one is not ready":     {views: map[string]string{"a": "ab", "c": "c"}, ages: "999-", not: "cannot be seen"},
		"one does not start":   {views: map[string]string{"a": "ab", "c": "c"}, ages: "999!", restart: []string{"c"}},
		"one is on both sides": {views: map[string]string{"a": "ab", "c": "bc"}, ages: "999", not: "contradict"},
	} {
		rec := ecp.ClusterRecord{Mode: ecp.Hosted, Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: len(c.ages)}}}
		snap := Snapshot{At: now, Views: map[string][]Member{}}
		for i, age := range c.ages {
			pod := string(rune('a' + i))
			snap.Found.Nodes = append(snap.Found.Nodes, ecp.NodeObservation{Ordinal: i, Name: pod, Pod: pod,
				Ready: age > '0', Broken: age == '!', Since: now.Add(-time.Duration(age-'0') * time.Minute)})
		}
		for asked, members := range c.views {
			for _, m := range members {
				snap.Views[asked] = append(snap.Views[asked], Member{Name: string(m)})
			}
		}
		j := NewView(now, rec, snap).ToJoin()
		require.Equal(t, c.restart, PodsOf(j.Restart), name)
		if c.not == "" {
			require.Empty(t, j.Not, name)
		} else {
			require.Contains(t, j.Not, c.not, name)
		}
	}
}
