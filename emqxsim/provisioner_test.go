package emqxsim_test

import (
	"errors"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/stretchr/testify/require"
)

func TestNodeNamesAreThoseOnKubernetes(t *testing.T) {
	h := newHouse(t)
	for version, want := range map[string]string{
		"4.4.24": "emqx@emqx-0000000a-emqx-ee-1.emqx-0000000a-headless.emqx-0000000a.svc.cluster.local",
		"5.8.9":  "emqx@emqx-0000000b-emqx-1.emqx-0000000b-headless.emqx-0000000b.svc.cluster.local",
	} {
		id := ecp.ID(want[5:18])
		h.apply(wanted(id, version, 2))
		o := h.observe(id)
		require.Equal(t, want, o.Nodes[1].Name)
		require.Equal(t, "data-"+o.Nodes[1].Pod, o.Volumes[1].Name)
		require.Equal(t, string(id)+".lb.example", o.Endpoints.External[0].Host)
		require.Len(t, o.Endpoints.External, 4)
	}
}

func TestEndpointFollowsTheNode(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	h.apply(wanted(id, "5.8.9", 2))
	name := h.observe(id).Nodes[1].Name
	e, err := h.Endpoint(t.Context(), id, name)
	require.NoError(t, err)
	_, err = h.Endpoint(t.Context(), id, "")
	require.ErrorIs(t, err, ecp.ErrUnavailable, "no node is ready yet")
	_, err = try(t.Context(), e, "/status")
	require.ErrorIs(t, err, syscall.ECONNREFUSED, "it boots")

	h.advance(8 * time.Second)
	require.Len(t, statuses(t, e), 2)
	require.NoError(t, h.KillNode(id, 1))
	_, err = try(t.Context(), e, "/status")
	require.ErrorIs(t, err, syscall.ECONNREFUSED, "it is dead")
	other, err := h.Endpoint(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, "stopped", statuses(t, other)[name])

	require.NoError(t, h.ReviveNode(id, 1))
	h.advance(8 * time.Second)
	require.Equal(t, "running", statuses(t, e)[name])
	require.Equal(t, 1, h.observe(id).Nodes[1].Restarts)

	e.Credentials.Password = "wrong"
	status, _ := get(t, e, "/api/v5/nodes")
	require.Equal(t, http.StatusUnauthorized, status)
	require.NoError(t, h.DeleteAuth(id))
	_, err = h.Endpoint(t.Context(), id, "")
	require.ErrorIs(t, err, ecp.ErrUnavailable, "there is no key")
}

func TestScaledInNodeStaysAMember(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	d := wanted(id, "5.8.9", 2)
	h.apply(d)
	h.advance(time.Minute)
	gone := h.observe(id).Nodes[1].Name
	d.Replicas, d.Spec.Nodes, d.Create = 1, 1, false
	h.apply(d)
	h.advance(time.Minute)
	require.NoError(t, h.DeleteService(id)) // stores the cluster without the node
	h.reopen()
	e, err := h.Endpoint(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, "stopped", statuses(t, e)[gone], "until it is made to leave")
}

func TestKillAllAndReviveAll(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	h.apply(wanted(id, "5.8.9", 3))
	h.advance(time.Minute)
	require.NoError(t, h.KillAll(id))
	o := h.observe(id)
	require.Zero(t, readyNodes(o))
	require.Equal(t, h.Now(), o.Nodes[0].Since)
	h.advance(time.Hour)
	require.Zero(t, readyNodes(h.observe(id)))
	require.NoError(t, h.ReviveAll(id))
	h.advance(8 * time.Second)
	require.Equal(t, 3, readyNodes(h.observe(id)))
}

func TestBrokenPodIsMendedByReplacing(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	d := wanted(id, "5.8.9", 2)
	h.apply(d)
	h.advance(time.Minute)
	require.NoError(t, h.Break(id, 0, "ImagePullBackOff"))
	require.NoError(t, h.ReviveNode(id, 0), "a broken pod does not revive")
	h.advance(time.Hour)
	n := h.observe(id).Nodes[0]
	require.True(t, n.Broken && !n.Ready)
	require.Equal(t, "ImagePullBackOff", n.Reason)

	d.Roll = []int{0}
	h.apply(d)
	h.advance(10 * time.Second)
	require.True(t, h.observe(id).Converged)
	require.NoError(t, h.Break(id, 1, "CrashLoopBackOff"))
	require.NoError(t, h.Break(id, 1, ""))
	h.advance(8 * time.Second)
	require.True(t, h.observe(id).Converged)
}

