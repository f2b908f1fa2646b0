package fleet_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// quarter is how long most certificates hold.
const quarter = 90 * 24 * time.Hour

// certificate makes or replaces a certificate of the catalog that ends after some time.
func (r *rig) certificate(name string, after time.Duration) ecp.Certificate {
	r.t.Helper()
	chain, key := emqxsim.SelfSigned(name+".example.com", time.Now().Add(-time.Hour), time.Now().Add(after))
	got, err := r.m.Catalog.Certificates.Get(asSystem(), name)
	if err != nil {
		got, err = r.m.Catalog.Certificates.Create(asSystem(), ecp.Certificate{Name: name, Chain: chain}, key)
		require.NoError(r.t, err)
		return got
	}
	got.Chain = chain
	got, err = r.m.Catalog.Certificates.Update(asSystem(), got, &key)
	require.NoError(r.t, err)
	return got
}

// served returns the fingerprints that the nodes of a cluster serve, each once.
func (r *rig) served(c ecp.Cluster) (out []string) {
	r.t.Helper()
	for _, n := range r.found(c).Nodes {
		raw, err := r.sim.DialMQTTS(context.Background(), c.ID(), n.Name)
		require.NoError(r.t, err)
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // what is served is looked at
		require.NoError(r.t, conn.Handshake())
		sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
		require.NoError(r.t, raw.Close())
		if s := hex.EncodeToString(sum[:]); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// untilServed waits until all nodes of a cluster serve one certificate. It asks them each
// 5 s only: thousands of handshakes would be most of what this package computes.
func (r *rig) untilServed(c ecp.Cluster, want ecp.Certificate) {
	r.t.Helper()
	next := time.Now()
	r.until(want.Name+" is served", func() bool {
		if time.Now().Before(next) {
			return false
		}
		next = time.Now().Add(5 * time.Second)
		return slices.Equal(r.served(c), []string{want.SHA256})
	}, func() any { return r.served(c) })
}

// TestCertificates: nodes are replaced for the first certificate of a cluster, one at a time
// and with clients moved, and for none after that: not for a renewed one, nor for another one.
func TestCertificates(t *testing.T) {
	for _, image := range []string{"emqx-ee-4.4.24", "emqx-ee-5.8.9"} {
		t.Run(image, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.sealer = aRing(t, "a")
				r.make(r.store, &r.applied)
				c, _ := r.runningOn(image, 3)
				connected := r.clients(c, 8)
				own := r.served(c)
				first := r.certificate("shops", quarter)

				var plan ecp.Plan
				r.until("clients are seen", func() bool {
					plan = r.plan(c, `{"network":{"certificate":"shops"}}`)
					return plan.Clients.Moved == 8
				}, func() any { return plan })
				require.Equal(t, []int{2, 1, 0}, plan.Nodes.Replaced)
				require.Contains(t, strings.Join(plan.Notes, " "), "replaced for it once, and not when it is renewed")
				r.ends(r.change(c, `{"network":{"certificate":"shops"}}`), ecp.PhaseSucceeded)
				r.settled(c)
				require.Equal(t, 8, connected())
				require.NotEqual(t, own, r.served(c))
				require.Equal(t, []string{first.SHA256}, r.served(c))

				before, writes := pods(r.found(c)), r.sim.Writes()
				second := r.certificate("shops", quarter)
				r.untilServed(c, second)
				require.Equal(t, 8, connected(), "no client was dropped")
				require.Equal(t, before, pods(r.found(c)))
				require.Equal(t, 1, r.sim.Writes()-writes, "the Secret, once")

				third := r.certificate("farms", quarter)
				require.Empty(t, r.plan(c, `{"network":{"certificate":"farms"}}`).Nodes.Replaced)
				r.ends(r.change(c, `{"network":{"certificate":"farms"}}`), ecp.PhaseSucceeded)
				r.untilServed(c, third)
				require.Equal(t, before, pods(r.found(c)))

				r.ends(r.change(c, `{"network":{"certificate":null}}`), ecp.PhaseSucceeded)
				require.Equal(t, own, r.served(c))
				require.Equal(t, 8, connected())
			})
		})
	}
}

