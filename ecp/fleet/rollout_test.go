package fleet_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// withImages adds images of other versions and gives a cluster that runs one.
func (r *rig) runningOn(image string, nodes int) (ecp.Cluster, *diary) {
	r.t.Helper()
	for _, v := range []string{"5.8.1", "5.8.5", "5.10.1", "4.4.12", "4.4.6"} {
		_, err := r.m.Catalog.Images.Create(asSystem(), ecp.Image{
			ID:        v,
			Reference: "emqx/emqx-enterprise:" + v,
			Version:   v,
		}, "")
		require.NoError(r.t, err)
	}
	r.run()
	s := spec(image, nodes)
	s.Hosted.Connections = 60
	info, op, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s})
	require.NoError(r.t, err)
	r.ends(op, ecp.PhaseSucceeded)
	c := r.m.Cluster(info.ID)
	r.settled(c)
	return c, r.watch(c)
}

// clients lets that many connect, and gives how many are connected now.
func (r *rig) clients(c ecp.Cluster, n int) func() int {
	r.t.Helper()
	sim := r.sim.Cluster(c.ID())
	sim.AddClients(emqxsim.Clients{Name: "c", Count: n, Persistent: true})
	connected := func() int { return r.sim.Cluster(c.ID()).Usage().Connected }
	r.until("clients are there", func() bool { return connected() == n }, func() any { return connected() })
	return connected
}

func (r *rig) change(c ecp.Cluster, patch string) ecp.Operation {
	r.t.Helper()
	return r.do(c, ecp.Update{Patch: json.RawMessage(patch)})
}

// fewestReady watches the nodes and gives the least number that was ready.
func (r *rig) fewestReady(c ecp.Cluster, until func() bool) int {
	fewest := len(r.found(c).Nodes)
	r.until("the end", func() bool {
		ready := 0
		for _, n := range r.found(c).Nodes {
			if n.Ready {
				ready++
			}
		}
		fewest = min(fewest, ready)
		return until()
	}, func() any { return r.get(c).Status })
	return fewest
}

func (r *rig) ended(op ecp.Operation) func() bool {
	return func() bool {
		o, err := r.m.Operation(asSystem(), op.ID)
		require.NoError(r.t, err)
		return o.Phase.Final()
	}
}

func (r *rig) members(c ecp.Cluster) (out []string) {
	for _, n := range r.get(c).Nodes {
		if n.Member {
			out = append(out, fmt.Sprint(n.Ordinal, " ", n.Version))
		}
	}
	return out
}

func TestScaleOutAndIn(t *testing.T) {
	for _, image := range []string{"emqx-ee-5.8.9", "emqx-ee-4.4.24"} {
		t.Run(image, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, d := r.runningOn(image, 1)
				connected := r.clients(c, 9)
				old := claims(r.found(c))
				r.ends(r.change(c, `{"nodes":4}`), ecp.PhaseSucceeded)
				require.Len(t, r.found(c).Nodes, 4)
				require.Equal(t, "running updating syncing running", d.states())
				require.Equal(t, old, claims(r.found(c))[:len(old)], "the first keeps what it has")
				require.Equal(t, 9, connected())

				kept := claims(r.found(c))
				in := r.change(c, `{"nodes":2,"evacuation":{"rate":1}}`)
				require.GreaterOrEqual(t, r.fewestReady(c, r.ended(in)), 2)
				in = r.ends(in, ecp.PhaseSucceeded)
				require.Greater(t, in.EndedAt.Sub(in.CreatedAt), 2*time.Second)
				found := r.found(c)
				require.Len(t, found.Nodes, 2)
				require.Len(t, found.Volumes, 2, "the claims of nodes that have left are gone")
				require.Equal(t, claims(found), kept[:len(claims(found))])
				r.until("nobody is lost", func() bool { return connected() == 9 }, func() any { return connected() })
				sim := r.sim.Cluster(c.ID())
				require.Len(t, r.members(c), 2)
				require.NotNil(t, sim)
				require.Nil(t, r.get(c).Status.Draining)

				r.ends(r.change(c, `{"nodes":3}`), ecp.PhaseSucceeded)
				require.Len(t, r.found(c).Volumes, 3)
				require.NotContains(t, kept, r.found(c).Volumes[2].UID, "a new node has a volume of its own")
				require.Equal(t, ecp.Running, r.get(c).Status.State)
			})
		})
	}
}

