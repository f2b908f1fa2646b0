package fleet_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// drain evicts a core node as kubectl drain does: again and again until it is taken. It returns how many clients the
// node had then, and reports whether it was refused before.
func (r *rig) drain(c ecp.Cluster, ordinal int) (clients int, refused bool) {
	r.t.Helper()
	return r.drainBy(r.sim.Evict, c, ecp.RoleCore, ordinal)
}

func (r *rig) drainBy(evict func(ecp.ID, int) error, c ecp.Cluster, role ecp.NodeRole, ordinal int) (clients int,
	refused bool) {
	r.t.Helper()
	r.until("the eviction is taken", func() bool {
		clients = r.clientsOn(c, role, ordinal)
		err := evict(c.ID(), ordinal)
		if err != nil {
			require.ErrorIs(r.t, err, ecp.ErrUnavailable)
			refused = true
		}
		return err == nil
	}, func() any { return r.get(c).Status })
	return clients, refused
}

// clientsOf counts the clients of a core node.
func (r *rig) clientsOf(c ecp.Cluster, ordinal int) (count int) {
	return r.clientsOn(c, ecp.RoleCore, ordinal)
}

func (r *rig) clientsOn(c ecp.Cluster, role ecp.NodeRole, ordinal int) (count int) {
	for _, n := range r.found(c).Nodes {
		if n.Ordinal == ordinal && n.Role == role {
			count = r.sim.Cluster(c.ID()).Usage().Nodes[n.Name].Connected
		}
	}
	return count
}

// says waits until the cluster is running, and says so of a machine.
func (r *rig) says(c ecp.Cluster, what string) {
	r.t.Helper()
	r.until("it is told", func() bool {
		st := r.get(c).Status
		return st.State == ecp.Running && st.Reason == ecp.ReasonMachineCordoned && strings.Contains(st.Message, what)
	}, func() any { return r.get(c).Status })
}

func (r *rig) quiet(c ecp.Cluster) {
	r.t.Helper()
	r.until("nothing is left of it", func() bool {
		st := r.get(c).Status
		return st.State == ecp.Running && st.Reason == ecp.ReasonAsExpected && st.Cordoned == nil && st.Draining == nil
	}, func() any { return r.get(c).Status })
	require.False(r.t, r.found(c).EvictionsHeld)
}

// TestKubectlDrain: before a node can be evicted from a machine that is emptied its clients have left it, and the
// cluster is running all the time.
func TestKubectlDrain(t *testing.T) {
	for _, version := range []string{"emqx-ee-4.4.19", "emqx-ee-4.4.24", "emqx-ee-5.8.9"} {
		t.Run(version, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, d := r.runningOn(version, 3)
				connected := r.clients(c, 9)
				before, revision, generation := r.found(c).Nodes, r.get(c).Revision, r.get(c).Generation
				require.NoError(t, r.sim.Cordon(c.ID(), 1, true))
				r.until("nobody can evict", func() bool { return r.found(c).EvictionsHeld },
					func() any { return r.found(c) })
				had, refused := r.drain(c, 1)
				require.Zero(t, had)
				require.True(t, refused)
				r.until("it is told", func() bool { return r.get(c).Status.Reason == ecp.ReasonMachineCordoned },
					func() any { return r.get(c).Status })
				r.quiet(c)
				r.until("all are connected", func() bool { return connected() == 9 }, func() any { return connected() })
				require.Equal(t, "running", d.states())
				after := r.found(c).Nodes
				for i := range after {
					require.Equal(t, i == 1, before[i].PodUID != after[i].PodUID)
				}
				require.Equal(t, revision, r.get(c).Revision, "nothing was asked for")
				require.Equal(t, generation, r.get(c).Generation)
			})
		})
	}
}

// TestKubectlDrainOfReplicants: replicants, which have the clients where there are any, are told of and freed like
// others, and while one has clients nobody evicts a node of either role.
func TestKubectlDrainOfReplicants(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("emqx-ee-5.8.9", 3)
		r.ends(r.do(c, twoReplicants[0]), ecp.PhaseSucceeded)
		d := r.watch(c)
		connected := r.clients(c, 9)
		require.Positive(t, r.clientsOn(c, ecp.RoleReplicant, 1))
		require.NoError(t, r.sim.CordonReplicant(c.ID(), 1, true))
		r.until("nobody can evict", func() bool { return r.found(c).EvictionsHeld },
			func() any { return r.found(c) })
		require.ErrorIs(t, r.sim.Evict(c.ID(), 2), ecp.ErrUnavailable)
		had, refused := r.drainBy(r.sim.EvictReplicant, c, ecp.RoleReplicant, 1)
		require.Zero(t, had)
		require.True(t, refused)
		r.quiet(c)
		r.until("all are connected", func() bool { return connected() == 9 }, func() any { return connected() })
		require.Equal(t, "running", d.states())
	})
}

// TestCordonedAndNotDrained: a node stays without clients until its machine takes pods again, and then it takes them.
func TestCordonedAndNotDrained(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.runningOn("emqx-ee-5.8.9", 3)
		connected := r.clients(c, 9)
		before := pods(r.found(c))
		require.NoError(t, r.sim.Cordon(c.ID(), 1, true))
		free := func() bool {
			return r.clientsOf(c, 1) == 0 && !r.found(c).EvictionsHeld && len(r.get(c).Status.Cordoned) == 1
		}
		r.until("its clients have left", free, func() any { return r.get(c).Status })
		r.until("the others have them", func() bool { return connected() == 9 }, func() any { return connected() })
		r.looked(3)
		written, applied := r.m.Stats().Writes, r.sim.Writes()
		r.looked(10)
		require.True(t, free())
		require.Equal(t, written, r.m.Stats().Writes, "nothing is stored while nothing happens")
		require.Equal(t, applied, r.sim.Writes())
		require.Contains(t, r.get(c).Status.Message, "has no clients any more, and can be evicted")

		require.NoError(t, r.sim.Cordon(c.ID(), 1, false))
		r.quiet(c)
		require.Equal(t, before, pods(r.found(c)))
		require.Equal(t, "running", d.states())
	})
}

