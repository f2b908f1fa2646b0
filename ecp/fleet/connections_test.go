package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// divides is a version of EMQX on which booked numbers are divided between nodes, with the
// license that it runs with.
type divides struct {
	image   string
	license emqxsim.License
}

var (
	four = divides{"emqx-ee-4.4.24", emqxsim.License{Limit: 10_000}}
	five = divides{"emqx-ee-5.8.9", emqxsim.License{Limit: 10_000}}
	ten  = divides{"5.10.1", emqxsim.License{Limit: 10_000}}
	six  = divides{"emqx-ee-6.2.2", emqxsim.License{Limit: 10_000}}
)

// dynamic is ten with a license that takes a limit at run time.
var dynamic = divides{"5.10.1", emqxsim.License{Limit: 10_000, CustomerType: emqxsim.BusinessCriticalCustomer}}

// runs gives a cluster of three nodes that runs.
func (v divides) runs(t *testing.T, test func(r *rig, c ecp.Cluster, d *diary)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRigOn(t, memstore.New(), emqxsim.ProvisionerConfig{License: &v.license})
		defer func() { r.stop() }()
		r.sealer = aRing(t, "a")
		r.make(r.store, &r.applied)
		if v != four && v != five { // several nodes need a license
			_, err := r.m.Catalog.Licenses.Create(asSystem(),
				ecp.License{Name: "prod", Format: ecp.LicenseV5, Default: true},
				ecp.Secret(emqxsim.LicenseKey(v.license)))
			require.NoError(t, err)
		}
		c, d := r.runningOn(v.image, 3)
		test(r, c, d)
	})
}

// limits are those of a cluster's listeners for clients, as EMQX tells them: "20 20 20" for
// three nodes, or several such where listeners differ.
func (r *rig) limits(c ecp.Cluster) string {
	r.t.Helper()
	f := r.found(c)
	i := slices.IndexFunc(f.Nodes, func(n ecp.NodeObservation) bool { return n.Ready })
	require.GreaterOrEqual(r.t, i, 0, "no node is ready")
	e, err := r.sim.Endpoint(context.Background(), c.ID(), f.Nodes[i].Name)
	require.NoError(r.t, err)
	adapter := emqxv5.New(emqxv5.Config{})
	if strings.HasPrefix(r.get(c).Resolved.Image.Version, "4") {
		adapter = emqxv4.New(emqxv4.Config{})
	}
	b, err := adapter.Open(e)
	require.NoError(r.t, err)
	defer b.Close()
	all, err := b.(ecp.ListenerManager).Listeners(context.Background())
	require.NoError(r.t, err)
	var out []string
	for _, l := range all {
		if strings.HasPrefix(l.Bind, "127.") {
			continue
		}
		var each []string
		for _, n := range l.Nodes {
			each = append(each, fmt.Sprint(n.Limit))
		}
		out = append(out, strings.Join(each, " "))
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

// enforced is what is shown of a cluster's connections.
func (r *rig) enforced(c ecp.Cluster) string {
	r.t.Helper()
	now := r.get(c).Current
	return fmt.Sprint(now.Limit, " ", now.EnforcedBy)
}

func (r *rig) untilLimits(c ecp.Cluster, want string) {
	r.t.Helper()
	r.until("limits "+want, func() bool { return r.limits(c) == want }, func() any { return r.limits(c) })
}

func (r *rig) untilEnforced(c ecp.Cluster, want string) {
	r.t.Helper()
	r.until("shown "+want, func() bool { return r.enforced(c) == want }, func() any { return r.enforced(c) })
}

func notes(p ecp.Plan) string { return strings.Join(p.Notes, "\n") }

func (r *rig) plan(c ecp.Cluster, patch string) ecp.Plan {
	r.t.Helper()
	p, err := c.Plan(asSystem(), ecp.Update{Patch: json.RawMessage(patch)})
	require.NoError(r.t, err)
	return p
}

// A change of connections is in force when its operation has ended, and restarts no node.
func TestConnectionsOfARunningCluster(t *testing.T) {
	for _, v := range []divides{five, ten, six} {
		t.Run(v.image, func(t *testing.T) {
			v.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
				require.Equal(t, "20 20 20", r.limits(c), "nodes start with their share")
				require.Equal(t, "60 listeners", r.enforced(c))
				ran := pods(r.found(c))
				plan := r.plan(c, `{"connections":600}`)
				require.Equal(t, []string{"objects", "nodes", "members", "limit-set"}, plan.Steps)
				require.Contains(t, notes(plan),
					"each listener takes 200 connections on each node: 600 over 3 nodes, up to 600 in all")
				require.NotContains(t, notes(plan), "replaced")
				op := r.ends(r.change(c, `{"connections":600}`), ecp.PhaseSucceeded)
				require.Equal(t, "objects 1/1 nodes 3/3 members 3/3 limit-set 1/1 ", done(op))
				require.Equal(t, "running updating syncing running", d.states())
				require.Equal(t, "200 200 200", r.limits(c))
				require.Equal(t, "600 listeners", r.enforced(c))

				connected := r.clients(c, 500)
				r.until("clients are counted", func() bool { return r.get(c).Current.Current == 500 },
					func() any { return r.get(c).Current })
				plan = r.plan(c, `{"connections":100}`)
				require.Contains(t, notes(plan),
					"500 clients are connected and the limit is 100: EMQX drops no client that is connected")
				r.ends(r.change(c, `{"connections":100}`), ecp.PhaseSucceeded)
				require.Equal(t, "34 34 34", r.limits(c))
				require.Equal(t, "102 listeners", r.enforced(c))
				require.Equal(t, 500, connected(), "none is cut")
				r.sim.Cluster(c.ID()).Disconnect("c", 500)
				r.sim.Cluster(c.ID()).Reconnect("c", 500)
				<-time.After(2 * time.Minute)
				require.Equal(t, 102, connected(), "new ones find room below the limit only")
				require.Equal(t, ran, pods(r.found(c)), "nothing restarts")
				available := ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondAvailable)
				require.Equal(t, ecp.True, available.Status, "listeners that are full serve: %s", available.Message)
			})
		})
	}
}

