package agentproto

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const trustedHost = "ecp.example.com"

func trustAt(now time.Time) trust {
	server, err := ParseServerURL("https://" + trustedHost + ":8443")
	if err != nil {
		panic(err)
	}
	return trust{server: server, now: func() time.Time { return now }, system: x509.NewCertPool()}
}

func TestTrust(t *testing.T) {
	now := time.Now()
	ca, other := newTestCA(t, "CA"), newTestCA(t, "Other CA")
	middle := issue(t, ca, "Intermediate", certOptions{})
	leaf, below, wrongName := ca.server(t, trustedHost), middle.server(t, trustedHost), ca.server(t, "a.example.com",
		"192.0.2.1")
	selfSigned := issue(t, nil, "server", certOptions{names: []string{trustedHost}, noCA: true})
	selfSignedCA := issue(t, nil, "server", certOptions{names: []string{trustedHost}})
	old := issue(t, ca, "server", certOptions{names: []string{trustedHost}, noCA: true,
		notBefore: now.AddDate(-2, 0, 0),
		notAfter:  now.Add(-time.Minute)})
	future := issue(t, ca, "server", certOptions{names: []string{trustedHost}, noCA: true,
		notBefore: now.AddDate(0, 1, 0)})
	notCA := issue(t, ca, "Not a CA", certOptions{noCA: true})
	forged := notCA.server(t, trustedHost)
	clientOnly := issue(t, ca, "client", certOptions{names: []string{trustedHost}, noCA: true, forClients: true})

	pin := func(of ...*testCA) func(*trust) {
		return func(t *trust) {
			for _, c := range of {
				t.pins = append(t.pins, Fingerprint(c.cert))
			}
		}
	}
	authority := func(of ...*testCA) func(*trust) {
		return func(t *trust) {
			pin(of...)(t)
			for _, c := range of {
				t.authorities = append(t.authorities, c.cert)
			}
		}
	}
	system := func(of *testCA) func(*trust) { return func(t *trust) { t.system.AddCert(of.cert) } }
	clock := func(at time.Time) func(*trust) { return func(t *trust) { t.now = func() time.Time { return at } } }
	floor := func(at time.Time) func(*trust) { return func(t *trust) { t.floor = at } }
	certs := func(of ...*testCA) (out []*x509.Certificate) {
		for _, c := range of {
			out = append(out, c.cert)
		}
		return out
	}

	tests := []struct {
		name      string
		trust     []func(*trust)
		presented []*x509.Certificate
		want      FailureCode // empty means trusted
	}{
		{"authority of the system", []func(*trust){system(ca)}, certs(leaf), ""},
		{"nobody trusted", nil, certs(leaf, ca), FailedAuthority},
		{"nothing presented", nil, nil, FailedTLS},
		{"pinned CA", []func(*trust){pin(ca)}, certs(leaf, ca), ""},
		{"pinned CA, one of two pins", []func(*trust){pin(other, ca)}, certs(leaf, ca), ""},
		{"pinned CA above an intermediate", []func(*trust){pin(ca)}, certs(below, middle, ca), ""},
		{"pinned CA, chain out of order", []func(*trust){pin(ca)}, certs(below, ca, middle), ""},
		{"pinned intermediate", []func(*trust){pin(middle)}, certs(below, middle), ""},
		{"pinned CA not sent", []func(*trust){pin(ca)}, certs(leaf), FailedAuthority},
		{"pinned CA sent by one who has no certificate of it", []func(*trust){pin(ca)},
			certs(other.server(t, trustedHost), other, ca), FailedAuthority},
		{"pinned CA, intermediate missing", []func(*trust){pin(ca)}, certs(below, ca), FailedAuthority},
		{"pins leave the system's authorities out", []func(*trust){pin(other), system(ca)}, certs(leaf, ca),
			FailedAuthority},
		{"pinned leaf", []func(*trust){pin(selfSigned)}, certs(selfSigned), ""},
		{"pinned leaf that is a CA", []func(*trust){pin(selfSignedCA)}, certs(selfSignedCA), ""},
		{"pinned leaf behind another certificate", []func(*trust){pin(selfSigned)},
			certs(other.server(t, trustedHost), selfSigned), FailedAuthority},
		{"pinned certificate that is no CA signs nobody", []func(*trust){pin(notCA)}, certs(forged, notCA, ca),
			FailedAuthority},
		{"certificate signed by one that is no CA", []func(*trust){pin(ca)}, certs(forged, notCA, ca), FailedAuthority},
		{"known authority, not sent", []func(*trust){authority(ca)}, certs(leaf), ""},
		{"one of two known authorities", []func(*trust){authority(other, ca)}, certs(leaf), ""},
		{"another CA than the known one", []func(*trust){authority(other)}, certs(leaf, ca), FailedAuthority},
		{"another CA, not sent", []func(*trust){authority(other)}, certs(leaf), FailedAuthority},
		{"certificate for clients", []func(*trust){authority(ca)}, certs(clientOnly), FailedTLS},
		{"another name", []func(*trust){authority(ca)}, certs(wrongName), FailedName},
		{"another name and another CA", []func(*trust){authority(other)}, certs(wrongName, ca), FailedAuthority},
		{"expired", []func(*trust){authority(ca)}, certs(old), FailedExpired},
		{"expired and for another name", []func(*trust){authority(ca)},
			certs(issue(t, ca, "x", certOptions{names: []string{"x"}, noCA: true,
				notAfter: now.Add(-time.Second)})), FailedName},
		{"clock in the far future", []func(*trust){authority(ca), clock(now.AddDate(10, 0, 0))}, certs(leaf),
			FailedExpired},
		{"clock an hour behind the certificate's begin", []func(*trust){authority(ca), clock(now.Add(-2 * time.Hour))},
			certs(leaf), ""},
		{"clock a month behind it", []func(*trust){authority(ca)}, certs(future), FailedNotYetValid},
		{"clock at 1970, nothing known", []func(*trust){authority(ca), clock(time.Unix(0, 0))}, certs(leaf),
			FailedNotYetValid},
		{"clock at 1970, built a year ago", []func(*trust){authority(ca), clock(time.Unix(0, 0)),
			floor(now.AddDate(-1, 0, 0))}, certs(leaf), ""},
		{"clock at 1970, CA by its pin", []func(*trust){pin(ca), clock(time.Unix(0, 0)), floor(now.AddDate(-1, 0, 0))},
			certs(leaf, ca), ""},
		{"clock at 1970, server seen today", []func(*trust){authority(ca), clock(time.Unix(0, 0)), floor(now)},
			certs(leaf),
			""},
		{"clock set back to revive an old certificate", []func(*trust){authority(ca), clock(now.AddDate(-1, 0, 0)),
			floor(now)}, certs(old), FailedExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trust := trustAt(now)
			for _, change := range tt.trust {
				change(&trust)
			}
			chain, err := trust.verify(tt.presented)
			if tt.want == "" {
				require.NoError(t, err)
				assert.Equal(t, tt.presented[0], chain[0])
				return
			}
			f, ok := errors.AsType[*Failure](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, tt.want, f.Code, f.Error())
			assert.Equal(t, StepTLS, f.Step)
			assert.NotEmpty(t, f.Message)
			assert.Contains(t, f.Message, trustedHost)
		})
	}
}

