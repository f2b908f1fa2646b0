package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// replicantLife is what is done to a cluster of 3 core nodes and 2 replicants, in order, and
// how many replicants it has afterwards.
var replicantLife = []struct {
	name       string
	patch      string
	cmd        ecp.Command
	replicants int
}{
	{name: "scale out", patch: `{"replicants":{"nodes":4}}`, replicants: 4},
	{name: "scale in", patch: `{"replicants":{"nodes":1}}`, replicants: 1},
	{name: "scale out", patch: `{"replicants":{"nodes":3}}`, replicants: 3},
	{name: "resize", patch: `{"replicants":{"size":"2C4G"}}`, replicants: 3},
	{name: "scale in", patch: `{"nodes":2}`, replicants: 3},
	{name: "config", patch: `{"config":{"mqtt.max_packet_size":"2MB"}}`, replicants: 3},
	{name: "image", patch: `{"image":"later"}`, replicants: 3},
	{name: "restart", cmd: ecp.Restart{}, replicants: 3},
	{name: "stop", cmd: ecp.Stop{}},
	{name: "start", cmd: ecp.Start{}, replicants: 3},
	{name: "scale in", patch: `{"replicants":{"nodes":1}}`, replicants: 1},
	{name: "restart", cmd: ecp.Restart{}, replicants: 1},
	{name: "scale in", patch: `{"replicants":null}`},
	{name: "restart", cmd: ecp.Restart{}},
	{name: "scale out", patch: `{"replicants":{"nodes":2}}`, replicants: 2},
	{name: "delete", cmd: ecp.Delete{}},
}

// replicated makes a cluster of 3 core nodes and some replicants on EMQX 5.8.9.
func replicated(t *testing.T, r *rig, replicants int) ecp.Cluster {
	t.Helper()
	license := emqxsim.License{Limit: 10_000}
	r.sealer = aRing(t, "a")
	r.make(r.store, &r.applied)
	_, err := r.m.Catalog.Licenses.Create(asSystem(),
		ecp.License{Name: "prod", Format: ecp.LicenseV5, Default: true}, ecp.Secret(emqxsim.LicenseKey(license)))
	require.NoError(t, err)
	for id, version := range map[string]string{"first": "5.8.9", "later": "5.10.4"} {
		_, err := r.m.Catalog.Images.Create(asSystem(), ecp.Image{
			ID: id, Reference: "emqx/emqx-enterprise:" + version, Version: version}, "")
		require.NoError(t, err)
	}
	r.run()
	s := spec("first", 3)
	s.Hosted.Connections, s.Hosted.Replicants.Nodes = 600, replicants
	info, op, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s})
	require.NoError(t, err)
	c := r.m.Cluster(info.ID)
	r.ends(op, ecp.PhaseSucceeded)
	r.settled(c)
	return c
}

// inReplicantBubble runs a test with the cluster of replicated.
func inReplicantBubble(t *testing.T, replicants int, test func(r *rig, c ecp.Cluster)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		license := emqxsim.License{Limit: 10_000}
		r := newRigOn(t, memstore.New(), emqxsim.ProvisionerConfig{License: &license})
		defer func() { r.stop() }()
		test(r, replicated(t, r, replicants))
	})
}