func TestRollKeepsTheDisruptionBudget(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	d := wanted(id, "5.8.9", 3)
	h.apply(d)
	h.advance(time.Minute)
	before := h.observe(id)
	d.Roll = []int{2, 1}
	require.ErrorIs(t, h.Apply(t.Context(), d), ecp.ErrUnavailable, "two at a time")
	o := h.observe(id)
	require.True(t, o.Nodes[2].Terminating)
	require.Equal(t, before.Nodes[1], o.Nodes[1])
}

func TestWithoutKeysNoPodStarts(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	d := wanted(id, "5.8.9", 2)
	h.apply(d)
	h.advance(time.Minute)
	require.NoError(t, h.DeleteAuth(id))
	require.NoError(t, h.DeletePod(id, 1))
	h.advance(time.Minute)
	o := h.observe(id)
	require.True(t, o.Nodes[0].Ready, "who runs goes on")
	require.True(t, o.Nodes[1].Broken)
	require.Equal(t, "CreateContainerConfigError", o.Nodes[1].Reason)
	require.Contains(t, o.Nodes[1].Message, string(id)+"-auth")
	h.apply(d)
	h.advance(8 * time.Second)
	require.True(t, h.observe(id).Converged)
}

// TestClaimInUse: nothing comes up empty unless somebody says so.
func TestClaimInUse(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	d := wanted(id, "5.8.9", 2)
	h.apply(d)
	h.advance(time.Minute)
	before := h.observe(id)
	require.NoError(t, h.DeleteClaim(id, 1))
	require.True(t, h.observe(id).Volumes[1].Terminating)
	require.True(t, h.observe(id).Nodes[1].Ready, "a pod keeps its volume")
	require.NoError(t, h.DeletePod(id, 1))
	h.advance(time.Hour)
	o := h.observe(id)
	require.Len(t, o.Volumes, 1)
	require.Len(t, o.Nodes, 1)

	var lost *ecp.Loss
	d.Create = false
	require.ErrorAs(t, h.Apply(t.Context(), d), &lost)
	require.Equal(t, "claim "+before.Volumes[1].Name, lost.What)
	d.Replicas = 0
	require.ErrorIs(t, h.Apply(t.Context(), d), ecp.ErrConflict)
	require.Zero(t, h.observe(id).Replicas, "nodes may be stopped whatever is lost")
	h.advance(time.Minute)

	d.Replicas, d.Create = 2, true
	h.apply(d)
	h.advance(time.Minute)
	o = h.observe(id)
	require.True(t, o.Converged)
	require.Equal(t, before.Volumes[0], o.Volumes[0])
	require.NotEqual(t, before.Volumes[1].UID, o.Volumes[1].UID)
}

// TestLosingAClaimIsAccepted while its pod runs: the pod goes, then the claim,
// and both come anew.
func TestLosingAClaimIsAccepted(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	d := wanted(id, "5.8.9", 2)
	h.apply(d)
	h.advance(time.Minute)
	before := h.observe(id)
	require.NoError(t, h.DeleteClaim(id, 0))
	h.apply(d)
	h.reopen()
	h.advance(10 * time.Second)
	o := h.observe(id)
	require.True(t, o.Converged)
	require.NotEqual(t, before.Volumes[0].UID, o.Volumes[0].UID)
	require.False(t, o.Volumes[0].Terminating)
	d.Create = false
	h.apply(d)
}