func TestTrustTellsWhatToDo(t *testing.T) {
	now := time.Now()
	ca, other := newTestCA(t, "CA"), newTestCA(t, "Other CA")
	leaf := other.server(t, trustedHost)
	registered := trustAt(now)
	registered.pins, registered.authorities = []string{Fingerprint(ca.cert)}, []*x509.Certificate{ca.cert}
	pinned := trustAt(now)
	pinned.pins = []string{Fingerprint(ca.cert)}
	late := trustAt(now.AddDate(30, 0, 0))
	late.pins, late.authorities = []string{Fingerprint(other.cert)}, []*x509.Certificate{other.cert}
	early := late
	early.now = func() time.Time { return time.Unix(0, 0) }

	accept := "emqxee-agent register --url https://" + trustedHost + ":8443 --registration-token TOKEN --ca-sha256 " +
		Fingerprint(other.cert)
	tests := map[string]struct {
		trust     trust
		presented []*testCA
		want      []string
	}{
		"the CA was changed": {registered, []*testCA{leaf, other},
			[]string{`"CN=Other CA"`, accept, "compare"}},
		"the CA was changed, not sent": {registered, []*testCA{leaf},
			[]string{"sends no certificate of a CA"}},
		"a wrong pin": {pinned, []*testCA{leaf, other},
			[]string{Fingerprint(other.cert), "--ca-sha256", "something else answers"}},
		"the right CA, and not above the certificate": {pinned, []*testCA{leaf, ca}, []string{"is not signed by it"}},
		"no pin": {trustAt(now), []*testCA{leaf, other}, []string{"signed by nobody that this host trusts",
			"--ca-sha256"}},
		"another name": {late, []*testCA{other.server(t, "a.example.com", "192.0.2.1")},
			[]string{"a.example.com, 192.0.2.1", "not for " + trustedHost}},
		"clock ahead": {late, []*testCA{leaf}, []string{"this host's clock says " + now.AddDate(30, 0,
			0).UTC().Format("2006-01"), "clock of this host is ahead"}},
		"clock behind": {early, []*testCA{leaf}, []string{"this host's clock says 1970-01-01T00:00:00Z",
			"clock of this host is behind"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var presented []*x509.Certificate
			for _, c := range tt.presented {
				presented = append(presented, c.cert)
			}
			_, err := tt.trust.verify(presented)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			message, hint := Explain(err)
			assert.NotEmpty(t, message)
			assert.NotEmpty(t, hint)
		})
	}
}

