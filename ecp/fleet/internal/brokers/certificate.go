package brokers

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// How often the catalog is asked for the certificate of a cluster, and nodes for the one that they serve. Kubernetes
// brings a renewed one to them within about two minutes, and EMQX reads its files again within another two.
const (
	certificateEvery   = time.Minute
	servedEvery        = 10 * time.Minute
	servedOutdated     = 2 * time.Minute // while a node serves another one
	certificateSpreads = 5 * time.Minute
	handshakeTimeout   = 5 * time.Second
)

// ObserveCertificate looks up the certificate that a cluster is to serve, and has a client see what its nodes serve. No
// pass waits for that.
func (m *Brokers) ObserveCertificate(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord,
	mem *observed.Memory, snap *derive.Snapshot) {
	name, check := rec.Spec.Hosted.Network.Certificate, &mem.Certificate
	if name == "" {
		snap.Certificate, *check = nil, observed.CertificateCheck{Probe: check.Probe}
		return
	}
	was := snap.Certificate
	if was == nil || was.Name != name || snap.Tick.Sub(check.At) >= certificateEvery {
		now := m.certificate(ctx, name)
		if now == nil {
			return
		}
		check.At = snap.Tick
		if was == nil || was.Name != name || was.SHA256 != now.SHA256 { // what was served before is no news
			check.Due, check.Of = snap.Tick.Add(certificateSpreads), now.SHA256
		} else {
			now.Others, now.Unasked = was.Others, was.Unasked
		}
		snap.Certificate = now
	}
	m.takeServed(mem, snap)
	m.askServed(ctx, p, rec, mem, snap)
}

// certificate reads a certificate of the catalog; nil means that the store does not answer.
func (m *Brokers) certificate(ctx context.Context, name string) *derive.CertificateObservation {
	out := &derive.CertificateObservation{Name: name}
	err := m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		c, err := m.observed.Catalog.Certificates.Find(tx, name)
		out.NotAfter, out.SHA256 = c.NotAfter, c.SHA256
		return err
	})
	switch {
	case errors.Is(err, ecp.ErrNotFound):
		out.Missing = ecp.MessageOf(err)
	case err != nil:
		return nil
	}
	return out
}

// askServed begins a round over the nodes, where that is due: one after the other, so that a cluster has one such
// connection at a time.
func (m *Brokers) askServed(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory,
	snap *derive.Snapshot) {
	dialer, ok := p.(ecp.TLSDialer)
	v := derive.NewView(snap.At, rec, *snap)
	check := &mem.Certificate
	if !ok || check.Probe != nil || snap.Certificate.Missing != "" || snap.Unseen != "" ||
		snap.Tick.Before(check.Due) || rec.Status.State != ecp.Running || !v.Agreed() {
		return
	}
	done := make(chan []derive.ServedCertificate, 1)
	check.Probe, check.ProbeOf = done, check.Of
	check.Due = snap.Tick.Add(servedEvery)
	ready := slices.Clone(v.Ready)
	m.probes.Go(func() {
		var out []derive.ServedCertificate
		for _, n := range ready {
			s := served(ctx, dialer, rec.ID, n.Name)
			s.Pod = n.Pod
			out = append(out, s)
		}
		done <- out
	})
}

// takeServed takes up the end of a round, if it has come.
func (m *Brokers) takeServed(mem *observed.Memory, snap *derive.Snapshot) {
	check := &mem.Certificate
	select {
	case all := <-check.Probe: // never, where there is none
		check.Probe = nil
		if check.ProbeOf != snap.Certificate.SHA256 {
			return // it was renewed meanwhile
		}
		now := *snap.Certificate
		now.Record(all)
		snap.Certificate = &now
		if len(now.Others) > 0 {
			check.Due = snap.Tick.Add(servedOutdated)
		}
	default:
	}
}

// served shakes hands with a node and returns what it shows. Whether that is to be trusted is of no matter here.
func served(ctx context.Context, dialer ecp.TLSDialer, id ecp.ID, node string) (out derive.ServedCertificate) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	raw, err := dialer.DialMQTTS(ctx, id, node)
	if err != nil {
		out.Err = observed.ReasonOf(err)
		return out
	}
	end := context.AfterFunc(ctx, func() { _ = raw.Close() }) // not every connection keeps deadlines
	defer func() {
		if end() {
			_ = raw.Close()
		}
	}()
	conn := tls.Client(raw, &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // what is served is compared, and nothing is sent
		MinVersion:         tls.VersionTLS12,
	})
	err = conn.HandshakeContext(ctx)
	chain := conn.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		out.Err = "it answers no TLS"
		if ctx.Err() != nil {
			out.Err = "it does not answer TLS in time"
		}
		return out
	}
	_ = err // one that asks for a client's certificate ends the handshake after it has shown its own
	sum := sha256.Sum256(chain[0].Raw)
	out.SHA256, out.NotAfter = hex.EncodeToString(sum[:]), chain[0].NotAfter
	return out
}
