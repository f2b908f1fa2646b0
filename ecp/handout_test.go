package ecp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// withSecrets gives the rig's Manager a key, and images that need secrets.
func (r *rig) withSecrets() {
	r.t.Helper()
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k1", Secret: make([]byte, 32)})
	require.NoError(r.t, err)
	r.sealer = ring
	r.make(r.store, &r.applied)
	_, err = r.m.CreateRegistry(asSystem(), ecp.Registry{Name: "ours", Host: "registry.example.com", User: "robot"}, "hush")
	require.NoError(r.t, err)
	_, err = r.m.CreateImage(asSystem(), ecp.Image{ID: "five-ten", Reference: "registry.example.com/emqx/emqx-enterprise:5.10.0", Version: "5.10.0"})
	require.NoError(r.t, err)
}

// lastApplied is what the platform was last asked for.
func (r *rig) lastApplied() ecp.Desired {
	r.applied.mu.Lock()
	defer r.applied.mu.Unlock()
	return r.applied.all[len(r.applied.all)-1]
}

func pods(o ecp.Observation) (out []string) {
	for _, n := range o.Nodes {
		out = append(out, n.PodUID)
	}
	return out
}

// From 5.9 on several nodes need a licence; with one they find each other.
func TestSeveralNodesNeedALicence(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.withSecrets()
		ask := ecp.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("five-ten", 3)}
		_, _, err := r.m.Create(asSystem(), ask)
		require.ErrorIs(t, err, ecp.ErrInvalid)
		require.ErrorContains(t, err, "spec.nodes: is 3; EMQX 5.10.0 runs more than one node only with a licence")
		require.Zero(t, r.pool().UsedClusters)

		_, err = r.m.CreateLicence(asSystem(), ecp.Licence{Name: "prod", Format: ecp.LicenceV5, Default: true}, ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 1000})))
		require.NoError(t, err)
		r.run()
		info, create, err := r.m.Create(asSystem(), ask)
		require.NoError(t, err)
		r.ends(create, ecp.PhaseSucceeded)
		require.Equal(t, ecp.Running, r.get(r.m.Cluster(info.ID)).Status.State)
	})
}

// What changes of a catalogue's secrets reaches the platforms of the clusters
// that use them: nothing else is asked of them, and no node is replaced.
func TestChangedSecretsReachTheirClusters(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.withSecrets()
		_, err := r.m.CreateLicence(asSystem(), ecp.Licence{Name: "prod", Format: ecp.LicenceV5, Default: true}, ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 1000})))
		require.NoError(t, err)
		r.run()
		info, create, err := r.m.Create(asSystem(), ecp.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("five-ten", 2)})
		require.NoError(t, err)
		r.ends(create, ecp.PhaseSucceeded)
		c := r.m.Cluster(info.ID)
		was, ran := r.get(c), pods(r.found(c))
		require.Equal(t, ecp.PullCredentials{Host: "registry.example.com", User: "robot", Password: "hush"}, r.lastApplied().Pull)

		key, password := ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 2000})), ecp.Secret("quiet")
		_, err = r.m.UpdateLicence(asSystem(), ecp.Licence{Name: "prod", Format: ecp.LicenceV5, Default: true}, &key)
		require.NoError(t, err)
		r.until("the licence is handed out", func() bool { return r.lastApplied().Licence == key }, func() any { return r.applied.Writes() })
		_, err = r.m.UpdateRegistry(asSystem(), ecp.Registry{Name: "ours", Host: "registry.example.com", User: "robot-2"}, &password)
		require.NoError(t, err)
		want := ecp.PullCredentials{Host: "registry.example.com", User: "robot-2", Password: password}
		r.until("the password is handed out", func() bool { return r.lastApplied().Pull == want }, func() any { return r.applied.Writes() })
		r.looked(2)
		require.Equal(t, ran, pods(r.found(c)))
		is := r.get(c)
		require.Equal(t, was.ClusterRecord, is.ClusterRecord, "nothing of it is stored")
	})
}