func TestWhatCannotBeMadeIsRefused(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	for field, spoil := range map[string]func(d *ecp.Desired){
		"id":            func(d *ecp.Desired) { d.ID = "../etc" },
		"image.version": func(d *ecp.Desired) { d.Image.Version = "4.3.0" },
		"replicas":      func(d *ecp.Desired) { d.Replicas = -1 },
		"renderVersion": func(d *ecp.Desired) { d.RenderVersion = 2 },
	} {
		d := wanted(id, "5.8.9", 1)
		spoil(&d)
		var e *ecp.Error
		require.ErrorAs(t, h.Apply(t.Context(), d), &e)
		require.Equal(t, ecp.CodeInvalid, e.Code)
		require.Equal(t, field, e.Fields[0].Field)
	}
	h.apply(wanted(id, "4.4.24", 1))
	require.ErrorIs(t, h.Apply(t.Context(), wanted(id, "5.8.9", 1)), ecp.ErrUnsupported)
	require.Zero(t, h.observe(ecptest.NewID()).Nodes)
}

func TestHooksSayWhatIsNotThere(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	require.ErrorIs(t, h.DeletePod(id, 0), ecp.ErrNotFound)
	h.apply(wanted(id, "5.8.9", 1))
	require.ErrorIs(t, h.KillNode(id, 1), ecp.ErrNotFound)
	require.ErrorIs(t, h.DeleteClaim(id, 1), ecp.ErrNotFound)
	require.NoError(t, h.DeleteService(id))
	require.ErrorIs(t, h.DeleteService(id), ecp.ErrNotFound)
	require.NoError(t, h.DeleteAuth(id))
	require.ErrorIs(t, h.DeleteAuth(id), ecp.ErrNotFound)
	require.NoError(t, h.DeleteNamespace(id))
	require.ErrorIs(t, h.ScaleByHand(id, 1), ecp.ErrNotFound)
}

func TestFailApplyDoesNothing(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	boom := errors.New("boom")
	h.FailApply(boom)
	require.ErrorIs(t, h.Apply(t.Context(), wanted(id, "5.8.9", 1)), boom)
	require.False(t, h.observe(id).Exists)
	h.FailApply(nil)
	h.apply(wanted(id, "5.8.9", 1))
}

func TestForeignNamespaceComesAndGoes(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	require.NoError(t, h.SetForeign(id, "team-a"))
	h.reopen()
	require.Equal(t, ecp.Observation{ForeignOwner: "team-a"}, h.observe(id))
	require.NoError(t, h.Delete(t.Context(), id))
	require.Equal(t, "team-a", h.observe(id).ForeignOwner)
	require.NoError(t, h.SetForeign(id, ""))
	require.NoFileExists(t, h.file(id))
	h.apply(wanted(id, "5.8.9", 1))
}

// TestNodePortsAreNotSharedNorForgotten across clusters and restarts.
func TestNodePortsAreNotSharedNorForgotten(t *testing.T) {
	h := newHouse(t)
	ports := map[int]bool{}
	a, b := ecptest.NewID(), ecptest.NewID()
	for _, id := range []ecp.ID{a, b} {
		d := wanted(id, "5.8.9", 1)
		d.Spec.Network.Type = ecp.NodePort
		h.apply(d)
		h.reopen()
		for _, e := range h.observe(id).Endpoints.External {
			ports[e.Port] = true
		}
	}
	require.Len(t, ports, 8)
	before := h.observe(b).Endpoints
	require.NoError(t, h.DeleteNamespace(a))
	d := wanted(b, "5.8.9", 1)
	d.Spec.Network.Type, d.Generation = ecp.NodePort, 2
	d.Spec.Network.Annotations = map[string]string{"a": "b"}
	h.apply(d)
	require.Equal(t, before, h.observe(b).Endpoints, "addresses survive other changes")
}

func TestNewerRendererRollsNothingByItself(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	d := wanted(id, "5.8.9", 1)
	d.RenderVersion = 1
	h.apply(d)
	h.advance(time.Minute)
	h.cfg.RenderVersion = 2
	h.reopen()
	require.Equal(t, 2, h.RenderVersion())
	d.Create = false
	h.apply(d)
	require.Zero(t, h.Writes())
	require.True(t, h.observe(id).Converged)
	d.RenderVersion = 0
	h.apply(d)
	require.False(t, h.observe(id).Converged, "the newest is taken when asked for; pods wait for their turn")
}
