package fleet_test

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// trouble is what goes wrong around a cluster, and ends.
type trouble struct {
	name string
	// begin lets it begin, and returns what ends it; nil where it meets nothing that it could harm.
	begin func(r *drilled, dice *rand.Rand) (end func())
	// shows is what has to be seen of it within ten minutes where the cluster ran; nil = nothing.
	shows func(r *drilled) bool
	// holds has to be so all the time while it lasts; nil = nothing.
	holds func(r *drilled) string
	// only are the operations that it can harm; empty = all.
	only []string
}

// brokers lets all nodes answer so, or not at all.
func brokers(f emqxsim.Fault) func(*drilled, *rand.Rand) func() {
	return func(r *drilled, _ *rand.Rand) func() {
		sim := r.sim.Cluster(r.id)
		if sim == nil { // no node was ever made
			return nil
		}
		return sim.AddFault(f)
	}
}

// served returns why clients count as not served though they are.
func served(r *drilled) string {
	found := r.found(r.c)
	if r.record().Status.State != ecp.Running || !slices.ContainsFunc(found.Nodes,
		func(n ecp.NodeObservation) bool { return n.Ready }) {
		return ""
	}
	c := ecp.ConditionOf(r.get(r.c).Status.Conditions, ecp.CondAvailable)
	if c.Status == ecp.False {
		return "clients count as not served: " + c.Message
	}
	return ""
}

func unreachable(r *drilled) bool {
	return ecp.ConditionOf(r.get(r.c).Status.Conditions, ecp.CondManagementReachable).Status == ecp.False
}

func reason(want ...ecp.Reason) func(*drilled) bool {
	return func(r *drilled) bool { return slices.Contains(want, r.get(r.c).Status.Reason) }
}

// troubles are those that every operation has to get over.
var troubles = []trouble{
	{name: "brokers answer 500", begin: brokers(emqxsim.Fault{Status: http.StatusInternalServerError}),
		shows: unreachable, holds: served},
	{name: "brokers hang", begin: brokers(emqxsim.Fault{Hang: true}), shows: unreachable, holds: served},
	{name: "brokers refuse credentials", begin: brokers(emqxsim.Fault{
		Status: http.StatusUnauthorized, ContentType: "application/json",
		Body: `{"code":"BAD_API_KEY_OR_SECRET","message":"Check api_key/api_secret"}`,
	}), shows: unreachable, holds: served},
	{name: "nothing is heard of evacuations", begin: brokers(emqxsim.Fault{Method: http.MethodGet,
		Path: "/api/v5/load_rebalance/**", Status: http.StatusInternalServerError}), holds: served},
	{name: "API server away", begin: func(r *drilled, _ *rand.Rand) func() {
		r.sim.SetUnreachable(true)
		return func() { r.sim.SetUnreachable(false) }
	}, shows: func(r *drilled) bool { return !r.get(r.c).Status.StaleFrom.IsZero() }, holds: keepsState},
	{name: "target hangs", begin: func(r *drilled, _ *rand.Rand) func() {
		r.g.hangs(true)
		return func() { r.g.hangs(false) }
	}, shows: func(r *drilled) bool { return !r.get(r.c).Status.StaleFrom.IsZero() }},
	{name: "writes are refused", begin: func(r *drilled, _ *rand.Rand) func() { return applyFails(r) }, holds: served},
	{name: "an image that never starts", begin: func(r *drilled, _ *rand.Rand) func() {
		version := r.record().Resolved.Image.Version
		require.NoError(r.t, r.sim.BreakImage(r.id, version, "ImagePullBackOff"))
		return func() { require.NoError(r.t, r.sim.BreakImage(r.id, version, "")) }
	}},
	{name: "claims that cannot be bound", begin: func(r *drilled, _ *rand.Rand) func() {
		require.NoError(r.t, r.sim.HoldVolumes(r.id, "no volume is large enough"))
		return func() { require.NoError(r.t, r.sim.HoldVolumes(r.id, "")) }
	}, only: []string{"create", "scale out"}},
	{name: "a node's machine is lost", begin: loseOne, shows: reason(ecp.ReasonMachineLost)},
	{name: "the network is cut", begin: func(r *drilled, dice *rand.Rand) func() {
		nodes := r.found(r.c).Nodes
		if len(nodes) < 2 || r.sim.Cluster(r.id) == nil {
			return nil
		}
		sim := r.sim.Cluster(r.id)
		sim.Partition([]string{nodes[dice.IntN(len(nodes))].Name})
		return func() { sim.Partition() }
	}, shows: reason(ecp.ReasonPartitioned)},
}

// keepsState: what cannot be seen is not broken.
func keepsState(r *drilled) string {
	if s := r.record().Status.State; s == ecp.Abnormal || s == ecp.Degraded {
		return "it counts as " + string(s)
	}
	return ""
}

