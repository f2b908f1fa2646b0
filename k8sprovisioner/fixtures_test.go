package k8sprovisioner

import (
	"flag"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	testID  = ecp.ID("emqx-1a2b3c4d")
	testUID = "6f1d2c3b-0000-4000-8000-000000000001"
)

// testConfig is a Config with its defaults and no client.
func testConfig() Config {
	return Config{Network: ecp.TargetNetwork{}.WithDefaults(), Namespace: "openecp-system"}
}

// desired is a cluster of three nodes of an EMQX version of the default catalogue.
func desired(version string) ecp.Desired {
	image := ecp.Image{ID: "emqx-ee-" + version, Reference: "emqx/emqx-ee:" + version, Version: version}
	for _, i := range ecp.DefaultImages() {
		if i.Version == version {
			image = i
		}
	}
	return ecp.Desired{
		ID: testID, Project: "default/default", Name: "一号 cluster", Generation: 7,
		Spec: ecp.HostedSpec{
			Image: image.ID, Nodes: 3, Connections: 1000,
			Network: ecp.Network{Type: ecp.ClusterIP},
		},
		Image: image, Size: ecp.DefaultSizes()[0], Replicas: 3, Create: true,
	}
}

// rendered gives the objects of d by kind and name.
func rendered(t testing.TB, d ecp.Desired) map[string]object {
	t.Helper()
	return renderedOn(t, d, testConfig())
}

// renderedOn is rendered for a target of its own.
func renderedOn(t testing.TB, d ecp.Desired, c Config) map[string]object {
	t.Helper()
	in, err := newInput(d, c)
	require.NoError(t, err)
	in.auth, in.secretRefs = testUID, secretRefs{}
	in.settings = settingsVersion(in, []byte("obviously-fake-cookie"))
	secrets := secretsOf(t, in, "obviously-fake-cookie")
	for i, r := range secretRows {
		if o, ok := secrets[r.suffix]; ok {
			in.secretRefs[r.suffix] = secretRef{uid: testUID[:len(testUID)-1] + strconv.Itoa(i+2), hash: o.hash()}
		}
	}
	list, err := render(renderers, in)
	require.NoError(t, err)
	list = slices.AppendSeq(list, maps.Values(secrets))
	out := map[string]object{}
	for _, o := range list {
		out[o.String()] = o
	}
	require.Len(t, out, len(list))
	return out
}

// secretsOf renders the Secrets that are wanted, by suffix.
func secretsOf(t testing.TB, in input, cookie string) map[string]object {
	t.Helper()
	out := map[string]object{}
	for _, r := range secretRows {
		if r.wanted(in) {
			o, err := r.render(in, []byte(cookie))
			require.NoError(t, err)
			out[r.suffix] = o
		}
	}
	return out
}
