package k8sprovisioner

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// made is a cluster as it is found that was made in a rendering on a target.
func made(t *testing.T, version string, rendering int, n ecp.TargetNetwork) clusterObjects {
	t.Helper()
	c := testConfig()
	c.Network = n.WithDefaults()
	d := desired(version)
	d.RenderVersion = rendering
	objects := renderedOn(t, d, c)
	in, err := newInput(d, c)
	require.NoError(t, err)
	f := clusterObjects{id: testID, namespace: new(corev1.Namespace), workload: new(appsv1.StatefulSet)}
	for key, into := range map[string]any{
		kindNamespace + " " + in.names.namespace(): f.namespace, kindStatefulSet + " " +
			in.names.workload(): f.workload,
	} {
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(objects[key].body, into))
	}
	return f
}

// TestClustersKeepTheirNetwork: EMQX stores the names of its nodes. Whatever the
// target is set to later, a cluster keeps the domain and the family that it was made
// with, also one of an earlier build, and one whose StatefulSet has gone.
func TestClustersKeepTheirNetwork(t *testing.T) {
	plain, moved := ecp.TargetNetwork{}.WithDefaults(),
		ecp.TargetNetwork{ClusterDomain: "k8s.example", IPFamily: ecp.IPv6, IPFamilyPolicy: ecp.RequireDualStack}
	other := ecp.TargetNetwork{ClusterDomain: "one.example"}
	for name, c := range map[string]struct {
		version   string
		rendering int
		made      ecp.TargetNetwork
		change    func(*clusterObjects)
		now, want ecp.TargetNetwork
	}{
		"not there yet": {"5.8.9", 2, plain,
			func(f *clusterObjects) { f.namespace, f.workload = nil, nil }, moved, moved},
		"of the first rendering":     {"5.8.9", 1, plain, nil, moved, plain},
		"4.4 of the first rendering": {"4.4.24", 1, other, nil, moved, other},
		"of this rendering":          {"5.8.9", 2, plain, nil, moved, plain},
		"over IPv6":                  {"5.8.9", 2, moved, nil, plain, moved},
		"the StatefulSet has gone":   {"5.8.9", 2, moved, func(f *clusterObjects) { f.workload = nil }, plain, moved},
		"the annotations have gone": {"5.8.9", 2, moved, func(f *clusterObjects) { f.namespace.Annotations = nil },
			plain, ecp.TargetNetwork{ClusterDomain: "k8s.example", IPFamily: ecp.IPv6}},
		"the domain changed by hand": {"5.8.9", 2, plain,
			func(f *clusterObjects) { f.namespace.Annotations[annotationDomain] = "x.example" }, plain, plain},
		"the family changed by hand": {"5.8.9", 2, plain,
			func(f *clusterObjects) { f.namespace.Annotations[annotationFamily] = "IPv6" }, plain, plain},
		"the policy changed by hand": {"5.8.9", 2, plain,
			func(f *clusterObjects) { f.namespace.Annotations[annotationFamilies] = "PreferDualStack" }, plain,
			ecp.TargetNetwork{ClusterDomain: "cluster.local", IPFamilyPolicy: ecp.PreferDualStack}},
		"nonsense by hand": {"5.8.9", 2, plain,
			func(f *clusterObjects) { f.namespace.Annotations[annotationFamilies] = "Both" }, moved, plain},
		"only the namespace is there": {"5.8.9", 1, plain, func(f *clusterObjects) { f.workload = nil }, other, other},
	} {
		t.Run(name, func(t *testing.T) {
			f := made(t, c.version, c.rendering, c.made)
			if c.change != nil {
				c.change(&f)
			}
			require.Equal(t, c.want, f.network(c.now))
		})
	}
}

// TestIPv6IsNotFor4: its nodes would never find each other.
func TestIPv6IsNotFor4(t *testing.T) {
	_, err := newInput(desired("4.4.24"), Config{Network: ecp.TargetNetwork{IPFamily: ecp.IPv6}})
	require.ErrorIs(t, err, ecp.ErrInvalid)
	require.ErrorContains(t, err, "IPv4 only")
}

// TestFamiliesAreCompleted: the API server adds the second family of a Service that
// prefers two. That is no drift; another first one is.
func TestFamiliesAreCompleted(t *testing.T) {
	want := object{kind: kindService, name: "a",
		body: map[string]any{"spec": map[string]any{"ipFamilies": []any{"IPv4"}}}}
	for _, c := range []struct {
		live    []any
		differs bool
	}{{[]any{"IPv4"}, false}, {[]any{"IPv4", "IPv6"}, false}, {[]any{"IPv6", "IPv4"}, true}, {[]any{}, true}} {
		got := differences(want, map[string]any{"spec": map[string]any{"ipFamilies": c.live}})
		require.Equal(t, c.differs, len(got) > 0, "%v: %v", c.live, got)
	}
}

// TestNetworkWarnings: what Kubernetes tells of its network is compared with what
// is configured.
func TestNetworkWarnings(t *testing.T) {
	require.Equal(t, []string{"k8s.example", "cluster.local"},
		domainsIn(".:53 {\n    errors\n    kubernetes k8s.example cluster.local. in-addr.arpa ip6.arpa {\n       "+
			"pods insecure\n    }\n}\n"))
	require.Empty(t, domainsIn(""))
	for name, c := range map[string]struct {
		network ecp.TargetNetwork
		family  ecp.IPFamily
		domains []string
		want    string
	}{
		"nothing is known": {},
		"all is right":     {ecp.TargetNetwork{IPFamily: ecp.IPv6}, ecp.IPv6, []string{"cluster.local"}, ""},
		"another domain":   {ecp.TargetNetwork{}, ecp.IPv4, []string{"k8s.example"}, "answers for k8s.example"},
		"IPv6 unsaid":      {ecp.TargetNetwork{}, ecp.IPv6, nil, "set ipFamily"},
		"another family":   {ecp.TargetNetwork{IPFamily: ecp.IPv6}, ecp.IPv4, nil, "nodes are made for IPv6"},
	} {
		p := &Provisioner{cfg: Config{Network: c.network.WithDefaults()}, watch: newWatchState()}
		p.networkFacts.family, p.networkFacts.domains = c.family, c.domains
		got := p.networkWarnings()
		if c.want == "" {
			require.Empty(t, got, name)
			continue
		}
		require.Len(t, got, 1, name)
		require.Contains(t, got[0], c.want, name)
	}
}