// What pods are made from is changed node by node: at most one is away, its
// clients have left before, and what they have stored stays.
func TestNodesAreReplacedInTurn(t *testing.T) {
	for name, c := range map[string]struct {
		image string
		cmd   ecp.Command
		end   []string
	}{
		"upgrade":   {"5.8.1", ecp.Update{Patch: json.RawMessage(`{"image":"5.8.5"}`)}, []string{"0 5.8.5", "1 5.8.5", "2 5.8.5"}},
		"downgrade": {"5.8.5", ecp.Update{Patch: json.RawMessage(`{"image":"5.8.1"}`)}, []string{"0 5.8.1", "1 5.8.1", "2 5.8.1"}},
		"upgrade 4": {"4.4.12", ecp.Update{Patch: json.RawMessage(`{"image":"emqx-ee-4.4.24"}`)}, []string{"0 4.4.24", "1 4.4.24", "2 4.4.24"}},
		"resize":    {"5.8.5", ecp.Update{Patch: json.RawMessage(`{"size":"2C4G"}`)}, []string{"0 5.8.5", "1 5.8.5", "2 5.8.5"}},
		"placement": {"5.8.5", ecp.Update{Patch: json.RawMessage(`{"placement":{"nodeSelector":{"disk":"fast"}}}`)}, []string{"0 5.8.5", "1 5.8.5", "2 5.8.5"}},
		"restart":   {"5.8.5", ecp.Restart{}, []string{"0 5.8.5", "1 5.8.5", "2 5.8.5"}},
		"all together": {"5.8.1", ecp.Update{
			Patch: json.RawMessage(`{"image":"5.8.5","size":"2C4G","nodes":4,"network":{"type":"NodePort"},"connections":99}`),
		}, []string{"0 5.8.5", "1 5.8.5", "2 5.8.5", "3 5.8.5"}},
		"and fewer":    {"5.8.1", ecp.Update{Patch: json.RawMessage(`{"image":"5.8.5","nodes":2}`)}, []string{"0 5.8.5", "1 5.8.5"}},
		"no evacuator": {"4.4.6", ecp.Update{Patch: json.RawMessage(`{"image":"4.4.12"}`)}, []string{"0 4.4.12", "1 4.4.12", "2 4.4.12"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				cluster, d := r.runningOn(c.image, 3)
				connected := r.clients(cluster, 9)
				before := r.found(cluster)
				op := r.do(cluster, c.cmd)
				require.GreaterOrEqual(t, r.fewestReady(cluster, r.ended(op)), min(3, len(c.end))-1)
				r.ends(op, ecp.PhaseSucceeded)
				after := r.found(cluster)
				for i, n := range after.Nodes {
					require.False(t, n.Outdated)
					require.False(t, slices.ContainsFunc(before.Nodes,
						func(o ecp.NodeObservation) bool { return o.PodUID == n.PodUID }), "node %d is the old one", i)
				}
				for i, v := range before.Volumes[:min(3, len(after.Volumes))] {
					require.Equal(t, v.UID, after.Volumes[i].UID)
				}
				r.until("all are members", func() bool { return slices.Equal(c.end, r.members(cluster)) },
					func() any { return r.members(cluster) })
				r.until("nobody is lost", func() bool { return connected() == 9 }, func() any { return connected() })
				require.Equal(t, "running updating syncing running", d.states())
				require.Nil(t, r.get(cluster).Status.Draining)
				writes := r.sim.Writes()
				r.looked(4)
				require.Equal(t, writes, r.sim.Writes(), "and then nothing is done any more")
			})
		})
	}
}

func TestOneNodeIsCutAndReplaced(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.1", 1)
		connected := r.clients(c, 5)
		r.ends(r.change(c, `{"image":"5.8.5"}`), ecp.PhaseSucceeded)
		r.until("they come back", func() bool { return connected() == 5 }, func() any { return connected() })
	})
}