// TestDrainWithNowhereToGo: the clients of the only node, and those of an EMQX that moves none, are cut: nothing waits
// for them, and it is told.
func TestDrainWithNowhereToGo(t *testing.T) {
	for name, of := range map[string]struct {
		image string
		nodes int
		state string
	}{
		"one node":      {"emqx-ee-5.8.9", 1, "running abnormal running"},
		"it moves none": {"4.4.6", 3, "running"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, d := r.runningOn(of.image, of.nodes)
				require.NoError(t, r.sim.Cordon(c.ID(), 0, true))
				r.until("it is told", func() bool { return r.get(c).Status.Reason == ecp.ReasonMachineCordoned },
					func() any { return r.get(c).Status })
				require.Contains(t, r.get(c).Status.Message, "its clients are cut then")
				_, refused := r.drain(c, 0)
				require.False(t, refused)
				r.until("it has gone", func() bool { return len(r.found(c).Nodes) > 0 && !r.found(c).Nodes[0].Ready },
					func() any { return r.found(c).Nodes })
				r.quiet(c)
				require.Equal(t, of.state, d.states())
			})
		})
	}
}

// TestEvictedAtOnce: kubectl drain may be faster than anybody can look. That is no surprise either.
func TestEvictedAtOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("emqx-ee-5.8.9", 3)
		r.stop() // a daemon could come between the two
		r.make(r.store, r.sim)
		require.NoError(t, r.sim.Cordon(c.ID(), 1, true))
		require.NoError(t, r.sim.Evict(c.ID(), 1))
		r.run()
		c = r.m.Cluster(c.ID())
		d := r.watch(c)
		r.says(c, "was evicted, and is made anew on another one")
		r.quiet(c)
		require.Equal(t, "running", d.states())
	})
}

// TestDrainDeadline: clients that do not leave hold nobody up for ever.
func TestDrainDeadline(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.runningOn("emqx-ee-5.8.9", 3)
		r.ends(r.change(c, `{"evacuation":{"rate":1,"deadline":10}}`), ecp.PhaseSucceeded)
		r.clients(c, 24)
		require.NoError(t, r.sim.Cordon(c.ID(), 2, true))
		r.until("nobody can evict", func() bool { return r.found(c).EvictionsHeld }, func() any { return r.found(c) })
		require.ErrorIs(t, r.sim.Evict(c.ID(), 2), ecp.ErrUnavailable)
		r.says(c, "its clients had their time, and those that are left are cut")
		had, _ := r.drain(c, 2)
		require.Positive(t, had)
		r.quiet(c)
		require.NotContains(t, d.states(), "degraded")
	})
}

// TestSeveralMachinesAreDrained: where several are cordoned, each node has its turn, whichever of the machines is
// drained first; never are two nodes away.
func TestSeveralMachinesAreDrained(t *testing.T) {
	for name, order := range map[string][]int{"in order": {0, 1, 2}, "the other way round": {2, 1, 0}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, d := r.runningOn("emqx-ee-5.8.9", 3)
				r.clients(c, 9)
				for _, i := range order {
					require.NoError(t, r.sim.Cordon(c.ID(), i, true))
				}
				r.until("nobody can evict", func() bool { return r.found(c).EvictionsHeld },
					func() any { return r.found(c) })
				for _, i := range order {
					had, _ := r.drain(c, i)
					if name == "in order" {
						require.Zero(t, had)
					}
				}
				r.quiet(c)
				require.Equal(t, "running", d.states())
			})
		})
	}
}

// TestDrainDuringARoll: a machine that is emptied while nodes are replaced holds the roll up only until its node has no
// clients, and the roll holds up the machine for no longer than one node takes.
func TestDrainDuringARoll(t *testing.T) {
	for _, ordinal := range []int{0, 1, 2} {
		t.Run(strconv.Itoa(ordinal), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, d := r.runningOn("emqx-ee-5.8.9", 3)
				r.clients(c, 9)
				op := r.do(c, ecp.Restart{})
				r.until("a node has its turn", func() bool { return r.get(c).Status.Draining != nil },
					func() any { return r.get(c).Status })
				require.NoError(t, r.sim.Cordon(c.ID(), ordinal, true))
				r.ends(op, ecp.PhaseSucceeded)
				r.quiet(c) // its node was made anew elsewhere
				require.Equal(t, "running updating syncing running", d.states())
			})
		})
	}
}

// TestStopOfACordonedCluster: a stop waits for nobody, and a start begins anew.
func TestStopOfACordonedCluster(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("emqx-ee-5.8.9", 3)
		r.clients(c, 9)
		require.NoError(t, r.sim.Cordon(c.ID(), 1, true))
		r.until("nobody can evict", func() bool { return r.found(c).EvictionsHeld }, func() any { return r.found(c) })
		r.until("clients leave", func() bool { return r.get(c).Status.Draining != nil },
			func() any { return r.get(c).Status })
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		r.until("it is released", func() bool { return !r.found(c).EvictionsHeld }, func() any { return r.found(c) })
		require.Empty(t, r.get(c).Status.Cordoned)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		r.quiet(c)
	})
}
