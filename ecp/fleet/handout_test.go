package fleet_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// withSecrets gives the rig's Manager a key, and images that need secrets.
func (r *rig) withSecrets() {
	r.t.Helper()
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k1", Secret: make([]byte, 32)})
	require.NoError(r.t, err)
	r.sealer = ring
	r.make(r.store, &r.applied)
	_, err = r.m.Catalog.Registries.Create(asSystem(), ecp.Registry{
		Name: "ours",
		Host: "registry.example.com",
		User: "robot",
	}, "hush")
	require.NoError(r.t, err)
	_, err = r.m.Catalog.Images.Create(asSystem(), ecp.Image{
		ID:        "five-ten",
		Reference: "registry.example.com/emqx/emqx-enterprise:5.10.0",
		Version:   "5.10.0",
	}, "")
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

// From 5.9 on several nodes need a license; with one they find each other.
func TestSeveralNodesNeedALicense(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.withSecrets()
		ask := fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("five-ten", 3)}
		_, _, err := r.m.Create(asSystem(), ask)
		require.ErrorIs(t, err, ecp.ErrInvalid)
		require.ErrorContains(t, err, "spec.nodes: is 3; EMQX 5.10.0 runs more than one node only with a license")
		require.Zero(t, r.pool().UsedClusters)

		_, err = r.m.Catalog.Licenses.Create(asSystem(), ecp.License{
			Name:    "prod",
			Format:  ecp.LicenseV5,
			Default: true,
		}, ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 1000})))
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
		_, err := r.m.Catalog.Licenses.Create(asSystem(), ecp.License{
			Name:    "prod",
			Format:  ecp.LicenseV5,
			Default: true,
		}, ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 1000})))
		require.NoError(t, err)
		r.run()
		info, create, err := r.m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("five-ten", 2)})
		require.NoError(t, err)
		r.ends(create, ecp.PhaseSucceeded)
		c := r.m.Cluster(info.ID)
		was, ran := r.get(c), pods(r.found(c))
		require.Equal(t, ecp.PullCredentials{Host: "registry.example.com", User: "robot", Password: "hush"},
			r.lastApplied().Pull)

		key, password := ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 2000})), ecp.Secret("quiet")
		_, err = r.m.Catalog.Licenses.Update(asSystem(), ecp.License{
			Name:    "prod",
			Format:  ecp.LicenseV5,
			Default: true,
		}, &key)
		require.NoError(t, err)
		r.until("the license is handed out", func() bool { return r.lastApplied().License == key },
			func() any { return r.applied.Writes() })
		_, err = r.m.Catalog.Registries.Update(asSystem(), ecp.Registry{
			Name: "ours",
			Host: "registry.example.com",
			User: "robot-2",
		}, &password)
		require.NoError(t, err)
		want := ecp.PullCredentials{Host: "registry.example.com", User: "robot-2", Password: password}
		r.until("the password is handed out", func() bool { return r.lastApplied().Pull == want },
			func() any { return r.applied.Writes() })
		r.looked(2)
		require.Equal(t, ran, pods(r.found(c)))
		is := r.get(c)
		require.Equal(t, was.ClusterRecord, is.ClusterRecord, "nothing of it is stored")
	})
}

// TestRefusedLicenseReachesNobody: one running cluster is given a changed license
// first. What its EMQX refuses, or what has ended, is not stored and reaches no
// other; what it takes is in force everywhere at once.
func TestRefusedLicenseReachesNobody(t *testing.T) {
	for _, v := range []struct {
		image  string
		format ecp.LicenseFormat
		path   string // where the broker tells of its license
		text   func(emqxsim.License) string
		none   ecp.Secret // has the form of one
		words  string
	}{
		{"emqx-ee-5.8.9", ecp.LicenseV5, "/api/v5/license", emqxsim.LicenseKey, "no-license.at-all", "Bad license key"},
		{"emqx-ee-4.4.24", ecp.LicenseV4, "/api/v4/license", emqxsim.LicenseFile,
			"-----BEGIN NOTHING-----\n-----END NOTHING-----\n", ""},
	} {
		t.Run(v.image, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.sealer = aRing(t, "a")
				r.make(r.store, &r.applied)
				r.run()
				secret := func(name string, limit int, until time.Time) *ecp.Secret {
					s := ecp.Secret(v.text(emqxsim.License{Customer: name, Limit: limit, Expiry: until}))
					return &s
				}
				l, err := r.m.Catalog.Licenses.Create(asSystem(), ecp.License{
					Name:    "prod",
					Format:  v.format,
					Default: true,
				}, *secret("First", 111, time.Time{}))
				require.NoError(t, err)
				var all []ecp.Cluster
				for _, name := range []string{"a", "b"} {
					info, _, err := r.m.Create(asSystem(),
						fleet.CreateRequest{Mode: ecp.Hosted, Name: name, Spec: spec(v.image, 2)})
					require.NoError(t, err)
					c := r.m.Cluster(info.ID)
					r.reaches(c, ecp.Running)
					all = append(all, c)
				}
				has := func(limit int) {
					t.Helper()
					for _, c := range all {
						var body string
						r.until("license "+strconv.Itoa(limit), func() bool {
							body = r.inDashboard(c, http.MethodGet, v.path, "")
							return strings.Contains(body, `"max_connections":`+strconv.Itoa(limit))
						}, func() any { return body })
					}
				}
				has(111)
				for _, bad := range []*ecp.Secret{
					&v.none, secret("Ended", 333, time.Now().Add(-24*time.Hour)),
				} {
					_, err = r.m.Catalog.Licenses.Update(asSystem(), l, bad)
					require.ErrorIs(t, err, ecp.ErrInvalid)
					var e *ecp.Error
					require.ErrorAs(t, err, &e)
					require.Equal(t, "content", e.Fields[0].Field)
					require.Contains(t, e.Message, "keep the one before")
					require.NotContains(t, err.Error(), string(*bad))
					has(111)
				}
				_, err = r.m.Catalog.Licenses.Update(asSystem(), l, &v.none)
				var refused *ecp.Error
				require.ErrorAs(t, err, &refused)
				require.Contains(t, refused.Fields[0].Message, v.words)
				got, err := r.m.Catalog.Licenses.Get(asSystem(), "prod")
				require.NoError(t, err)
				require.Equal(t, l.Revision, got.Revision)
				_, err = r.m.Catalog.Licenses.Update(asSystem(), l, secret("Second", 222, time.Time{}))
				require.NoError(t, err)
				has(222)
			})
		})
	}
}