// A stopped cluster is changed at once, and starts as it is wanted.
func TestChangesOfAStoppedCluster(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.1", 4)
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		r.ends(r.change(c, `{"nodes":2,"image":"5.8.5","size":"2C4G"}`), ecp.PhaseSucceeded)
		require.Len(t, r.found(c).Volumes, 4, "data are kept while nothing runs")
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		require.Len(t, r.found(c).Nodes, 2)
		r.until("what the others had is gone", func() bool { return len(r.found(c).Volumes) == 2 },
			func() any { return r.found(c).Volumes })
		require.Equal(t, []string{"0 5.8.5", "1 5.8.5"}, r.members(c))
		r.ends(r.change(c, `{"nodes":3}`), ecp.PhaseSucceeded)
	})
}

// Whoever comes later takes over at once, and no node is left without clients.
func TestAChangeTakesOverFromAnother(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.1", 3)
		connected := r.clients(c, 20)
		up := r.change(c, `{"image":"5.8.5","evacuation":{"rate":1}}`)
		r.until("clients are being moved", func() bool { return r.get(c).Status.Draining != nil },
			func() any { return r.get(c).Status })
		<-time.After(3 * time.Second)
		back, err := r.m.CancelOperation(asSystem(), up.ID)
		require.NoError(t, err)
		r.ends(back, ecp.PhaseSucceeded)
		require.Equal(t, "5.8.1", r.get(c).Resolved.Image.Version)
		require.Nil(t, r.get(c).Status.Draining)
		r.until("all nodes take clients again", func() bool { return connected() == 20 },
			func() any { return connected() })

		in := r.change(c, `{"nodes":1}`)
		r.until("a node has left", func() bool { return len(r.found(c).Nodes) == 2 }, func() any { return r.found(c) })
		out := r.change(c, `{"nodes":3}`)
		r.ends(in, ecp.PhaseSuperseded)
		r.ends(out, ecp.PhaseSucceeded)
		require.Len(t, r.members(c), 3)

		stop := r.change(c, `{"size":"2C4G"}`)
		<-time.After(2 * time.Second)
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		r.ends(stop, ecp.PhaseSuperseded)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		require.Nil(t, r.get(c).Status.Draining)
		r.until("they are back", func() bool { return connected() == 20 }, func() any { return connected() })
	})
}

// Where clients must not be cut, the change ends there, and the node serves on.
func TestClientsThatWouldNotLeave(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.1", 3)
		connected := r.clients(c, 20)
		before := r.found(c)
		up := r.change(c, `{"image":"5.8.5","evacuation":{"rate":1,"deadline":3,"onDeadline":"stop"}}`)
		failed := r.ends(up, ecp.PhaseFailed)
		require.Contains(t, failed.Error, "the spec wants it to stop there")
		require.Equal(t, ecp.ReasonUpdateFailed, r.get(c).Status.Reason)
		r.looked(5)
		require.Equal(t, pods(before), pods(r.found(c)), "no node was replaced")
		r.until("all nodes take clients again", func() bool { return connected() == 20 },
			func() any { return connected() })

		r.ends(r.change(c, `{"evacuation":{"rate":100,"deadline":120}}`), ecp.PhaseSucceeded)
		require.Equal(t, []string{"0 5.8.5", "1 5.8.5", "2 5.8.5"}, r.members(c))

		r.change(c, `{"image":"5.8.1","evacuation":{"rate":1,"deadline":2,"onDeadline":"go-on"}}`)
		r.until("they are cut in the end", func() bool {
			return len(r.members(c)) == 3 && r.get(c).Version == "5.8.1" && r.get(c).Status.State == ecp.Running
		}, func() any { return r.get(c).Status })
	})
}

