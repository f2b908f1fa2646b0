package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/openecp/openecp/agentproto"
)

// agentsFolder is the folder with the agents' programs, beside the daemon's own program.
const agentsFolder = "agents"

// programsDir returns the folder with the agents' programs.
func (c *config) programsDir() string {
	if c.agentsDir != "" {
		return c.agentsDir
	}
	self, err := os.Executable()
	if err != nil {
		return agentsFolder
	}
	return filepath.Join(filepath.Dir(self), agentsFolder)
}

// checkAgents reports what is wrong with the settings of agents.
func (c *config) checkAgents(bad report) {
	if _, err := c.agentAddress(); err != nil {
		bad("cluster-agent", "cannot be used: %w", err)
	}
	if _, err := c.publicAddress(); err != nil {
		bad("public-url", "cannot be used: %w", err)
	}
	if c.agentsDir != "" {
		if info, err := os.Stat(c.agentsDir); err != nil || !info.IsDir() {
			bad("agents-dir", "is %q, which is no folder; make agents fills bin/agents", c.agentsDir)
		}
	}
	if c.agentsCAFile != "" {
		if _, err := readAuthorities(c.agentsCAFile); err != nil {
			bad("agents-ca-file", "cannot be used: %w", err)
		}
	}
}

// agentAddress parses the URL that agents dial. It returns nil if none is set.
func (c *config) agentAddress() (*url.URL, error) {
	if c.clusterAgent == "" {
		return nil, nil
	}
	u, err := agentproto.ParseServerURL(c.clusterAgent)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(u.Hostname()).IsUnspecified() {
		return nil, fmt.Errorf("%q is every address of a host; agents need one that they can dial", c.clusterAgent)
	}
	return u, nil
}

// readAuthorities reads a bundle of certificates.
func readAuthorities(name string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s holds a %s; it must hold certificates and no key", name, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of %s: %w", len(out)+1, name, err)
		}
		out = append(out, cert)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no certificate in PEM", name)
	}
	if err := agentproto.CheckAuthorities(out); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// authorities are the certificates that are announced to agents, which trust them from
// then on: those of the file, then the daemon's own. The file is read again when it
// changes, so a change is announced without a restart.
type authorities struct {
	file string            // empty if there is none
	own  *x509.Certificate // of --tls-auto; nil without that
	log  *slog.Logger
	all  atomic.Pointer[[]*x509.Certificate]
	seen os.FileInfo // of the file when it was last read; used by one goroutine
	// changed announces a change to connected agents and returns at once. It is nil if
	// agents cannot connect.
	changed func()
}

// newAuthorities reads the file.
func newAuthorities(file string, own *x509.Certificate, log *slog.Logger) (*authorities, error) {
	a := &authorities{file: file, own: own, log: log}
	a.seen = a.modified()
	return a, a.read()
}

func (a *authorities) read() error {
	var all []*x509.Certificate
	if a.file != "" {
		found, err := readAuthorities(a.file)
		if err != nil {
			return err
		}
		all = found
	}
	if a.own != nil && !containsCertificate(all, a.own) {
		all = append(all, a.own)
	}
	if err := agentproto.CheckAuthorities(all); err != nil {
		return fmt.Errorf("%s, together with this daemon's own: %w", a.file, err)
	}
	a.all.Store(&all)
	return nil
}

func containsCertificate(all []*x509.Certificate, one *x509.Certificate) bool {
	for _, c := range all {
		if c.Equal(one) {
			return true
		}
	}
	return false
}

func (a *authorities) modified() os.FileInfo {
	info, err := os.Stat(a.file)
	if err != nil {
		return nil
	}
	return info
}

// certificates returns all of them. If there are none, agents trust public authorities.
func (a *authorities) certificates() []*x509.Certificate { return *a.all.Load() }

// pin returns the SHA-256, in hex, that setup guides contain, and is empty without one.
func (a *authorities) pin() string {
	all := a.certificates()
	if len(all) == 0 {
		return ""
	}
	sum := sha256.Sum256(all[0].Raw)
	return hex.EncodeToString(sum[:])
}

// renew reads the file again if it has changed, or if force is true. A broken file is
// reported once, and the old certificates stay in use.
func (a *authorities) renew(ctx context.Context, force bool) error {
	if a.file == "" {
		return nil
	}
	now := a.modified()
	if !force && !changed(a.seen, now) {
		return nil
	}
	a.seen = now
	if err := a.read(); err != nil {
		return errors.Join(errors.New("the authorities that are announced to agents stay as they were"), err)
	}
	a.log.InfoContext(ctx, "the authorities of the file are announced to agents from now on",
		"file", a.file, "certificates", len(a.certificates()))
	if a.changed != nil {
		a.changed()
	}
	return nil
}

// certificateNames returns the names in the certificate of --tls-auto.
func (c *config) certificateNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	add := func(name string) {
		if ip := net.ParseIP(name); name != "" && (ip == nil || !ip.IsUnspecified()) {
			names = append(names, strings.ToLower(name))
		}
	}
	if host, _, err := net.SplitHostPort(c.listen); err == nil {
		add(host)
	}
	if u, err := c.agentAddress(); err == nil && u != nil {
		add(u.Hostname())
	}
	if r, err := c.dashboardPorts(); err == nil && r != nil {
		add(r.host)
	}
	if d, err := c.dashboardDomain("0"); err == nil && d != nil {
		u := url.URL{Host: d.Host}
		add(u.Hostname())
		add("*." + u.Hostname())
	}
	return names
}
