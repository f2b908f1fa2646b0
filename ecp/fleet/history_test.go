package fleet_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
)

// pastPlant is an adopted cluster with two agents.
func pastPlant(t *testing.T) (m *fleet.Manager, id ecp.ID, x, y ecp.AgentID) {
	m, err := fleet.New(t.Context(),
		fleet.Config{Store: memstore.New(), Defaults: fleet.Defaults{Projects: []string{"a/p"}}})
	require.NoError(t, err)
	info, _, err := m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Adopted, Project: "a/p", Name: "plant"})
	require.NoError(t, err)
	_, secret, err := m.Agents.CreateRegistration(asSystem(), info.ID, 0)
	require.NoError(t, err)
	register := func(name string) ecp.AgentID {
		key := sha256.Sum256([]byte(name))
		a, err := m.Agents.Register(t.Context(),
			ecp.AgentRegistration{Token: secret, PublicKey: key[:], Hostname: name})
		require.NoError(t, err)
		return a.ID
	}
	return m, info.ID, register("x"), register("y")
}

func entry(seq uint64, at time.Time, name string) ecp.HistoryEntry {
	return ecp.HistoryEntry{
		At:       at,
		Kind:     ecp.HistoryMember,
		Name:     name,
		From:     "running",
		To:       "stopped",
		Replayed: true,
		Place:    ecp.HistoryPosition{Epoch: 7, Seq: seq},
	}
}

func told(t *testing.T, m *fleet.Manager, id ecp.ID, o agents.HistoryOptions) (names []string) {
	t.Helper()
	for {
		page, err := m.Agents.History(asSystem(), id, o)
		require.NoError(t, err)
		for _, e := range page.Items {
			names = append(names, fmt.Sprintf("%s by %d", e.Name, len(e.Agents)))
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			return names
		}
	}
}

// TestHistory: what agents tell of the past is there once, newest first, whoever tells
// it again, and moves no state.
func TestHistory(t *testing.T) {
	m, id, x, y := pastPlant(t)
	now := time.Now().UTC().Truncate(time.Second)
	before, err := m.Cluster(id).Get(asSystem())
	require.NoError(t, err)
	from := func(a ecp.AgentID, upto uint64, entries ...ecp.HistoryEntry) agents.AgentHistory {
		return agents.AgentHistory{Agent: a, Upto: ecp.HistoryPosition{Epoch: 7, Seq: upto}, Entries: entries}
	}
	first := from(x, 3, entry(1, now.Add(-3*time.Hour), "n1"), entry(2, now.Add(-2*time.Hour), "n2"),
		entry(3, now.Add(-2*time.Hour), "n3"))
	position, err := m.Position(asSystem())
	require.NoError(t, err)
	require.NoError(t, m.Agents.StoreHistory(t.Context(), []agents.AgentHistory{first, {
		Agent:   "agt-gone",
		Upto:    ecp.HistoryPosition{Epoch: 1, Seq: 1},
		Entries: first.Entries,
	}}))
	require.Equal(t, []string{"n3 by 1", "n2 by 1", "n1 by 1"}, told(t, m, id, agents.HistoryOptions{Limit: 1}))
	after, err := m.Position(asSystem())
	require.NoError(t, err)
	require.Equal(t, position+4, after, "three entries and how far the agent was heard")
	require.NoError(t, m.Agents.StoreHistory(t.Context(), []agents.AgentHistory{first}))
	again, err := m.Position(asSystem())
	require.NoError(t, err)
	require.Equal(t, after, again, "nothing new is nothing written")

	// The other agent saw n2 go, too, a little later, and n4; the first one comes with all again.
	require.NoError(t, m.Agents.StoreHistory(t.Context(), []agents.AgentHistory{
		from(y, 9, entry(4, now.Add(-2*time.Hour+9*time.Second), "n2"), entry(9, now.Add(-time.Hour), "n4")),
		from(x, 4, append(first.Entries, entry(4, now.Add(-time.Minute), "n2"))...),
	}))
	require.Equal(t, []string{"n2 by 1", "n4 by 1", "n3 by 1", "n2 by 2", "n1 by 1"},
		told(t, m, id, agents.HistoryOptions{}))
	require.Equal(t, []string{"n3 by 1", "n2 by 2"},
		told(t, m, id, agents.HistoryOptions{Since: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour)}))
	require.Empty(t, told(t, m, id, agents.HistoryOptions{Kind: ecp.HistoryGap}))
	a, err := m.Agents.Key(t.Context(), x)
	require.NoError(t, err)
	require.Equal(t, ecp.HistoryPosition{Epoch: 7, Seq: 4}, a.History)

	info, err := m.Cluster(id).Get(asSystem())
	require.NoError(t, err)
	require.Equal(t, before.Status, info.Status)
	_, err = m.Agents.History(t.Context(), id, agents.HistoryOptions{})
	require.ErrorIs(t, err, ecp.ErrDenied)
	_, err = m.Agents.History(asSystem(), "emqx-00000000", agents.HistoryOptions{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
}

// TestHistoryIsBounded: the oldest of too many entries go.
func TestHistoryIsBounded(t *testing.T) {
	m, id, x, _ := pastPlant(t)
	now := time.Now().UTC()
	for part := range 3 {
		h := agents.AgentHistory{Agent: x, Upto: ecp.HistoryPosition{Epoch: 7, Seq: uint64(part + 1)}}
		for n := range agents.MostHistory / 2 {
			h.Entries = append(h.Entries, entry(uint64(part*1000+n+1),
				now.Add(time.Duration(part*1000+n)*time.Minute-90*24*time.Hour), fmt.Sprint(part)))
		}
		require.NoError(t, m.Agents.StoreHistory(t.Context(), []agents.AgentHistory{h}))
	}
	all := told(t, m, id, agents.HistoryOptions{Limit: ecp.MaxListLimit})
	require.Len(t, all, agents.MostHistory)
	require.Equal(t, "1 by 1", all[len(all)-1])
}
