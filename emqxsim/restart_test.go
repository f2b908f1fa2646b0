package emqxsim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// house is a platform in a directory that can be torn down and opened again,
// as after a kill -9: nothing is written at the end.
type house struct {
	*emqxsim.Provisioner
	t   *testing.T
	cfg emqxsim.ProvisionerConfig
	*clock
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, clock: newClock()}
	h.cfg = emqxsim.ProvisionerConfig{
		Dir: t.TempDir(), Now: h.Now, BootTime: 8 * time.Second, StopTime: 2 * time.Second,
		TerminateTime: 4 * time.Second,
	}
	h.reopen()
	return h
}

func (h *house) reopen() {
	h.t.Helper()
	h.Provisioner = newProvisioner(h.t, h.cfg)
}

func (h *house) apply(d ecp.Desired) {
	h.t.Helper()
	require.NoError(h.t, h.Apply(h.t.Context(), d))
}

func (h *house) observe(id ecp.ID) ecp.Observation {
	h.t.Helper()
	o, err := h.Observe(h.t.Context(), id)
	require.NoError(h.t, err)
	return o
}

// wanted is a cluster of n nodes.
func wanted(id ecp.ID, version string, n int) ecp.Desired {
	d := ecp.Desired{
		ID: id, Project: "default/default", Name: "one", Generation: 1, Replicas: n, Create: true,
		Image: ecp.Image{ID: "image", Reference: "emqx/emqx:" + version, Version: version}, Size: ecp.DefaultSizes()[0],
		Spec: ecp.HostedSpec{Nodes: n, Connections: 10, Power: ecp.PowerOn,
			Network: ecp.Network{Type: ecp.LoadBalancer}},
	}
	return d
}

// readyNodes counts the nodes that are ready and not going.
func readyNodes(o ecp.Observation) int {
	n := 0
	for _, node := range o.Nodes {
		if node.Ready {
			n++
		}
	}
	return n
}

func TestRestartWhileBooting(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	h.apply(wanted(id, "5.8.9", 3))
	h.advance(3 * time.Second)
	before := h.observe(id)
	require.Zero(t, readyNodes(before))
	require.False(t, before.Converged)

	h.reopen()
	require.Equal(t, before, h.observe(id), "a restart changes nothing")
	h.advance(5*time.Second - 1)
	require.Zero(t, readyNodes(h.observe(id)))
	h.advance(1)
	o := h.observe(id)
	require.Equal(t, 3, readyNodes(o), "a pod boots BootTime after it was made, whoever looks")
	require.True(t, o.Converged)
	require.Zero(t, h.Writes(), "time alone writes nothing")
	h.apply(wanted(id, "5.8.9", 3))
	require.Zero(t, h.Writes(), "nor does what changes nothing")
}

func TestRestartWhileStopping(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	d := wanted(id, "4.4.24", 2)
	h.apply(d)
	h.advance(time.Minute)
	before := h.observe(id)
	d.Replicas, d.Generation, d.Create = 0, 2, false
	h.apply(d)
	h.advance(time.Second)
	going := h.observe(id)
	require.Len(t, going.Nodes, 2)
	require.True(t, going.Nodes[0].Terminating && !going.Nodes[0].Ready)

	h.reopen()
	require.Equal(t, going, h.observe(id))
	h.advance(time.Second)
	o := h.observe(id)
	require.Empty(t, o.Nodes)
	require.True(t, o.Converged)
	require.Equal(t, before.Volumes, o.Volumes)
	require.Equal(t, before.Auth, o.Auth)
	require.Equal(t, before.Endpoints, o.Endpoints)
}

func TestRestartWhileTerminating(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	h.apply(wanted(id, "5.8.9", 1))
	h.advance(time.Minute)
	require.NoError(t, h.Delete(t.Context(), id))
	h.advance(3 * time.Second)
	o := h.observe(id)
	require.True(t, o.Exists && o.Terminating)
	require.ErrorIs(t, h.Apply(t.Context(), wanted(id, "5.8.9", 1)), ecp.ErrConflict, "not while it goes")

	h.reopen()
	require.Equal(t, o, h.observe(id))
	h.advance(time.Second)
	require.Equal(t, ecp.Observation{Replicas: -1}, h.observe(id))
	require.FileExists(t, h.file(id))
	h.reopen()
	require.NoFileExists(t, h.file(id), "what has gone is swept away")
	h.apply(wanted(id, "5.8.9", 1))
}

func (h *house) file(id ecp.ID) string { return filepath.Join(h.cfg.Dir, string(id)+".json") }

func TestPodReplacedWhileNobodyLooked(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	h.apply(wanted(id, "5.8.9", 2))
	h.advance(time.Minute)
	before := h.observe(id)
	require.NoError(t, h.DeletePod(id, 1))
	deleted := h.Now()
	h.reopen()
	h.advance(time.Hour)
	o := h.observe(id)
	require.True(t, o.Converged)
	require.NotEqual(t, before.Nodes[1].PodUID, o.Nodes[1].PodUID)
	require.Equal(t, before.Nodes[0], o.Nodes[0])
	require.Equal(t, deleted.Add(10*time.Second), o.Nodes[1].Since, "2 s to go and 8 s to boot")
	require.Equal(t, o, h.observe(id), "the pod in its place is the same one at every look")
}

func TestCorruptFilesAreNamed(t *testing.T) {
	id, other := ecptest.NewID(), ecptest.NewID()
	for name, content := range map[string]string{
		"cut off":     `{"id":"` + string(id) + `","pods":[{"ordinal":`,
		"empty":       "",
		"not JSON":    "hello",
		"newer":       `{"id":"` + string(id) + `","invention":1}`,
		"of somebody": `{"id":"` + string(other) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, string(id)+".json")
			require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
			p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{Dir: dir})
			require.Nil(t, p)
			require.ErrorContains(t, err, file)
		})
	}
}

// TestUnfinishedWriteIsNotThere: what a crash leaves beside the files is not
// taken for one of them.
func TestUnfinishedWriteIsNotThere(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	h.apply(wanted(id, "5.8.9", 1))
	o := h.observe(id)
	require.NoError(t, os.WriteFile(h.file(id)+".unfinished", []byte(`{"id":`), 0o600))
	h.reopen()
	require.Equal(t, o, h.observe(id))
	require.NoError(t, h.DeletePod(id, 0))
	require.NoFileExists(t, h.file(id)+".unfinished")
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	h.apply(wanted(id, "5.8.9", 1))
	info, err := os.Stat(h.file(id))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	b, err := os.ReadFile(h.file(id))
	require.NoError(t, err)
	require.True(t, json.Valid(b))
}

// TestFailedWriteIsNoChange: what could not be stored did not happen.
func TestFailedWriteIsNoChange(t *testing.T) {
	h, id := newHouse(t), ecptest.NewID()
	h.apply(wanted(id, "5.8.9", 1))
	before := h.observe(id)
	require.NoError(t, os.RemoveAll(h.cfg.Dir))
	require.NoError(t, os.WriteFile(h.cfg.Dir, nil, 0o600)) // no directory: nothing can be written, not even by root
	err := h.Delete(t.Context(), id)
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.NotContains(t, err.Error(), h.cfg.Dir, "paths are for the log")
	require.Equal(t, before, h.observe(id))
	require.NoError(t, os.Remove(h.cfg.Dir))
}
