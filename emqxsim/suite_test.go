package emqxsim_test

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// TestProvisionerSuite holds the simulation to what every Provisioner promises.
func TestProvisionerSuite(t *testing.T) {
	for _, kept := range []struct {
		name string
		dir  func(t *testing.T) string
	}{
		{"memory", func(*testing.T) string { return "" }},
		{"files", func(t *testing.T) string { return t.TempDir() }},
	} {
		t.Run(kept.name, func(t *testing.T) {
			t.Parallel()
			ecptest.TestProvisioner(t, suite(func(t *testing.T) ecp.Provisioner {
				return newProvisioner(t, emqxsim.ProvisionerConfig{
					Dir: kept.dir(t), BootTime: 40 * time.Millisecond, RenderVersion: 2,
				})
			}))
		})
	}
}

func suite(open func(t *testing.T) ecp.Provisioner) ecptest.ProvisionerSuite {
	sim := func(p ecp.Provisioner) *emqxsim.Provisioner {
		if b, ok := p.(broken); ok {
			return b.Provisioner
		}
		return p.(*emqxsim.Provisioner)
	}
	return ecptest.ProvisionerSuite{
		New: open, Ready: 20 * time.Second, Parallel: true,
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		DeletePod: func(t *testing.T, p ecp.Provisioner, id ecp.ID,
			n int) {
			require.NoError(t, sim(p).DeletePod(id, n))
		},
		KillNode: func(t *testing.T, p ecp.Provisioner, id ecp.ID,
			n int) {
			require.NoError(t, sim(p).KillNode(id, n))
		},
		ScaleByHand: func(t *testing.T, p ecp.Provisioner, id ecp.ID, n int) {
			require.NoError(t, sim(p).ScaleByHand(id, n))
		},
		ChangeTemplate: func(t *testing.T, p ecp.Provisioner,
			id ecp.ID) {
			require.NoError(t, sim(p).RestartByHand(id))
		},
		DeleteClaim: func(t *testing.T, p ecp.Provisioner, id ecp.ID, n int) {
			require.NoError(t, sim(p).DeleteClaim(id, n))
		},
		RemoveMachine: func(t *testing.T, p ecp.Provisioner, id ecp.ID, n int) {
			require.NoError(t, sim(p).RemoveMachine(id, n))
		},
		DeleteAuth: func(t *testing.T, p ecp.Provisioner, id ecp.ID) { require.NoError(t, sim(p).DeleteAuth(id)) },
		DeleteNamespace: func(t *testing.T, p ecp.Provisioner,
			id ecp.ID) {
			require.NoError(t, sim(p).DeleteNamespace(id))
		},
		DeleteService: func(t *testing.T, p ecp.Provisioner,
			id ecp.ID) {
			require.NoError(t, sim(p).DeleteService(id))
		},
		MakeForeign: func(t *testing.T, p ecp.Provisioner, id ecp.ID) {
			require.NoError(t, sim(p).SetForeign(id, "somebody else"))
		},
		RefusePods: func(t *testing.T, p ecp.Provisioner, id ecp.ID, refuse bool) string {
			why := map[bool]string{true: "exceeded quota"}[refuse]
			require.NoError(t, sim(p).RefusePods(id, why))
			return why
		},
		Evict:          func(_ *testing.T, p ecp.Provisioner, id ecp.ID, n int) error { return sim(p).Evict(id, n) },
		SetUnreachable: func(_ *testing.T, p ecp.Provisioner, away bool) { sim(p).SetUnreachable(away) },
		Refused: func(d *ecp.Desired, made bool) {
			d.Spec.Network.Type, d.Spec.Network.LoadBalancerClass = ecp.LoadBalancer, "example.com/first"
			if made {
				d.Spec.Network.LoadBalancerClass = "example.com/second"
			}
		},
		LargerVolume: "30Gi",
		Writes:       func(p ecp.Provisioner) int { return sim(p).Writes() },
	}
}

func newProvisioner(t testing.TB, c emqxsim.ProvisionerConfig) *emqxsim.Provisioner {
	t.Helper()
	p, err := emqxsim.NewProvisioner(c)
	require.NoError(t, err)
	return p
}
