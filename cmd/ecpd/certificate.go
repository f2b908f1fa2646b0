package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificate is the certificate and key of the API's listener. They are read again when
// their files change. If the new files cannot be used, the old pair stays in use.
type certificate struct {
	certFile, keyFile string
	// issue makes new files when it is time. It is nil if another program does.
	issue    func(now time.Time) error
	unissued bool // the last issue failed, which was reported; used by one goroutine
	log      *slog.Logger
	pair     atomic.Pointer[tls.Certificate]
	seen     [2]os.FileInfo // of both files when they were last read; used by one goroutine
}

// newOwnCertificate issues a pair with the daemon's own authority and reads it.
func newOwnCertificate(a *authority, log *slog.Logger) (*certificate, error) {
	if err := a.renew(time.Now()); err != nil {
		return nil, err
	}
	c, err := newCertificate(a.serverPair(), a.serverPair(), log)
	if err != nil {
		return nil, err
	}
	c.issue = a.renew
	return c, nil
}

// newCertificate reads the pair.
func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	c.seen = c.stat()
	pair, err := loadPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	c.pair.Store(pair)
	return c, nil
}

// warn logs if clients refuse the certificate because it is not valid now.
func (c *certificate) warn(ctx context.Context) {
	if why := outOfTime(c.pair.Load().Leaf, time.Now()); why != "" {
		c.log.WarnContext(ctx, "clients refuse the certificate: "+why+"; replace its file, no restart is needed",
			"file", c.certFile)
	}
}

// outOfTime returns why a certificate is not valid now, and is empty if it is valid.
func outOfTime(leaf *x509.Certificate, now time.Time) string {
	switch {
	case leaf == nil:
		return ""
	case now.After(leaf.NotAfter):
		return "it ended at " + leaf.NotAfter.UTC().Format(time.RFC3339)
	case now.Before(leaf.NotBefore):
		return "it begins at " + leaf.NotBefore.UTC().Format(time.RFC3339) + " only"
	}
	return ""
}

// loadPair reads a certificate chain and its key, which must belong together.
func loadPair(certFile, keyFile string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// config returns the configuration of the listener.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}

// notAfter is when the pair in use stops being valid.
func (c *certificate) notAfter() time.Time {
	if leaf := c.pair.Load().Leaf; leaf != nil {
		return leaf.NotAfter
	}
	return time.Time{}
}

// stat returns the state of both files, with nil for a missing one.
func (c *certificate) stat() (now [2]os.FileInfo) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			now[i] = info
		}
	}
	return now
}

// changed reports whether a file is not the one that was read. Files are replaced by
// renaming as often as they are written to.
func changed(before, now os.FileInfo) bool {
	if before == nil || now == nil {
		return before != now
	}
	return !os.SameFile(before, now) || !before.ModTime().Equal(now.ModTime()) || before.Size() != now.Size()
}

// renew reads the pair again if its files have changed, or if force is true. A broken
// pair is reported once until its files change again, because certificate and key are
// rarely replaced at the same moment.
func (c *certificate) renew(ctx context.Context, force bool) error {
	if err := c.reissue(force); err != nil {
		return err
	}
	now := c.stat()
	if !force && !changed(c.seen[0], now[0]) && !changed(c.seen[1], now[1]) {
		return nil
	}
	c.seen = now
	pair, err := loadPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("the certificate was not renewed, the one before stays in use: %w", err)
	}
	c.pair.Store(pair)
	c.log.InfoContext(ctx, "certificate renewed", "file", c.certFile, "valid until", c.notAfter().UTC())
	c.warn(ctx)
	return nil
}

// reissue makes a new pair when it is time. A failure is reported once until it has
// gone, and each time if force is true.
func (c *certificate) reissue(force bool) error {
	if c.issue == nil {
		return nil
	}
	err := c.issue(time.Now())
	reported := c.unissued && !force
	c.unissued = err != nil
	if err == nil || reported {
		return nil
	}
	return fmt.Errorf("%w; the one before stays in use", err)
}