// EMQX 4.4 reads its limits when it starts only.
func TestConnectionsOfEMQX4(t *testing.T) {
	four.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
		require.Equal(t, "20 20 20", r.limits(c))
		require.Equal(t, "60 listeners", r.enforced(c))
		ran := pods(r.found(c))
		plan := r.plan(c, `{"connections":600}`)
		require.Equal(t, []string{"objects", "nodes-replaced", "nodes", "members"}, plan.Steps)
		require.Contains(t, notes(plan),
			"EMQX 4 reads that only when it starts\n3 nodes are replaced, one at a time")
		r.ends(r.change(c, `{"connections":600}`), ecp.PhaseSucceeded)
		for _, uid := range pods(r.found(c)) {
			require.NotContains(t, ran, uid)
		}
		require.Equal(t, "200 200 200", r.limits(c))
		r.untilEnforced(c, "600 listeners")

		ran = pods(r.found(c))
		plan = r.plan(c, `{"nodes":4}`)
		require.Contains(t, notes(plan),
			"nodes that run keep what they have until they are replaced")
		r.ends(r.change(c, `{"nodes":4}`), ecp.PhaseSucceeded)
		require.Subset(t, pods(r.found(c)), ran, "more nodes restart none")
		require.Equal(t, "200 200 200 150", r.limits(c))
		r.untilEnforced(c, "750 none")

		require.Contains(t, notes(r.plan(c, `{"nodes":2}`)), "until they are replaced, and together they may take "+
			"fewer than are booked; a restart replaces them")
		r.ends(r.change(c, `{"nodes":2}`), ecp.PhaseSucceeded)
		require.Equal(t, "200 200", r.limits(c))
		r.untilEnforced(c, "400 listeners")
		r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
		r.untilEnforced(c, "600 listeners")
	})
}

// A license that takes a limit at run time gets it, and listeners divide nothing.
func TestConnectionsByTheLicense(t *testing.T) {
	dynamic.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
		require.Equal(t, "60 60 60", r.limits(c))
		require.Equal(t, "60 license", r.enforced(c))
		ran := pods(r.found(c))
		r.ends(r.change(c, `{"connections":600}`), ecp.PhaseSucceeded)
		require.Equal(t, "600 600 600", r.limits(c))
		require.Equal(t, "600 license", r.enforced(c))
		require.Equal(t, ran, pods(r.found(c)))

		require.NoError(t, r.sim.DeletePod(c.ID(), 1))
		r.until("the node is back with what is booked", func() bool {
			return !slices.Equal(ran, pods(r.found(c))) && r.get(c).ReadyNodes == 3 && r.limits(c) == "600 600 600"
		}, func() any { return r.limits(c) })
	})
}

