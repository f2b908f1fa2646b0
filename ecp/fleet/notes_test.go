package fleet_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// divided is the note on how so many connections are divided.
func divided(words string, n int) string {
	return fmt.Sprintf("each listener takes %s; a license that takes a limit at run time gets %d instead; "+
		"no node is restarted for that", words, n)
}

func TestPlansSayWhatClientsWillSee(t *testing.T) {
	for name, c := range map[string]struct {
		image string
		nodes int
		cmd   ecp.Command
		notes []string
	}{
		"nothing that nodes notice": {
			"5.8.1", 3, ecp.Update{Patch: json.RawMessage(`{"connections":61,"network":{"type":"NodePort"}}`)},
			[]string{divided("21 connections on each node: 61 over 3 nodes, up to 63 in all", 61)},
		},
		"more": {
			"5.8.1", 3, ecp.Update{Patch: json.RawMessage(`{"nodes":5}`)},
			[]string{divided("12 connections on each node: 60 over 5 nodes, up to 60 in all", 60), "2 nodes are added"},
		},
		"fewer": {"5.8.1", 3, ecp.Update{Patch: json.RawMessage(`{"nodes":1}`)},
			[]string{
				divided("60 connections", 60),
				"2 nodes leave for good with their volumes, one at a time; clients are moved to other nodes before, " +
					"up to 10m0s for each; each takes about 30s: 20s until load balancers have noticed, 10s for " +
					"clients to come back elsewhere",
			}},
		"image and fewer": {"5.8.1", 3, ecp.Update{Patch: json.RawMessage(`{"nodes":2,"image":"5.8.5","evacuation":{"deadline":60}}`)}, []string{
			divided("30 connections on each node: 60 over 2 nodes, up to 60 in all", 60),
			"1 node leaves for good with its volume; clients are moved to other nodes before, up to 1m0s for each; " +
				"each takes about 30s: 20s until load balancers have noticed, 10s for clients to come back elsewhere",
			"2 nodes are replaced, one at a time; clients are moved to other nodes before, up to 1m0s for each; each " +
				"takes about 30s: 20s until load balancers have noticed, 10s for clients to come back elsewhere",
		}},
		"the only one": {
			"5.8.1", 1, ecp.Restart{},
			[]string{"the only node is replaced: clients are cut and nothing serves until it is back; what EMQX " +
				"keeps in memory is lost: sessions, and retained messages unless they are set to be kept on disk"},
		},
		"old": {
			"4.4.6", 2, ecp.Restart{},
			[]string{"2 nodes are replaced, one at a time; clients are cut: EMQX before 4.4.12 moves none"},
		},
		"stop": {
			"5.8.1", 2, ecp.Stop{},
			[]string{"all clients are cut; what EMQX keeps in memory is lost: sessions, and retained messages unless " +
				"they are set to be kept on disk; configuration, users and rules stay on the volumes"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				cluster, _ := r.runningOn(c.image, c.nodes)
				plan, err := cluster.Plan(asSystem(), c.cmd)
				require.NoError(t, err)
				require.Equal(t, c.notes, plan.Notes)
				if name != "more" {
					return
				}
				r.ends(r.do(cluster, ecp.Stop{}), ecp.PhaseSucceeded)
				plan, err = cluster.Plan(asSystem(), c.cmd)
				require.NoError(t, err)
				require.Equal(t, []string{"no node runs: it shows when the cluster is started"}, plan.Notes)
			})
		})
	}
}
