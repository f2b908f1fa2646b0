package main

import (
	"bytes"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHost is how a Provisioner of your own is tested: hooks do to it what
// people and accidents do. There is no Service to delete on a host.
func TestHost(t *testing.T) {
	ecptest.TestProvisioner(t, ecptest.ProvisionerSuite{
		New: func(t *testing.T) ecp.Provisioner {
			h, err := newHost(t.TempDir())
			require.NoError(t, err)
			return h
		},
		Ready:    10 * time.Second,
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		Parallel: true,

		DeletePod: end,
		KillNode:  end,
		ScaleByHand: func(t *testing.T, p ecp.Provisioner, id ecp.ID, n int) {
			h := p.(*host)
			h.mu.Lock()
			defer h.mu.Unlock()
			rec, err := h.load(id)
			require.NoError(t, err)
			rec.Replicas = n
			require.NoError(t, h.save(id, rec))
		},
		DeleteClaim: func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int) {
			require.NoError(t, os.RemoveAll(p.(*host).path(id, volumeName(ordinal))))
		},
		DeleteAuth: func(t *testing.T, p ecp.Provisioner, id ecp.ID) {
			require.NoError(t, os.Remove(p.(*host).path(id, authFile)))
		},
		DeleteNamespace: func(t *testing.T, p ecp.Provisioner, id ecp.ID) {
			require.NoError(t, os.RemoveAll(p.(*host).path(id)))
		},
		MakeForeign: func(t *testing.T, p ecp.Provisioner, id ecp.ID) {
			require.NoError(t, os.Mkdir(p.(*host).path(id), 0o700))
		},
		SetUnreachable: func(t *testing.T, p ecp.Provisioner, unreachable bool) {
			dir := p.(*host).dir
			if unreachable {
				require.NoError(t, os.Rename(dir, dir+"-away"))
			} else {
				require.NoError(t, os.Rename(dir+"-away", dir))
			}
		},
		Writes: func(p ecp.Provisioner) int {
			h := p.(*host)
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.writes
		},
	})
}

func end(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int) {
	h := p.(*host)
	h.mu.Lock()
	defer h.mu.Unlock()
	require.NotNil(t, h.nodes[id][ordinal])
	h.nodes[id][ordinal].stop()
}

func TestRefusals(t *testing.T) {
	h, err := newHost(t.TempDir())
	require.NoError(t, err)
	image := ecp.DefaultImages()[2]
	err = h.Apply(t.Context(), ecp.Desired{ID: "../../etc", Image: image, Create: true})
	require.ErrorIs(t, err, ecp.ErrInvalid)
	err = h.Apply(t.Context(), ecp.Desired{ID: ecptest.NewID(), Image: image, Create: true,
		Spec: ecp.HostedSpec{Network: ecp.Network{Type: ecp.LoadBalancer}}})
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	d := ecp.Desired{ID: ecptest.NewID(), Image: image, Create: true}
	require.NoError(t, h.Apply(t.Context(), d))
	d.Image = ecp.DefaultImages()[0]
	require.ErrorIs(t, h.Apply(t.Context(), d), ecp.ErrUnsupported)
}

func TestRunTwice(t *testing.T) {
	dir := t.TempDir()
	id := regexp.MustCompile(`^(emqx-[0-9a-f]{8}) is running\n`)
	nodes := regexp.MustCompile(`(?m)^emqx@\S+ answers at http://127\.0\.0\.1:\d+$`)
	var first string
	for range 2 {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), dir, &out))
		found := id.FindStringSubmatch(out.String())
		require.NotNil(t, found, out.String())
		require.Len(t, nodes.FindAllString(out.String(), -1), 3, out.String())
		if first == "" {
			first = found[1]
		}
		require.Equal(t, first, found[1], "the second run finds the cluster of the first")
	}
}
