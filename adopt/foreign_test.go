package adopt

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestForeignAgents: which agents' brokers belong to another cluster.
func TestForeignAgents(t *testing.T) {
	early, late := time.Unix(100, 0), time.Unix(200, 0)
	abc, fg := []string{"emqx@a", "emqx@b", "emqx@c"}, []string{"emqx@f", "emqx@g"}
	for name, c := range map[string]struct {
		claims  []claim
		foreign []ecp.AgentID
	}{
		"nobody has told":      {[]claim{{agent: "1"}, {agent: "2"}}, nil},
		"the first defines it": {[]claim{{agent: "1", members: fg}}, nil},
		"members overlap": {[]claim{{agent: "1", members: abc},
			{agent: "2", members: []string{"emqx@c", "emqx@d"}}}, nil},
		"overlap by way of another": {[]claim{{agent: "1", members: abc},
			{agent: "2", members: []string{"emqx@d", "emqx@e"}}, {agent: "3",
				members: []string{"emqx@c", "emqx@d"}}}, nil},
		"foreign beside one that is": {[]claim{{agent: "1", members: abc, serving: early}, {agent: "2", members: fg}},
			[]ecp.AgentID{"2"}},
		"the first stays": {[]claim{{agent: "1", members: fg}, {agent: "2", members: abc, serving: late}},
			[]ecp.AgentID{"1"}},
		"of two the earlier stays": {[]claim{{agent: "1", members: fg, serving: late},
			{agent: "2", members: abc, serving: early}}, []ecp.AgentID{"1"}},
		"records outweigh the first": {[]claim{{agent: "1", recorded: "emqx@a", members: fg, serving: early},
			{agent: "2", recorded: "emqx@b", members: abc}}, []ecp.AgentID{"1"}},
		"a newcomer while others away": {[]claim{{agent: "1", recorded: "emqx@a"}, {agent: "2", members: fg}},
			[]ecp.AgentID{"2"}},
		"new node while others away": {[]claim{{agent: "1", recorded: "emqx@a"}, {agent: "2", members: abc}}, nil},
		"all got new addresses": {[]claim{{agent: "1", recorded: "emqx@x"},
			{agent: "2", recorded: "emqx@y", members: abc}}, nil},
		"one node got a new address": {[]claim{{agent: "1", recorded: "emqx@a", members: []string{"emqx@a2", "emqx@b"}},
			{agent: "2", recorded: "emqx@b", members: []string{"emqx@a2", "emqx@b"}}}, nil},
		"its only node moved": {[]claim{{agent: "1", recorded: "emqx@a", members: []string{"emqx@a2"},
			serving: early}}, nil},
		"two foreign ones": {[]claim{{agent: "1", members: fg}, {agent: "2", members: fg},
			{agent: "3", recorded: "emqx@a", members: abc}}, []ecp.AgentID{"1", "2"}},
		"one of its nodes has left": {[]claim{{agent: "1", recorded: "emqx@a", members: []string{"emqx@a", "emqx@b"},
			serving: early}, {agent: "2", recorded: "emqx@c", members: []string{"emqx@c"},
			serving: early}}, []ecp.AgentID{"2"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := foreignAgents(c.claims)
			require.ElementsMatch(t, c.foreign, slices.Collect(maps.Keys(got)), "%v", got)
			for _, why := range got {
				require.Contains(t, why, "nothing in common")
			}
		})
	}
}

// TestForeignAgentsInvariants: whatever is claimed, agents that share a member are
// of one mind, those that told nothing are never foreign, the order of claims
// does not matter, and not everybody who was accepted is foreign.
func TestForeignAgentsInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
		claims := make([]claim, rapid.IntRange(0, 6).Draw(t, "agents"))
		accepted := false
		for i := range claims {
			claims[i] = claim{
				agent: ecp.AgentID(fmt.Sprint(i)), recorded: rapid.SampledFrom([]string{"", "a", "b", "c", "x"}).Draw(t,
					"recorded"),
				members: rapid.SliceOfNDistinct(names, 0, 3, rapid.ID).Draw(t, "members"),
			}
			if rapid.Bool().Draw(t, "serves") {
				claims[i].serving = time.Unix(int64(rapid.IntRange(1, 3).Draw(t, "since")), 0)
			}
			accepted = accepted || len(claims[i].members) > 0 && claims[i].recorded != ""
		}
		got := foreignAgents(claims)
		own := 0
		for _, a := range claims {
			_, foreign := got[a.agent]
			if len(a.members) == 0 {
				require.False(t, foreign)
				continue
			}
			if !foreign {
				own++
			}
			for _, b := range claims {
				if slices.ContainsFunc(a.members, func(m string) bool { return slices.Contains(b.members, m) }) {
					_, other := got[b.agent]
					require.Equal(t, foreign, other)
				}
			}
		}
		if accepted {
			require.Positive(t, own)
		}
		shuffled := rapid.Permutation(claims).Draw(t, "order")
		require.ElementsMatch(t, slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(foreignAgents(shuffled))))
	})
}