// loseOne cuts the power of a machine, and says in the end that it is off for good.
func loseOne(r *drilled, dice *rand.Rand) func() {
	nodes := slices.DeleteFunc(r.found(r.c).Nodes, func(n ecp.NodeObservation) bool { return n.Role != ecp.RoleCore })
	if len(nodes) == 0 {
		return nil
	}
	lost := nodes[dice.IntN(len(nodes))].Ordinal
	require.NoError(r.t, r.sim.LoseMachine(r.id, lost))
	return func() {
		if err := r.sim.FenceMachine(r.id, lost); !errors.Is(err, ecp.ErrNotFound) {
			require.NoError(r.t, err)
		}
		<-time.After(time.Minute)
		if r.record().Status.State == ecp.Degraded || r.record().Status.State == ecp.Abnormal {
			_, err := r.c.Do(asSystem(), ecp.Repair{})
			require.NoError(r.t, err)
		}
	}
}

// disturbed are the operations that troubles meet.
var disturbed = []operation{
	{name: "none", cmd: patched(`{"evacuation":{"rate":400}}`)},
	{name: "create"},
	{name: "stop", cmd: ecp.Stop{}, end: ecp.Stopped},
	{name: "start", first: stopped, cmd: ecp.Start{}},
	{name: "restart", cmd: ecp.Restart{}},
	{name: "scale out", cmd: patched(`{"nodes":5}`)},
	{name: "scale in", cmd: patched(`{"nodes":1}`)},
	{name: "image", cmd: upgrade},
	{name: "resize in place", cmd: patched(`{"size":"more"}`)},
	{name: "network", cmd: patched(`{"network":{"type":"LoadBalancer"}}`)},
	{name: "connections", cmd: patched(`{"connections":600}`)},
	{name: "config", cmd: patched(`{"config":{"mqtt.max_packet_size":"2MB"}}`)},
	{name: "replicants", cmd: twoReplicants[0]},
}

// TestTroubles: whatever goes wrong, from a cluster that runs and in the middle of an operation, what is
// shown is true meanwhile, and once it is over the end is that of an operation which met no trouble.
func TestTroubles(t *testing.T) {
	type cell struct {
		trouble
		operation
	}
	var cells []cell
	for _, tr := range troubles {
		for _, op := range disturbed {
			if len(tr.only) == 0 || slices.Contains(tr.only, op.name) {
				cells = append(cells, cell{tr, op})
			}
		}
	}
	times, dice := 2, dice(t)
	if !long() {
		dice.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		cells, times = cells[:12], 1
	}
	ends := map[string]string{}
	for _, op := range disturbed {
		if slices.ContainsFunc(cells, func(c cell) bool { return c.operation.name == op.name }) {
			inDrillOf(t, op, func(r *drilled) {
				r.through(r.gate("", 0))
				require.NoError(r.t, r.command())
				ends[op.name] = waiting{}.settledShape(r)
			})
		}
	}
	for _, c := range cells {
		for range times {
			seed := dice.Uint64()
			t.Run(c.trouble.name+", "+c.operation.name, func(t *testing.T) {
				t.Parallel()
				inDrillOf(t, c.operation, func(r *drilled) {
					r.meets(c.trouble, rand.New(rand.NewPCG(seed, 0)), ends[c.operation.name])
				})
			})
		}
	}
}

// meets lets the operation meet the trouble at some moment.
func (r *drilled) meets(tr trouble, dice *rand.Rand, want string) {
	r.through(r.gate("", 0))
	require.NoError(r.t, r.command())
	moment := time.Duration(dice.IntN(2500)) * time.Millisecond
	if dice.IntN(2) == 0 {
		moment *= 30
	}
	<-time.After(moment)
	lasts := time.Duration(5+dice.IntN(60)) * time.Second
	switch {
	case r.operation.name == "none":
		lasts = 12 * time.Minute
	case dice.IntN(4) == 0:
		lasts = 50 * time.Minute // no operation has so much time
	}
	r.t.Logf("after %s, for %s", moment, lasts)
	end := tr.begin(r, dice)
	if end == nil {
		return
	}
	shown := tr.shows == nil || r.operation.name != "none"
	for began := time.Now(); time.Since(began) < lasts; <-time.After(5 * time.Second) {
		if tr.holds != nil {
			require.Empty(r.t, tr.holds(r), "after %s", time.Since(began))
		}
		shown = shown || tr.shows(r)
		require.True(r.t, shown || time.Since(began) < 10*time.Minute, "it is not shown: %+v", r.get(r.c).Status)
	}
	end()
	r.until("it is over", func() bool {
		rec := r.record()
		return !rec.Status.State.Unsteady() && rec.Status.State != ecp.Degraded && rec.Status.State != ecp.Abnormal
	}, func() any { return r.record().Status })
	for _, o := range r.operations() {
		if strings.HasPrefix(tr.name, "API server") || strings.HasPrefix(tr.name, "target") {
			require.Equal(r.t, ecp.PhaseSucceeded, o.Phase, "time in which nothing is seen does not count: %s", o.Error)
		}
		require.True(r.t, o.Phase.Final(), "%+v", o)
	}
	r.same(want, waiting{}.settledShape(r))
}