// TestAnnouncedChangeNeedsNoHand walks through a change of the CA as it is
// meant: announced, made, and the old one dropped.
func TestAnnouncedChangeNeedsNoHand(t *testing.T) {
	now := time.Now()
	ca, next := newTestCA(t, "CA"), newTestCA(t, "Next CA")
	before, after := ca.server(t, trustedHost), next.server(t, trustedHost)
	id, _ := newTestIdentity(t)
	id.Server, id.CASHA256 = "https://"+trustedHost, []string{Fingerprint(ca.cert)}

	meets := func(server *testCA, presented []*x509.Certificate, announced ...*x509.Certificate) error {
		trust, err := newTrust(id, func() time.Time { return now }, time.Time{})
		require.NoError(t, err)
		chain, err := trust.verify(presented)
		if err != nil {
			return err
		}
		require.Equal(t, server.cert, chain[0])
		id, _, err = id.learnedFrom(trust, chain, false, rawCertificates(announced), now)
		return err
	}
	require.NoError(t, meets(before, before.chain()))
	assert.Equal(t, [][]byte{ca.cert.Raw}, id.Authorities, "the pinned CA is learned")
	require.NoError(t, meets(before, before.chain()[:1]), "and need not be sent any more")
	require.Error(t, meets(after, after.chain()), "not announced yet")

	require.NoError(t, meets(before, before.chain(), ca.cert, next.cert))
	require.NoError(t, meets(after, after.chain(), ca.cert, next.cert), "announced")
	require.NoError(t, meets(before, before.chain(), ca.cert, next.cert), "and back: both overlap")
	require.NoError(t, meets(after, after.chain(), next.cert))
	require.Error(t, meets(before, before.chain()), "the old one is trusted no longer, nor its fingerprint")
	assert.Equal(t, []string{Fingerprint(next.cert)}, id.CASHA256)

	require.Error(t, meets(after, after.chain(), ca.cert), "an announcement that locks the agent out is not followed")
	require.NoError(t, meets(after, after.chain()))
	require.Error(t, meets(after, after.chain(), slicesRepeat(next.cert, maxAuthorities+1)...))
	require.NoError(t, meets(after, after.chain()))
}

func slicesRepeat[T any](v T, n int) (out []T) {
	for range n {
		out = append(out, v)
	}
	return out
}

func TestAuthoritiesAnnouncedBesideThoseOfTheSystem(t *testing.T) {
	public, own := newTestCA(t, "Public CA"), newTestCA(t, "Own CA")
	id, _ := newTestIdentity(t)
	trust := trustAt(time.Now())
	trust.system.AddCert(public.cert)
	chain, err := trust.verify(public.server(t, trustedHost).chain())
	require.NoError(t, err)
	unbound, changed, err := id.learnedFrom(trust, chain, false, [][]byte{own.cert.Raw}, time.Time{})
	require.NoError(t, err)
	assert.False(t, changed, "whoever ended TLS may have said it")
	assert.Empty(t, unbound.Authorities)
	id, changed, err = id.learnedFrom(trust, chain, true, [][]byte{own.cert.Raw}, time.Time{})
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Empty(t, id.CASHA256, "the system's authorities still count")

	trust.authorities = []*x509.Certificate{own.cert}
	_, err = trust.verify(own.server(t, trustedHost).chain()[:1])
	require.NoError(t, err)
	_, err = trust.verify(public.server(t, trustedHost).chain()[:1])
	require.NoError(t, err)
}

func TestServerTimeIsLearned(t *testing.T) {
	ca := newTestCA(t, "CA")
	leaf := ca.server(t, trustedHost)
	now := time.Now().UTC().Truncate(time.Second)
	id, _ := newTestIdentity(t)
	tests := map[string]struct {
		known, told, want time.Time
	}{
		"first":                            {time.Time{}, now, now},
		"an hour later: not worth a write": {now, now.Add(time.Hour), now},
		"a day later":                      {now, now.Add(24 * time.Hour), now.Add(24 * time.Hour)},
		"back: never":                      {now, now.AddDate(-1, 0, 0), now},
		"later than the server's own certificate":   {now, now.AddDate(2, 0, 0), now},
		"the end of time":                           {now, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), now},
		"a server that tells no time leaves it out": {now, time.Time{}, now},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id.LastServerTime = tt.known
			got, changed, err := id.learnedFrom(trustAt(now), leaf.chain(), false, nil, tt.told)
			require.NoError(t, err)
			assert.True(t, tt.want.Equal(got.LastServerTime), "%v", got.LastServerTime)
			assert.Equal(t, !tt.known.Equal(tt.want), changed)

			got, _, err = id.learnedFrom(trustAt(now), nil, false, nil, tt.told)
			require.NoError(t, err)
			assert.Equal(t, tt.known, got.LastServerTime, "nothing is learned without TLS")
		})
	}
}
