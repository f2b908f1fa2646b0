package emqxsim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/openecp/openecp/ecp"
)

// certificate is the Secret with the certificate of a cluster, which its pods have as files.
type certificate struct {
	Chain   string    `json:"chain"`
	Key     string    `json:"key"`
	Changed time.Time `json:"changed"`
	// The content before Changed, which nodes that ran then serve for some time.
	OldChain string `json:"oldChain,omitempty"`
	OldKey   string `json:"oldKey,omitempty"`
}

// certify takes up the certificate that is asked for. It stays while pods may have it.
func (s *state) certify(d ecp.Desired, now time.Time) {
	is, was := d.Certificate, s.Certificate
	switch {
	case is.Chain == "":
	case was == nil:
		s.Certificate = &certificate{Chain: is.Chain, Key: string(is.Key), Changed: now}
	case was.Chain != is.Chain || was.Key != string(is.Key):
		s.Certificate = &certificate{
			Chain: is.Chain, Key: string(is.Key), Changed: now, OldChain: was.Chain, OldKey: was.Key,
		}
	}
}

// servedBy returns the certificate that a pod serves.
func (s *state) servedBy(p pod, now time.Time, pace pace, renew time.Duration) (tls.Certificate, error) {
	c := s.Certificate
	if !p.Certified || c == nil {
		return ownCertificate()
	}
	started := p.Ready.Add(-pace.boot)
	if c.OldChain != "" && started.Before(c.Changed) && now.Before(c.Changed.Add(renew)) {
		return tls.X509KeyPair([]byte(c.OldChain), []byte(c.OldKey))
	}
	return tls.X509KeyPair([]byte(c.Chain), []byte(c.Key))
}

// ownCertificate returns the one that EMQX brings along, which is the same on all nodes.
var ownCertificate = sync.OnceValues(func() (tls.Certificate, error) {
	begin := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	chain, key := SelfSigned("localhost", begin, begin.AddDate(200, 0, 0))
	return tls.X509KeyPair([]byte(chain), []byte(key))
})

// SelfSigned returns a certificate for a host that is its own issuer, and its private key,
// both in PEM. Each is another one.
func SelfSigned(host string, begin, end time.Time) (chain string, key ecp.Secret) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the source of random numbers never fails
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: begin, NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		panic(err) // the template and the key are whole
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err) // of a curve that it knows
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		ecp.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

// DialMQTTS connects to a node as a client of MQTT over TLS does. The node serves the
// certificate of the cluster, a renewed one after [ProvisionerConfig.RenewTime].
func (p *Provisioner) DialMQTTS(ctx context.Context, id ecp.ID, node string) (net.Conn, error) {
	if err := p.checkReachable(ctx, "reach "+string(id)); err != nil {
		return nil, err
	}
	now := p.now()
	st := p.at(id, now)
	var n *Node
	if c := p.Cluster(id); c != nil {
		c.change(func(time.Time) { n = c.findAny(node) })
	}
	for _, pod := range st.Pods {
		is := names{id: id, version: st.version()}.node(pod.Ordinal) == node
		if n == nil || !is || !pod.runs(now, p.cfg.AnswerTime) {
			continue
		}
		served, err := st.servedBy(pod, now, p.pace, p.cfg.RenewTime)
		if err != nil {
			return nil, fmt.Errorf("the simulated node cannot read its certificate: %w", err)
		}
		ours, theirs := net.Pipe()
		config := &tls.Config{Certificates: []tls.Certificate{served}, MinVersion: tls.VersionTLS12}
		go n.ServeMQTT(tls.Server(theirs, config))
		return ours, nil
	}
	return nil, &net.OpError{
		Op: "dial", Net: "tcp", Addr: address(hostOf(node) + ":8883"),
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
	}
}
