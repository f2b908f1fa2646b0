package agentproto

import (
	"crypto/x509"
	"fmt"
	"log/slog"
)

// maxAnnounced bounds what a server announces, in bytes of DER: it has to fit
// into one message of the handshake.
const maxAnnounced = 10 << 10

// CheckAuthorities returns an error if there are more certificates, or larger
// ones, than [ServerConfig].Authorities can announce to agents: a bundle of all
// public authorities is an example.
func CheckAuthorities(certs []*x509.Certificate) error {
	if len(certs) > maxAuthorities {
		return fmt.Errorf("%d certificates of authorities are more than the %d that agents take: name only those that sign this server's certificate", len(certs), maxAuthorities)
	}
	size := 0
	for _, c := range certs {
		size += len(c.Raw)
	}
	if size > maxAnnounced {
		return fmt.Errorf("the certificates of authorities have %d bytes, more than the %d that agents take: name only those that sign this server's certificate", size, maxAnnounced)
	}
	return nil
}

// announced returns the certificates that agents are told to trust, as they
// travel. Of a list that agents would not take nothing is announced: they keep
// what they trust, and go on being served.
func announced(authorities func() []*x509.Certificate, log *slog.Logger) [][]byte {
	if authorities == nil {
		return nil
	}
	certs := authorities()
	if err := CheckAuthorities(certs); err != nil {
		log.Error("no authorities are announced to agents", "error", err)
		return nil
	}
	return rawCertificates(certs)
}

func rawCertificates(certs []*x509.Certificate) [][]byte {
	var raw [][]byte
	for _, c := range certs {
		raw = append(raw, c.Raw)
	}
	return raw
}
