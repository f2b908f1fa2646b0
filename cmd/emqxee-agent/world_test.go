package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/processtest"
)

// network is a network of the test's own, with a loopback and nothing else: there
// EMQX can have its usual ports. Sockets and processes that do makes are in it.
type network struct{ calls chan func() }

// newNetwork makes one, or skips the test where that takes rights it has not.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := syscall.Unshare(syscall.CLONE_NEWNET)
		if err == nil {
			err = exec.Command("ip", "link", "set", "lo", "up").Run()
		}
		ready <- err
		for call := range n.calls {
			call()
		}
	}()
	t.Cleanup(func() { close(n.calls) })
	if err := <-ready; err != nil {
		t.Skipf("no network of its own here (%v): run the tests as root, with iproute2", err)
	}
	return n
}

// do calls fn inside the network; a nil network is the host's.
func (n *network) do(fn func()) {
	if n == nil {
		fn()
		return
	}
	done := make(chan struct{})
	n.calls <- func() { defer close(done); fn() }
	<-done
}

func (n *network) listen(t *testing.T, address string) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	n.do(func() { l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", address) })
	require.NoError(t, err)
	return l
}

// serve serves on a listener until the test ends.
func serve(t *testing.T, s *http.Server, l net.Listener, withTLS bool) {
	t.Helper()
	s.ErrorLog = log.New(io.Discard, "", 0)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if withTLS {
			_ = s.ServeTLS(l, "", "") // it ends with the listener
		} else {
			_ = s.Serve(l)
		}
	}()
	t.Cleanup(func() { _ = s.Close(); <-ended })
}

// world is a server that agents can register with.
type world struct {
	t        *testing.T
	registry *agentproto.MemoryRegistry
	server   *agentproto.Server
	url      string
	pin      string // SHA-256 of its CA
	caPEM    []byte
	stop     func() // takes the server away
}

// newWorld serves on a loopback address of the network.
func newWorld(t *testing.T, n *network) *world { t.Helper(); return newNamedWorld(t, n, "127.0.0.1") }

// namedServer is a name that the test's proxy alone can find.
const namedServer = "ecp.test"

// newNamedWorld serves there, under a name of its own.
func newNamedWorld(t *testing.T, n *network, name string) *world {
	t.Helper()
	l := n.listen(t, "127.0.0.1:0")
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	name = net.JoinHostPort(name, port)
	ca, certificate := newAuthority(t)
	pin := sha256.Sum256(ca)
	w := &world{t: t, registry: agentproto.NewMemoryRegistry(), url: "https://" + name, pin: hex.EncodeToString(pin[:]),
		caPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca})}
	server, err := agentproto.NewServer(agentproto.ServerConfig{Name: name, Registry: w.registry})
	require.NoError(t, err)
	w.server = server
	h := &http.Server{Handler: server, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate},
		MinVersion: tls.VersionTLS12}}
	server.ConfigureTLS(h)
	serve(t, h, l, true)
	w.stop = func() { _ = h.Close() }
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) token() string { return w.registry.MintToken(time.Hour) }

// registering are the flags that register with it.
func (w *world) registering(more ...string) []string {
	return append([]string{"register", "--url", w.url, "--registration-token", w.token(), "--ca-sha256", w.pin},
		more...)
}

// connected waits until one agent is connected and returns its connection.
func (w *world) connected() (c agentproto.Connection) {
	w.t.Helper()
	processtest.Eventually(w.t, 15*time.Second, func() (bool, any) {
		all := w.server.Connections()
		if len(all) == 1 {
			c = all[0]
		}
		return len(all) == 1, all
	})
	return c
}

func (w *world) nobody() {
	w.t.Helper()
	processtest.Eventually(w.t, 15*time.Second, func() (bool, any) {
		all := w.server.Connections()
		return len(all) == 0, all
	})
}

// newAuthority makes a CA, and a certificate of it for loopback that carries it
// along.
func newAuthority(t *testing.T) (ca []byte, leaf tls.Certificate) {
	t.Helper()
	make := func(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		require.NoError(t, err)
		return der, key
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	ca, caKey := make(authority, nil, nil)
	der, key := make(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test server"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost", namedServer},
	}, authority, caKey)
	return ca, tls.Certificate{Certificate: [][]byte{der, ca}, PrivateKey: key}
}

// broker is a simulated EMQX on sockets.
type broker struct {
	cluster        *emqxsim.Cluster
	node           *emqxsim.Node
	dashboard, api string // URLs
}

// newBroker serves one node; empty addresses are chosen.
func newBroker(t *testing.T, n *network, config emqxsim.ClusterConfig, dashboard, api string) *broker {
	t.Helper()
	if config.Version == "" {
		config.Version = "5.8.9"
	}
	b := &broker{cluster: emqxsim.NewCluster(config)}
	b.node = b.cluster.Join("emqx@127.0.0.1")
	put := func(address string, h http.Handler) string {
		if address == "" {
			address = "127.0.0.1:0"
		}
		l := n.listen(t, address)
		serve(t, emqxsim.NewServer(config.Version, h), l, false)
		return "http://" + l.Addr().String()
	}
	if config.Version[0] == '4' {
		b.dashboard, b.api = put(dashboard, b.node.Dashboard()), put(api, b.node.Handler())
		return b
	}
	b.dashboard = put(dashboard, b.node.Handler())
	return b
}

// flags tell an agent where the broker is.
func (b *broker) flags() []string {
	flags := []string{"--emqx-dashboard-url", b.dashboard}
	if b.api != "" {
		flags = append(flags, "--emqx-api-url", b.api)
	}
	return flags
}

// connectProxy is an HTTP proxy that only passes CONNECT.
type connectProxy struct {
	url string

	mu     sync.Mutex
	passed []string // guarded by mu; what was connected to
}

func newConnectProxy(t *testing.T) *connectProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &connectProxy{url: "http://" + l.Addr().String()}
	var tunnels sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	serve(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
			return
		}
		there, err := net.Dial("tcp", strings.ReplaceAll(r.Host, namedServer, "127.0.0.1"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		p.mu.Lock()
		p.passed = append(p.passed, r.Host)
		p.mu.Unlock()
		w.WriteHeader(http.StatusOK)
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		tunnels.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = here.Close(); _ = there.Close() })()
			tunnels.Go(func() { _, _ = io.Copy(there, buffered); _ = there.Close() })
			_, _ = io.Copy(here, there)
			_ = here.Close()
		})
	})}, l, false)
	t.Cleanup(func() { stop(); tunnels.Wait() })
	return p
}

func (p *connectProxy) hosts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.passed...)
}
