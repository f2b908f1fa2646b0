package agentproto

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// maxAnnounced is the largest size of all certificates that a server announces, in bytes
// of DER: they have to fit in one message of the handshake.
const maxAnnounced = 10 << 10

// CheckAuthorities returns an error if there are more certificates, or larger ones,
// than [ServerConfig].Authorities can announce to agents. That is so for a bundle of
// all public authorities, for example.
func CheckAuthorities(certs []*x509.Certificate) error {
	if len(certs) > maxAuthorities {
		return fmt.Errorf("%d certificates of authorities are more than the %d that agents take: name only those that "+
			"sign this server's certificate", len(certs), maxAuthorities)
	}
	size := 0
	for _, c := range certs {
		size += len(c.Raw)
	}
	if size > maxAnnounced {
		return fmt.Errorf("the certificates of authorities have %d bytes, more than the %d that agents take: name "+
			"only "+
			"those that sign this server's certificate", size, maxAnnounced)
	}
	return nil
}

// announced returns the certificates that agents should trust, as they travel. If agents
// would not accept the list, announced returns nothing, and agents keep what they trust.
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

// announcement is sent to connected agents when the list changes.
type announcement struct {
	Authorities [][]byte `json:"authorities"` // DER
}

// Announce sends the certificates that [ServerConfig].Authorities returns to all
// connected agents. Other agents get them when they connect. It returns when all
// agents have answered, or their time is over.
func (s *Server) Announce(ctx context.Context) {
	list := announced(s.cfg.Authorities, s.cfg.Logger)
	if len(list) == 0 {
		return
	}
	done, ok := s.begin()
	if !ok {
		return
	}
	defer done()
	eachSession(s.all(), func(sess *session) {
		ctx, cancel := context.WithTimeout(ctx, s.cfg.Timings.Handshake)
		defer cancel()
		if _, err := sess.control(ctx, http.MethodPost, pathTrust, announcement{list}); err != nil && sess.live() {
			s.cfg.Logger.Warn("an agent does not take the authorities that it is to trust from now on", "agent",
				sess.info.Agent,
				"error", err)
		}
	})
}

// news is an announcement on its way to the goroutine that keeps the identity.
type news struct {
	authorities [][]byte
	kept        chan error // of one
}

// takeAuthorities passes an announcement on, and answers whether it is followed.
func (s *served) takeAuthorities(w http.ResponseWriter, r *http.Request) {
	var a announcement
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxControlBytes))
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	if err != nil {
		http.Error(w, "not an announcement", http.StatusBadRequest)
		return
	}
	n := news{a.Authorities, make(chan error, 1)}
	select {
	case s.news <- n:
	case <-r.Context().Done():
		return
	}
	if err := <-n.kept; err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
