package fleet_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
)

// TestAgentsAreWatched: who may read a cluster sees its agents come, change and go,
// and who may not read it sees none of them, wherever the cluster is.
func TestAgentsAreWatched(t *testing.T) {
	synctest.Test(t, agentsAreWatched)
}

func agentsAreWatched(t *testing.T) {
	m, err := fleet.New(t.Context(),
		fleet.Config{Store: memstore.New(), Defaults: fleet.Defaults{Projects: []string{"a/p", "b/p"}}})
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
	x := register("x")
	require.NoError(t, m.Agents.Note(t.Context(), x, ecp.AgentNote{Node: "emqx@x"}))
	require.NoError(t, m.Agents.Note(t.Context(), x, ecp.AgentNote{Node: "emqx@x"}), "no news")
	_, err = m.Cluster(info.ID).Do(asSystem(), ecp.Transfer{Project: "b/p"})
	require.NoError(t, err)
	require.NoError(t, m.Agents.Note(t.Context(), x, ecp.AgentNote{Seen: time.Now()}))
	_, secret, err = m.Agents.CreateRegistration(asSystem(), info.ID, 0) // those of the old project are revoked
	require.NoError(t, err)
	y := register("y")
	require.NoError(t, m.Agents.Remove(asSystem(), info.ID, x))
	_, err = m.Cluster(info.ID).Do(asSystem(), ecp.Delete{})
	require.NoError(t, err)

	for project, want := range map[string][]string{
		"a/p": {"x ", "x emqx@x"},
		"b/p": {"x emqx@x", "x emqx@x", "y ", "x emqx@x gone", "y  gone"}, // moved with its cluster, seen last, …
		"c/p": nil,
	} {
		ctx, cancel := context.WithTimeout(ecp.WithActor(t.Context(),
			ecp.Actor{Name: "u", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: project}}}), time.Second)
		var got []string
		for c, err := range m.Watch(ctx, 0) {
			if err != nil {
				break
			}
			if a, ok := c.Payload.(ecp.AgentRecord); ok {
				require.Equal(t, string(info.ID), c.Index.Parent)
				require.Contains(t, []ecp.AgentID{x, y}, a.ID)
				text := a.Hostname + " " + a.Node
				if c.Deleted {
					text += " gone"
				}
				got = append(got, text)
			}
		}
		cancel()
		require.Equal(t, want, got, project)
	}
}