// TestLifeWithReplicants: the states are those of docs/lifecycle.md, no client finds nobody
// to connect to and no session is lost, and clients are on replicants where there are any.
func TestLifeWithReplicants(t *testing.T) {
	documented := documentedStates(t)
	inReplicantBubble(t, 2, func(r *rig, c ecp.Cluster) {
		sim := r.sim.Cluster(c.ID())
		sim.AddClients(emqxsim.Clients{Name: "p", Count: 90, Persistent: true})
		r.until("connected", func() bool { return sim.Usage().Connected == 90 }, func() any { return sim.Usage() })
		for _, step := range replicantLife {
			stops := step.name == "stop" || step.name == "start"
			cmd := step.cmd
			if cmd == nil {
				cmd = ecp.Update{Patch: json.RawMessage(step.patch)}
			}
			plan, err := c.Plan(asSystem(), cmd)
			require.NoError(t, err)
			before, lost, refused := r.get(c), sim.Usage().Lost, sim.Refused()["no_node"]
			d := r.watch(c)
			r.ends(r.do(c, cmd), ecp.PhaseSucceeded)
			if step.name == "delete" {
				r.gone(c)
				d.stop()
				return
			}
			r.settled(c)
			require.Equal(t, documented[step.name], d.states(), "%s %s", step.name, step.patch)
			d.stop()
			found, info := r.found(c), r.get(c)
			require.Empty(t, found.Drift, step.name)
			require.True(t, found.Converged, step.name)
			require.Equal(t, step.replicants, rolesOf(info)["replicant"], step.name)
			require.Empty(t, info.ForeignMembers, step.name)
			planHolds(t, step.name+step.patch, plan, before, info)
			if step.replicants > 0 {
				require.Equal(t, (600+step.replicants-1)/step.replicants*step.replicants, info.Current.Limit, step.name)
			}
			if !stops {
				require.Equal(t, lost, sim.Usage().Lost, "%s %s: sessions were lost", step.name, step.patch)
				require.Equal(t, refused, sim.Refused()["no_node"], "%s %s: a client found nobody", step.name,
					step.patch)
			}
			if step.name == "start" || step.name == "restart" && step.replicants > 1 {
				r.until("connected", func() bool { return sim.Usage().Connected == 90 },
					func() any { return sim.Usage() })
				for name, u := range sim.Usage().Nodes {
					require.True(t, u.Connected == 0 || strings.Contains(name, "-replicant-"), "%s: %+v", step.name,
						sim.Usage())
				}
			}
		}
	})
}

// planHolds compares a plan with what has become of the nodes.
func planHolds(t *testing.T, what string, plan ecp.Plan, before, after ecp.Info) {
	t.Helper()
	was, is := rolesOf(before)["replicant"], rolesOf(after)["replicant"]
	if was == 0 && is == 0 {
		return
	}
	require.NotNil(t, plan.Replicants, what)
	p := *plan.Replicants
	require.Len(t, p.Added, max(0, is-was), what)
	require.Len(t, p.Removed, max(0, was-is)-len(p.Stopped), what)
	uids := map[string]string{}
	for _, n := range before.Nodes {
		uids[n.Pod] = n.PodUID
	}
	for _, n := range after.Nodes {
		of := plan.Nodes
		if n.Role == "replicant" {
			of = p
		}
		if uid, stays := uids[n.Pod]; stays {
			replaced := false
			for _, i := range of.Replaced {
				replaced = replaced || i == n.Ordinal
			}
			require.Equal(t, replaced, uid != n.PodUID, "%s: %s", what, n.Pod)
		}
	}
}

func rolesOf(info ecp.Info) map[string]int {
	out := map[string]int{}
	for _, n := range info.Nodes {
		out[n.Role]++
	}
	return out
}

// TestCoresAreUpgradedFirst: a replicant serves only beside a core node of its version.
func TestCoresAreUpgradedFirst(t *testing.T) {
	inReplicantBubble(t, 2, func(r *rig, c ecp.Cluster) {
		from := len(r.applied.all)
		r.ends(r.do(c, ecp.Update{Patch: json.RawMessage(`{"image":"later","replicants":{"nodes":3}}`)}),
			ecp.PhaseSucceeded)
		var order []string
		for _, d := range r.applied.all[from:] {
			for _, i := range d.Roll {
				order = append(order, fmt.Sprint("core ", i))
			}
			for _, i := range d.Replicants.Roll {
				order = append(order, fmt.Sprint("replicant ", i))
			}
		}
		require.Equal(t, "core 2, core 1, replicant 1, replicant 0, core 0", strings.Join(order, ", "))
	})
}

