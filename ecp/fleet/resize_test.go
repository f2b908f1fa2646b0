package fleet_test

import (
	"slices"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// sizes makes sizes that differ from that of clusters in memory ("more"),
// in the volume ("room"), and in the CPUs that EMQX counts when it starts ("fast").
func (r *rig) sizes() {
	r.t.Helper()
	for name, change := range map[string]func(*ecp.Size){
		"more": func(s *ecp.Size) { s.Memory = ecp.Resource{Request: "3Gi", Limit: "3Gi"} },
		"room": func(s *ecp.Size) { s.Storage.Size = "20Gi" },
		"fast": func(s *ecp.Size) { s.CPU = ecp.Resource{Request: "2", Limit: "2"} },
	} {
		s := ecp.DefaultSizes()[0]
		s.Name, s.Default = name, false
		change(&s)
		_, err := r.m.Catalog.Sizes.Create(asSystem(), s, "")
		require.NoError(r.t, err)
	}
}

// resizable makes a running cluster beside these sizes.
func (r *rig) resizable(nodes int) ecp.Cluster {
	r.t.Helper()
	r.sizes()
	c, _ := r.runningOn("5.8.1", nodes)
	return c
}

func uids(o ecp.Observation) (out []string) {
	for _, n := range o.Nodes {
		out = append(out, n.PodUID)
	}
	return out
}

// CPU and memory are changed where nodes run: nobody is moved, and what is refused is
// replaced as before.
func TestResizeInPlace(t *testing.T) {
	const inPlace, replaced = "in place: clients stay", "nodes are replaced, one at a time"
	for name, c := range map[string]struct {
		size, plan, not string
		step            string // "" = none of these
		before          func(r *rig, id ecp.ID)
		stays           bool
	}{
		"more memory":    {size: "more", plan: inPlace, step: "nodes-resized", stays: true},
		"a volume alone": {size: "room", plan: "volumes grow from 10Gi to 20Gi", stays: true},
		"more CPUs": {
			size: "fast",
			plan: replaced,
			not:  "; not in place: EMQX counts its CPUs only when it starts, 1 now and 2 then",
			step: "nodes-replaced",
		},
		"refused": {size: "more", plan: inPlace, step: "nodes-resized", before: func(r *rig, id ecp.ID) {
			require.NoError(r.t, r.sim.RefuseResizes(id, "node didn't have enough capacity"))
		}},
		"no room": {size: "more", plan: inPlace, step: "nodes-resized", before: func(r *rig, id ecp.ID) {
			require.NoError(r.t, r.sim.DeferResizes(id, "node didn't have enough resource"))
		}},
		"changed by hand": {size: "more", plan: replaced, not: "differs in more than its size", step: "nodes-resized",
			before: func(r *rig, id ecp.ID) {
				require.NoError(r.t, r.sim.RestartByHand(id))
				r.untilUpToDate(r.m.Cluster(id), ecp.False, ecp.ReasonTemplateChanged)
			}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				cluster := r.resizable(3)
				connected := r.clients(cluster, 9)
				if c.before != nil {
					c.before(r, cluster.ID())
				}
				before := uids(r.found(cluster))
				cmd := patched(`{"size":"` + c.size + `"}`)
				plan, err := cluster.Plan(asSystem(), cmd)
				require.NoError(t, err)
				require.Contains(t, plan.Notes[len(plan.Notes)-1], c.plan)
				require.Contains(t, plan.Notes[len(plan.Notes)-1], c.not)
				for _, step := range []string{"nodes-resized", "nodes-replaced"} {
					require.Equal(t, step == c.step, slices.Contains(plan.Steps, step), step)
				}
				op := r.do(cluster, cmd)
				if c.stays {
					require.Equal(t, 3, r.fewestReady(cluster, r.ended(op)))
					require.Equal(t, 9, connected())
				}
				op = r.ends(op, ecp.PhaseSucceeded)
				r.settled(cluster)
				after := r.found(cluster)
				for i, n := range after.Nodes {
					require.False(t, n.Outdated, "%+v", n)
					require.Equal(t, c.stays, n.PodUID == before[i], "node %d", i)
				}
				if c.stays {
					require.Empty(t, op.Evacuated)
				}
				writes := r.sim.Writes()
				r.looked(4)
				require.Equal(t, writes, r.sim.Writes(), "and then nothing is done any more")
			})
		})
	}
}

// A resize that waits is told, and one that is taken back leaves nodes as they were.
func TestResizeWaitsAndIsTakenBack(t *testing.T) {
	inBubble(t, func(r *rig) {
		cluster := r.resizable(3)
		before := uids(r.found(cluster))
		require.NoError(t, r.sim.DeferResizes(cluster.ID(), "node didn't have enough resource: memory"))
		r.change(cluster, `{"size":"more"}`)
		r.until("the highest node waits for room", func() bool {
			o := r.found(cluster)
			return o.Nodes[2].Resize == ecp.ResizeWaiting &&
				o.Nodes[2].ResizeReason == "node didn't have enough resource: memory" &&
				o.Nodes[1].Resize == ecp.ResizeDue
		}, func() any { return r.found(cluster).Nodes })
		require.NoError(t, r.sim.DeferResizes(cluster.ID(), ""))
		r.until("it has it", func() bool { return !r.found(cluster).Nodes[2].Outdated },
			func() any { return r.found(cluster).Nodes })
		r.ends(r.change(cluster, `{"size":"1C1G"}`), ecp.PhaseSucceeded)
		require.Equal(t, before, uids(r.found(cluster)))
		for _, n := range r.found(cluster).Nodes {
			require.False(t, n.Outdated)
		}
	})
}