// TestCertificatesThatAreNotServed: one that is not there or has ended is refused with its
// field, and one in use is not removed.
func TestCertificatesThatAreNotServed(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sealer = aRing(t, "a")
		r.make(r.store, &r.applied)
		r.run()
		r.certificate("shops", time.Hour)
		ask := fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-5.8.9", 1)}
		ask.Spec.Hosted.Network.Certificate = "farms"
		_, _, err := r.m.Create(asSystem(), ask)
		require.ErrorContains(t, err, `spec.network.certificate: there is no certificate "farms" in the catalog`)
		ask.Spec.Hosted.Network.Certificate = "shops"
		ask.Spec.Hosted.Config = map[string]string{"listeners.ssl.default.ssl_options.certfile": "/x"}
		_, _, err = r.m.Create(asSystem(), ask)
		require.ErrorContains(t, err, "is set by spec.network.certificate")
		ask.Spec.Hosted.Config = nil
		info, op, err := r.m.Create(asSystem(), ask)
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		c := r.m.Cluster(info.ID)
		r.settled(c)

		all, err := r.m.Catalog.CertificateInfos(asSystem())
		require.NoError(t, err)
		require.Equal(t, []ecp.ID{c.ID()}, all[0].Clusters)
		err = r.m.Catalog.Certificates.Delete(asSystem(), "shops", 0)
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "cluster a")

		<-time.After(2 * time.Hour)
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		ask.Name = "b"
		_, _, err = r.m.Create(asSystem(), ask)
		require.ErrorContains(t, err, `spec.network.certificate: the certificate "shops" ended on`)
		r.ends(r.change(c, `{"nodes":2}`), ecp.PhaseSucceeded) // what does not ask for it is no question of it

		r.ends(r.change(c, `{"network":{"certificate":""}}`), ecp.PhaseSucceeded)
		require.NoError(t, r.m.Catalog.Certificates.Delete(asSystem(), "shops", 0))
	})
}

// valid waits until the certificate of a cluster is as wanted.
func (r *rig) valid(c ecp.Cluster, want ecp.ConditionStatus, reason ecp.Reason) ecp.Condition {
	r.t.Helper()
	var got ecp.Condition
	r.until("CertificateValid "+string(want), func() bool {
		got = ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondCertificateValid)
		return got.Status == want && got.Reason == reason
	}, func() any { return got })
	return got
}

// TestCertificateCondition: a certificate is warned of two weeks before its end, and its end is told. A renewed one
// that nodes take up in the usual time is no news; where they do not, that is told, with the nodes, until they do.
func TestCertificateCondition(t *testing.T) {
	for _, v := range []struct {
		image string
		renew time.Duration
	}{{"emqx-ee-4.4.24", 3 * time.Minute}, {"emqx-ee-5.8.9", 3 * time.Minute}, {"emqx-ee-5.8.9", time.Hour}} {
		t.Run(v.image+" "+v.renew.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRigOn(t, memstore.New(), emqxsim.ProvisionerConfig{RenewTime: v.renew})
				defer func() { r.stop() }()
				r.sealer = aRing(t, "a")
				r.make(r.store, &r.applied)
				c, _ := r.runningOn(v.image, 2)
				require.Equal(t, ecp.ReasonNotAsked, ecp.ConditionOf(r.get(c).Status.Conditions,
					ecp.CondCertificateValid).Reason, "there is none")
				r.certificate("shops", quarter)
				r.ends(r.change(c, `{"network":{"certificate":"shops"}}`), ecp.PhaseSucceeded)
				r.valid(c, ecp.True, ecp.ReasonAsExpected)
				<-time.After(15 * time.Minute)
				require.Empty(t, r.valid(c, ecp.True, ecp.ReasonAsExpected).Message, "every node was asked")

				r.certificate("shops", quarter-time.Hour)
				begin := time.Now()
				if v.renew == time.Hour {
					told := r.valid(c, ecp.False, ecp.ReasonCertificateOutdated)
					require.Contains(t, told.Message, "emqx-0 (ends on")
					require.Greater(t, time.Since(begin), 5*time.Minute)
					<-time.After(50 * time.Minute)
					r.valid(c, ecp.True, ecp.ReasonAsExpected)
					return
				}
				for time.Since(begin) < 12*time.Minute {
					<-time.After(10 * time.Second)
					is := ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondCertificateValid)
					require.Equal(t, ecp.True, is.Status)
				}
				r.certificate("shops", time.Hour)
				r.valid(c, ecp.False, ecp.ReasonCertificateExpires)
				<-time.After(time.Hour)
				r.valid(c, ecp.False, ecp.ReasonCertificateExpired)
				require.Equal(t, ecp.True, ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondHealthy).Status)
				r.certificate("shops", quarter)
				r.valid(c, ecp.True, ecp.ReasonAsExpected)
				r.ends(r.change(c, `{"network":{"certificate":null}}`), ecp.PhaseSucceeded)
				require.Equal(t, ecp.ReasonNotAsked, ecp.ConditionOf(r.get(c).Status.Conditions,
					ecp.CondCertificateValid).Reason, "there is none")
			})
		})
	}
}
