package adopt_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
)

// Everything is faster than in reality, but for what the Manager has to see twice,
// which takes a second, and patience with those who live: on a loaded machine they
// are slow.
var (
	hubTimings = adopt.Timings{
		Server: agentproto.ServerTimings{
			Heartbeat: 2 * time.Second, Silence: 20 * time.Second, ConflictPing: 5 * time.Second,
			RetryAfter: 50 * time.Millisecond, Reconnect: 10 * time.Millisecond,
		},
		Probe: 5 * time.Second, Away: time.Second, Retry: 200 * time.Millisecond, Refused: time.Second,
		Quiet: 500 * time.Millisecond,
	}
	managerTimings = ecp.Timings{
		Register: 10 * time.Second, AgentGrace: 200 * time.Millisecond, ReportStale: 20 * time.Second,
		AgentReturn: 8 * time.Second,
	}
)

// patience is how long anything is waited for.
const patience = time.Minute

// site is a program that adopts clusters: a Manager, a hub, and the HTTPS listener
// that agents dial.
type site struct {
	t     *testing.T
	store ecp.Store
	name  string // host and port
	pki   tls.Certificate
	pin   string // of the CA

	manager *fleet.Manager
	hub     *adopt.Hub
	halt    func() // ends the program; the store stays
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, store: memstore.New()}
	s.pki, s.pin = newCertificate(t)
	s.start("127.0.0.1:0")
	t.Cleanup(func() { s.halt() })
	return s
}

// as is a context in which everything is allowed.
func (s *site) as() context.Context { return ecp.WithActor(s.t.Context(), ecp.System) }

// start lets the program run at an address.
func (s *site) start(address string) {
	s.t.Helper()
	var listener net.Listener
	var err error
	eventually(s.t, func() bool { // another test's connection may have the port of before
		listener, err = net.Listen("tcp", address)
		return err == nil
	}, func() string { return err.Error() })
	s.name = listener.Addr().String()
	log := slog.New(slog.DiscardHandler)
	s.hub, err = adopt.NewHub(adopt.Config{Name: s.name, Logger: log, Timings: hubTimings})
	require.NoError(s.t, err)
	s.manager, err = fleet.New(s.as(), fleet.Config{
		Store: s.store, Link: s.hub, Timings: managerTimings, Logger: log, AgentAddress: "https://" +
			s.name, LocalServiceAddresses: true,
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
	})
	require.NoError(s.t, err)
	s.hub.Bind(s.manager)

	web := &http.Server{Handler: s.hub.Server(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{s.pki}},
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	s.hub.Server().ConfigureTLS(web)
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { _ = web.ServeTLS(listener, "", "") })
	group.Go(func() { _ = s.hub.Run(ctx) })
	group.Go(func() { _ = s.manager.Run(ctx) })
	s.halt = sync.OnceFunc(func() {
		cancel()
		_ = web.Close()
		group.Wait()
	})
}

// restart ends the program and starts it anew, with the same store.
func (s *site) restart() {
	s.t.Helper()
	s.halt()
	s.start(s.name)
}

// adopt creates a cluster and a token for it.
func (s *site) adopt(name string) (ecp.ID, ecp.Secret) {
	s.t.Helper()
	info, _, err := s.manager.Create(s.as(), fleet.CreateRequest{Mode: ecp.Adopted, Name: name,
		Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
	require.NoError(s.t, err)
	return info.ID, s.token(info.ID)
}

func (s *site) token(id ecp.ID) ecp.Secret {
	s.t.Helper()
	_, token, err := s.manager.Agents.CreateRegistration(s.as(), id, 0)
	require.NoError(s.t, err)
	return token
}

// status is how a cluster is now.
func (s *site) status(id ecp.ID) ecp.Info {
	s.t.Helper()
	info, err := s.manager.Cluster(id).Get(s.as())
	require.NoError(s.t, err)
	return info
}

// until waits until a cluster is in a state for a reason.
func (s *site) until(id ecp.ID, state ecp.State, reason ecp.Reason) ecp.Info {
	s.t.Helper()
	var info ecp.Info
	eventually(s.t, func() bool {
		info = s.status(id)
		return info.Status.State == state && (reason == "" || info.Status.Reason == reason)
	}, func() string {
		return fmt.Sprintf("%s: %s %s: %s; agents: %+v; wanted %s %s", id, info.Status.State, info.Status.Reason,
			info.Status.Message, s.hub.Observe(id).Agents, state, reason)
	})
	return info
}

// stays fails if a cluster does not stay in a state for a while.
func (s *site) stays(id ecp.ID, state ecp.State, d time.Duration) {
	s.t.Helper()
	timeout, tick := time.After(d), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		info := s.status(id)
		require.Equal(s.t, state, info.Status.State, "%s: %s", info.Status.Reason, info.Status.Message)
		select {
		case <-timeout:
			return
		case <-tick.C:
		}
	}
}

// eventually waits for a condition, and says what was seen if it does not come.
func eventually(t testing.TB, is func() bool, seen func() string) {
	t.Helper()
	timeout, tick := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-timeout:
			require.Fail(t, "not within "+patience.String(), seen())
		}
	}
}

// newCertificate makes a CA and a certificate of it for 127.0.0.1, and returns the
// CA's fingerprint.
func newCertificate(t testing.TB) (tls.Certificate, string) {
	t.Helper()
	make := func(of *x509.Certificate, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) *x509.Certificate {
		of.SerialNumber = big.NewInt(time.Now().UnixNano())
		of.NotBefore, of.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, of, by, key.Public(), byKey)
		require.NoError(t, err)
		c, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return c
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	ca := make(root, root, caKey, caKey)
	leaf := make(&x509.Certificate{Subject: pkix.Name{CommonName: "ecp"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
		ca, key, caKey)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, ca.Raw}, PrivateKey: key}, agentproto.Fingerprint(ca)
}