// TestReplicantAway: a replicant that goes outside a plan degrades the cluster; clients go to
// the others, and to core nodes where there is no other.
func TestReplicantAway(t *testing.T) {
	inReplicantBubble(t, 2, func(r *rig, c ecp.Cluster) {
		sim := r.sim.Cluster(c.ID())
		sim.AddClients(emqxsim.Clients{Name: "p", Count: 40})
		connected := func() {
			t.Helper()
			r.until("connected", func() bool { return sim.Usage().Connected == 40 }, func() any { return sim.Usage() })
		}
		connected()
		require.NoError(t, r.sim.KillReplicant(c.ID(), 1))
		info := r.reaches(c, ecp.Degraded)
		require.Equal(t, ecp.ReasonNodeDown, info.Status.Reason)
		require.Contains(t, info.Status.Message, "-emqx-replicant-1")
		connected()
		require.NoError(t, r.sim.KillReplicant(c.ID(), 0))
		r.until("cores in front", func() bool { return !r.found(c).ReplicantsInFront },
			func() any { return r.found(c) })
		connected()
		require.NoError(t, r.sim.ReviveReplicant(c.ID(), 0))
		require.NoError(t, r.sim.DeleteReplicant(c.ID(), 1))
		r.reaches(c, ecp.Running)
		r.settled(c)
		require.True(t, r.found(c).ReplicantsInFront)
	})
}

// A replicant, too, stays where its successor would be refused, and its clients come back to it.
func TestAReplicantWhoseSuccessorIsRefused(t *testing.T) {
	inReplicantBubble(t, 2, func(r *rig, c ecp.Cluster) {
		connected := r.clients(c, 9)
		op := r.do(c, ecp.Restart{})
		r.until("a replicant's clients leave", func() bool {
			l := r.get(c).Status.Draining
			return l != nil && strings.Contains(l.Node, "replicant")
		}, func() any { return r.get(c).Status })
		before := pods(r.found(c))
		require.NoError(t, r.sim.RefusePods(c.ID(), "exceeded quota: project-quota"))
		r.until("they may come back", func() bool { return r.get(c).Status.Draining == nil },
			func() any { return r.get(c).Status })
		r.looked(20)
		require.Contains(t, r.get(c).Waits, "replicant-1 stays as it is: ")
		require.Nil(t, r.get(c).Status.Draining)
		require.Equal(t, before, pods(r.found(c)))
		require.NoError(t, r.sim.RefusePods(c.ID(), ""))
		r.ends(op, ecp.PhaseSucceeded)
		r.until("all are served", func() bool { return connected() == 9 }, func() any { return connected() })
	})
}

// bare is a platform that makes no replicants.
type bare struct{ ecp.Provisioner }

// TestReplicantsRefused: where the version or the platform has none the field is named.
func TestReplicantsRefused(t *testing.T) {
	refused := func(t *testing.T, err error, why string) {
		t.Helper()
		var e *ecp.Error
		require.ErrorIs(t, err, ecp.ErrUnsupported)
		require.True(t, errors.As(err, &e))
		require.Equal(t, "spec.replicants", e.Fields[0].Field)
		require.Contains(t, e.Fields[0].Message, why)
	}
	with := func(image string) fleet.CreateRequest {
		s := spec(image, 3)
		s.Hosted.Replicants.Nodes = 2
		return fleet.CreateRequest{Mode: ecp.Hosted, Name: "b", Spec: s}
	}
	inBubble(t, func(r *rig) {
		r.run()
		_, _, err := r.m.Create(asSystem(), with("emqx-ee-4.4.24"))
		refused(t, err, "EMQX 4.4.24 has no replicants")
		info, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a",
			Spec: spec("emqx-ee-4.4.24", 1)})
		require.NoError(t, err)
		_, err = r.m.Cluster(info.ID).Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"replicants":{"nodes":1}}`)})
		refused(t, err, "EMQX 4.4.24 has no replicants")
		_, err = r.m.Cluster(info.ID).Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"replicants":{"nodes":21}}`)})
		require.ErrorIs(t, err, ecp.ErrInvalid)
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.New())
		r.make(r.store, bare{r.sim})
		r.run()
		defer func() { r.stop() }()
		_, _, err := r.m.Create(asSystem(), with("emqx-ee-5.8.9"))
		refused(t, err, "makes no replicants")
	})
}
