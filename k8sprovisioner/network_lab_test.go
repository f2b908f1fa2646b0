package k8sprovisioner

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/internal/kubelab/emqxpod"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// TestServicesOfTwoFamilies: the API server takes what is rendered, completes it, and
// takes it once more with other ports; nothing of that is drift.
func TestServicesOfTwoFamilies(t *testing.T) {
	lab := labtest.Start(t)
	config := shipped(t, lab)
	for _, c := range []struct {
		version  string
		network  ecp.TargetNetwork
		families string // of the Services headless, for clients, for management
	}{
		{"5.8.9", ecp.TargetNetwork{}, "IPv4|IPv4|IPv4"},
		{"4.4.24", ecp.TargetNetwork{ClusterDomain: "k8s.example", IPFamily: ecp.IPv4,
			IPFamilyPolicy: ecp.PreferDualStack}, "IPv4|IPv4 IPv6|IPv4 IPv6"},
		{"5.8.9", ecp.TargetNetwork{IPFamily: ecp.IPv6, IPFamilyPolicy: ecp.RequireDualStack},
			"IPv6|IPv6 IPv4|IPv6 IPv4"},
		{"5.8.9", ecp.TargetNetwork{IPFamilyPolicy: ecp.RequireDualStack}, "IPv4|IPv4 IPv6|IPv4 IPv6"},
	} {
		t.Run(fmt.Sprint(c.version, c.network), func(t *testing.T) {
			t.Parallel()
			over := Config{REST: rest.CopyConfig(config), Namespace: "openecp-system", Network: c.network,
				Lease: newLease()}
			p := watched(t, over, nil)
			d := desired(c.version)
			d.ID, d.Replicas = ecptest.NewID(), 0
			require.NoError(t, p.Apply(t.Context(), d))
			t.Cleanup(func() { _ = p.Delete(context.WithoutCancel(t.Context()), d.ID) })
			families := func() string {
				var out []string
				in, err := newInput(d, p.cfg)
				require.NoError(t, err)
				for _, name := range []string{in.names.headless(), in.names.access(), in.names.management()} {
					s, err := lab.Kubectl(t.Context(), "", "get", "service", "-n", string(d.ID), name, "-o",
						"jsonpath={.spec.ipFamilies[*]}")
					require.NoError(t, err)
					out = append(out, s)
				}
				return strings.Join(out, "|")
			}
			require.Equal(t, c.families, families())

			d.Create, d.Generation = false, d.Generation+1
			d.Spec.Network = ecp.Network{Type: ecp.LoadBalancer,
				Listeners: []ecp.Listener{{Protocol: ecp.MQTT, Port: 2883}}}
			require.NoError(t, p.Apply(t.Context(), d))
			require.Equal(t, c.families, families())
			labtest.Eventually(t, time.Minute, "addresses of every family", func(ctx context.Context) (bool, string) {
				o, err := p.Observe(ctx, d.ID)
				return err == nil && len(o.Drift) == 0 &&
						len(o.Endpoints.External) == len(strings.Fields(strings.Split(c.families, "|")[1])),
					fmt.Sprintf("%+v %v", o, err)
			})
			o, err := p.Observe(t.Context(), d.ID)
			require.NoError(t, err)
			require.Contains(t, o.Endpoints.Internal.Host, ".svc."+c.network.WithDefaults().ClusterDomain)
			requests := counting(over.REST)
			over.Network = ecp.TargetNetwork{ClusterDomain: "elsewhere.example"}
			again := watched(t, over, nil)
			before := requests.all()
			require.NoError(t, again.Apply(t.Context(), d))
			require.Zero(t, writes(requests.since(before)), "a cluster keeps what it was made with: %v",
				requests.since(before))
		})
	}
}

// TestIPv6ControlPlane: on a Kubernetes cluster with addresses of IPv6 only, and
// another DNS domain, nodes come up, join and are reached.
func TestIPv6ControlPlane(t *testing.T) {
	lab := labtest.IPv6(t)
	begun := time.Now()
	pods := emqxpod.Start(t, lab, func(c *emqxpod.Config) {
		c.Now = func() time.Time { return begun.Add(hurry * time.Since(begun)) }
	})
	w := &world{lab: lab, pods: pods, store: memstore.New(), config: shipped(t, lab), lease: newLease()}
	network := ecp.TargetNetwork{ClusterDomain: "k8s.example", IPFamily: ecp.IPv6}
	p, err := New(Config{REST: w.config, Reach: PodIP, Namespace: "openecp-system", Lease: w.lease, Network: network})
	require.NoError(t, err)
	w.manage(t, w.store, p)

	_, _, err = w.Create(system(t.Context()), fleet.CreateRequest{Mode: ecp.Hosted, Name: "of 4.4",
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Image: "emqx-ee-4.4.24"}}})
	require.ErrorContains(t, err, "over IPv4 only")
	id := w.create(t, "emqx-ee-5.8.9", 2)
	info := w.await(t, id, ecp.Running)
	require.Len(t, info.Nodes, 2)
	for i, n := range info.Nodes {
		require.Equal(t, fmt.Sprintf("emqx@%s-emqx-%d.%s-headless.%s.svc.k8s.example", id, i, id, id), n.Name)
		address, err := netip.ParseAddr(n.IP)
		require.NoError(t, err)
		require.True(t, address.Is6(), n.IP)
	}
	require.True(t, strings.HasSuffix(info.Endpoints.Internal.Host, ".svc.k8s.example"), "%+v", info.Endpoints)
	nodes, err := w.Cluster(id).Get(system(t.Context()))
	require.NoError(t, err)
	require.Equal(t, ecp.True, conditionOf(nodes, ecp.CondManagementReachable))
	require.Equal(t, network, targetNetwork(t, w))
	require.Empty(t, p.Warnings())

	// A family that this Kubernetes cluster does not have.
	q := watched(t, Config{REST: w.config, Namespace: "openecp-system", Lease: newLease(),
		Network: ecp.TargetNetwork{IPFamily: ecp.IPv4}}, nil)
	d := desired("5.8.9")
	d.ID, d.Replicas = ecptest.NewID(), 0
	err = q.Apply(t.Context(), d)
	require.NotNil(t, ecp.RefusalOf(err), "%v", err)
	require.ErrorContains(t, err, "IPv4")
	labtest.Eventually(t, time.Minute, "it is warned of", func(context.Context) (bool, string) {
		text := strings.Join(q.Warnings(), "\n")
		return strings.Contains(text, "addresses of IPv6") &&
			strings.Contains(text, "1 clusters were made with the DNS domain k8s.example"), text
	})
}

func conditionOf(info ecp.Info, kind ecp.ConditionType) ecp.ConditionStatus {
	for _, c := range info.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return ""
}

func targetNetwork(t *testing.T, w *world) ecp.TargetNetwork {
	t.Helper()
	target, err := w.Target(system(t.Context()), "default")
	require.NoError(t, err)
	return target.Network
}