// What EMQX refuses fails the operation, in its words. The spec stays, and so does what is
// tried: EMQX may take it later.
func TestRefusedConnections(t *testing.T) {
	five.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
		mend := r.sim.Cluster(c.ID()).AddFault(emqxsim.Fault{
			Method: http.MethodPut, Path: "/api/v5/listeners/**", Status: http.StatusBadRequest,
			Body: `{"code":"BAD_REQUEST","message":"the full moon"}`, ContentType: "application/json",
		})
		op := r.ends(r.change(c, `{"connections":600}`), ecp.PhaseFailed)
		require.Contains(t, op.Error, "EMQX does not take its connection limit")
		require.Contains(t, op.Error, "the full moon")
		info := r.get(c)
		require.Equal(t, ecp.Abnormal, info.Status.State)
		require.Equal(t, ecp.ReasonSyncFailed, info.Status.Reason)
		require.Equal(t, 600, info.Spec.Connections())
		require.Equal(t, "60 listeners", r.enforced(c), "what EMQX keeps to, and not what is asked for")
		mend()
		r.reaches(c, ecp.Running)
		require.Equal(t, "600 listeners", r.enforced(c))
	})
}

// More nodes have smaller shares, fewer have larger ones, and a node that is away leaves its
// share to the others. Whoever comes back gets its own.
func TestSharesFollowTheNodes(t *testing.T) {
	five.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
		ran := pods(r.found(c))
		require.Equal(t, []string{"objects", "nodes", "members", "limit-set"}, r.plan(c, `{"nodes":5}`).Steps)
		r.ends(r.change(c, `{"nodes":5,"connections":50}`), ecp.PhaseSucceeded)
		require.Equal(t, "10 10 10 10 10", r.limits(c))
		require.Equal(t, "50 listeners", r.enforced(c))
		require.Subset(t, pods(r.found(c)), ran)
		r.ends(r.change(c, `{"nodes":2}`), ecp.PhaseSucceeded)
		require.Equal(t, "25 25", r.limits(c))
		require.Equal(t, "50 listeners", r.enforced(c))

		require.NoError(t, r.sim.KillNode(c.ID(), 1))
		r.untilLimits(c, "50")
		require.NoError(t, r.sim.ReviveNode(c.ID(), 1))
		r.untilLimits(c, "25 25")
		r.untilEnforced(c, "50 listeners")
	})
}

// While nodes are replaced the others have room for their clients, however full they are.
func TestRollingWithFullListeners(t *testing.T) {
	five.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
		r.ends(r.change(c, `{"connections":99}`), ecp.PhaseSucceeded)
		connected := r.clients(c, 99)
		r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
		r.until("all are back", func() bool { return connected() == 99 }, func() any { return connected() })
		require.Equal(t, "33 33 33", r.limits(c))
		for _, e := range r.evacuated(c) {
			require.Equal(t, e.Clients, e.Returned, "%+v", e)
		}
	})
}

func (r *rig) evacuated(c ecp.Cluster) (out []ecp.EvacuatedNode) {
	r.t.Helper()
	page, err := r.m.Operations(asSystem(), c.ID(), fleet.OperationOptions{})
	require.NoError(r.t, err)
	for _, o := range page.Items {
		out = append(out, o.Evacuated...)
	}
	require.NotEmpty(r.t, out)
	return out
}

// What somebody sets in EMQX's dashboard does not stay, and no newer build nor a restart of
// this one touches what an earlier build has left as it was.
func TestBookingWinsOverTheDashboard(t *testing.T) {
	five.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
		r.sim.Cluster(c.ID()).SetListener("tcp:default", 500, true)
		require.Contains(t, r.limits(c), "500 500 500")
		r.untilLimits(c, "20 20 20")
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		require.Equal(t, "running", d.states())

		r.ends(r.change(c, `{"config":{"listeners.tcp.default.max_connections":"7"}}`), ecp.PhaseSucceeded)
		r.sim.Cluster(c.ID()).SetListener("tcp:default", 7, true)
		<-time.After(5 * time.Minute)
		require.Equal(t, "20 20 20, 7 7 7", r.limits(c), "what the spec sets itself is left to it")
		require.Equal(t, "60 listeners", r.enforced(c))
	})
}