// A new image that does not start replaces one node and no other; going back
// mends it.
func TestAnImageThatDoesNotStart(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.1", 3)
		up := r.change(c, `{"image":"5.8.5","evacuation":{"deadline":30}}`)
		outdated := func() (n int) {
			for _, node := range r.found(c).Nodes {
				if node.Outdated {
					n++
				}
			}
			return n
		}
		r.until("the first is replaced", func() bool { return outdated() == 2 && len(r.found(c).Nodes) == 3 },
			func() any { return r.found(c) })
		require.NoError(t, r.sim.Break(c.ID(), 2, "CrashLoopBackOff"))
		failed := r.ends(up, ecp.PhaseFailed)
		require.Contains(t, failed.Error, "CrashLoopBackOff")
		require.Equal(t, 2, outdated())
		r.ends(r.change(c, `{"image":"5.8.1"}`), ecp.PhaseSucceeded)
		require.Equal(t, []string{"0 5.8.1", "1 5.8.1", "2 5.8.1"}, r.members(c))
	})
}

// Another process goes on where the first one was ended, at any moment.
func TestRolloutOverRestarts(t *testing.T) {
	t.Parallel()
	for pause := 250 * time.Millisecond; pause < 20*time.Second; pause *= 2 {
		t.Run(pause.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memstore.New())
				defer func() { r.stop() }()
				c, _ := r.runningOn("5.8.1", 3)
				connected := r.clients(c, 12)
				op := r.change(c, `{"image":"5.8.5","nodes":2,"evacuation":{"rate":1}}`)
				for !r.ended(op)() {
					<-time.After(pause)
					r.stop()
					r.make(r.store, &r.applied)
					r.run()
				}
				c = r.m.Cluster(c.ID())
				r.ends(op, ecp.PhaseSucceeded)
				require.Len(t, r.found(c).Volumes, 2)
				r.settled(c)
				r.until("all are members", func() bool {
					return slices.Equal([]string{"0 5.8.5", "1 5.8.5"}, r.members(c))
				}, func() any { return r.members(c) })
				r.until("nobody is lost", func() bool { return connected() == 12 }, func() any { return connected() })
			})
		})
	}
}

// What somebody's own scaling leaves behind is not thrown away; a change that
// needs the ordinals gives its new nodes volumes of their own.
func TestVolumesOfHandMadeNodes(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.5", 2)
		require.NoError(t, r.sim.ScaleByHand(c.ID(), 4))
		r.until("they are taken away again", func() bool { return len(r.found(c).Nodes) == 2 },
			func() any { return r.found(c) })
		r.looked(10)
		left := r.found(c).Volumes
		require.Len(t, left, 4)
		require.Equal(t, ecp.Running, r.reaches(c, ecp.Running).Status.State)
		r.settled(c)
		r.ends(r.change(c, `{"nodes":4}`), ecp.PhaseSucceeded)
		now := r.found(c).Volumes
		require.Equal(t, left[:2], now[:2])
		require.NotEqual(t, left[2].UID, now[2].UID)
		require.NotEqual(t, left[3].UID, now[3].UID)
	})
}

func TestImageRules(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.5", 2)
		for image, says := range map[string]string{
			"emqx-ee-4.4.24": "does not go back to an earlier major version",
			"5.10.1":         "runs more than one node only with a license",
			"nine":           "there is no",
		} {
			_, err := c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":"` + image + `"}`)})
			require.ErrorContains(t, err, says)
			_, planErr := c.Plan(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":"` + image + `"}`)})
			require.ErrorContains(t, planErr, says)
		}
	})
}

// A node that has not left yet counts, and so does one that is to come.
func TestImageRulesCountEveryNode(t *testing.T) {
	inBubble(t, func(r *rig) {
		_, err := r.m.Catalog.Images.Create(asSystem(), ecp.Image{
			ID:        "4.4.25",
			Reference: "emqx/emqx-ee:4.4.25",
			Version:   "4.4.25",
		}, "")
		require.NoError(t, err)
		c, _ := r.runningOn("4.4.12", 2)
		in := r.change(c, `{"nodes":1}`)
		_, err = c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":"4.4.25"}`)})
		require.ErrorContains(t, err, "take 4.4.26")
		r.ends(in, ecp.PhaseSucceeded)
		_, err = c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":"4.4.25","nodes":2}`)})
		require.ErrorContains(t, err, "take 4.4.26")
		r.ends(r.change(c, `{"image":"4.4.25"}`), ecp.PhaseSucceeded)
	})
}
