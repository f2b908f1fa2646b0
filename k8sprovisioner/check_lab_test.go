package k8sprovisioner

import (
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// fixedClass is a storage class of the lab whose volumes cannot grow.
const fixedClass = "fixed"

// refusedBefore holds an error of Check to its promise, and gives its field and
// words.
func refusedBefore(t testing.TB, err error) (field, words string) {
	t.Helper()
	var own *ecp.Error
	require.ErrorAs(t, err, &own)
	require.Equal(t, ecp.CodeInvalid, own.Code, "%v", err)
	require.NotNil(t, ecp.RefusalOf(err))
	require.Len(t, own.Fields, 1, "%v", err)
	return own.Fields[0].Field, own.Fields[0].Message
}

// knownBeforeItIsThere: a storage class that is missing is told before anything
// is made.
func knownBeforeItIsThere(t *testing.T, p *Provisioner, d ecp.Desired) {
	require.NoError(t, p.Check(t.Context(), d))
	for field, edit := range map[string]func(*ecp.Desired){
		"spec.storage": func(d *ecp.Desired) { d.Spec.Storage = "gone" },
		"spec.size":    func(d *ecp.Desired) { d.Spec.Storage, d.Size.Storage.Class = "", "gone" },
	} {
		other := d
		edit(&other)
		is, words := refusedBefore(t, p.Check(t.Context(), other))
		require.Equal(t, field, is)
		require.Contains(t, words, `there is no StorageClass "gone"`)
	}
}

// knownBefore: of a cluster that is there the API server tells more.
func knownBefore(t *testing.T, p *Provisioner, d ecp.Desired) {
	require.NoError(t, p.Check(t.Context(), d))
	for _, c := range []struct {
		name, field, words string
		edit               func(*ecp.Desired)
		taken              bool
	}{
		{
			name: "another class of load balancers", field: "spec.network.loadBalancerClass",
			words: "may not change once set",
			edit:  func(d *ecp.Desired) { d.Spec.Network.LoadBalancerClass = "example.com/second" },
			taken: d.Spec.Network.Type != ecp.LoadBalancer,
		},
		{
			name: "volumes that cannot grow", field: "spec.size", words: "must support resize",
			edit: func(d *ecp.Desired) { d.Size.Storage.Size = "30Gi" }, taken: d.Spec.Storage != fixedClass,
		},
		{name: "smaller volumes", edit: func(d *ecp.Desired) { d.Size.Storage.Size = "1Gi" }, taken: true},
		{
			name: "another storage class", field: "spec.size", words: "no volume changes its class",
			edit: func(d *ecp.Desired) { d.Spec.Storage, d.Size.Storage.Class = "", "other" },
		},
		{name: "a node selector that is none", field: "spec.placement.nodeSelector", words: "Invalid value",
			edit: func(d *ecp.Desired) { d.Spec.Placement.NodeSelector = map[string]string{"a b": "c"} }},
		{name: "an annotation that is none", field: "spec.network.annotations", words: "annotations",
			edit: func(d *ecp.Desired) { d.Spec.Network.Annotations = map[string]string{"a b": "c"} }},
		{name: "listeners that are one", field: "spec.network", words: "duplicate entries",
			edit: func(d *ecp.Desired) {
				d.Spec.Network.Listeners = []ecp.Listener{{Protocol: ecp.MQTT, Port: 1}, {Protocol: ecp.WS, Port: 1}}
			}},
	} {
		other := d
		other.Generation++
		c.edit(&other)
		err := p.Check(t.Context(), other)
		if c.taken {
			require.NoError(t, err, c.name)
			continue
		}
		field, words := refusedBefore(t, err)
		require.True(t, strings.HasPrefix(field, c.field), "%s: %s: %s", c.name, field, words)
		require.Contains(t, words, c.words, c.name)
	}
}
