package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writePair puts a new certificate and its key in place.
func writePair(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	for name, b := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if name != "" {
			require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(b), 0o600))
		}
	}
}

func TestRenew(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	writePair(t, certFile, keyFile, 1)
	var log bytes.Buffer
	c, err := newCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	serial := func() int64 { return c.pair.Load().Leaf.SerialNumber.Int64() }
	later := time.Now()
	// touch makes what was written look later than any clock's tick.
	touch := func() {
		later = later.Add(time.Minute)
		for _, name := range []string{certFile, keyFile} {
			if _, err := os.Stat(name); err == nil {
				require.NoError(t, os.Chtimes(name, later, later))
			}
		}
	}
	require.NoError(t, c.renew(t.Context(), false))
	require.Equal(t, int64(1), serial())
	require.WithinDuration(t, time.Now().Add(time.Hour), c.notAfter(), time.Minute)

	writePair(t, certFile, keyFile, 2)
	touch()
	require.NoError(t, c.renew(t.Context(), false))
	require.Equal(t, int64(2), serial())
	require.Contains(t, log.String(), "certificate renewed")

	writePair(t, certFile, "", 3) // the key of another
	touch()
	require.ErrorContains(t, c.renew(t.Context(), false), "the one before stays in use")
	require.NoError(t, c.renew(t.Context(), false), "it is said once")
	require.ErrorContains(t, c.renew(t.Context(), true), "the one before stays in use", "but whoever asks is told")
	require.Equal(t, int64(2), serial())

	require.NoError(t, os.Remove(keyFile))
	require.Error(t, c.renew(t.Context(), false), "a file that is missing")
	require.NoError(t, c.renew(t.Context(), false))

	writePair(t, certFile, keyFile, 4)
	require.NoError(t, c.renew(t.Context(), false))
	require.Equal(t, int64(4), serial())

	// Every attempt is counted, and no look without one.
	var attempts []error
	r := reloader{certificate: c, log: slog.New(slog.DiscardHandler),
		done: func(err error) { attempts = append(attempts, err) }}
	r.poll(t.Context())
	require.Empty(t, attempts)
	writePair(t, certFile, keyFile, 5)
	later = later.Add(time.Hour)
	touch()
	r.poll(t.Context())
	require.Equal(t, []error{nil}, attempts)
	writePair(t, certFile, "", 6)
	touch()
	r.poll(t.Context())
	r.poll(t.Context())
	require.Len(t, attempts, 2)
	require.Error(t, attempts[1])
}

// A certificate out of its time is used, since clocks can be wrong, and told.
func TestOutOfTime(t *testing.T) {
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		from, to time.Duration // from now on
		want     string
	}{
		{-time.Hour, time.Hour, ""},
		{-2 * time.Hour, -time.Hour, "it ended at 2027-01-02T02:04:05Z"},
		{time.Hour, 2 * time.Hour, "it begins at 2027-01-02T04:04:05Z only"},
	} {
		leaf := &x509.Certificate{NotBefore: now.Add(c.from), NotAfter: now.Add(c.to)}
		require.Equal(t, c.want, outOfTime(leaf, now))
		var log bytes.Buffer
		held := &certificate{log: slog.New(slog.NewTextHandler(&log, nil))}
		held.pair.Store(&tls.Certificate{Leaf: &x509.Certificate{NotBefore: time.Now().Add(c.from),
			NotAfter: time.Now().Add(c.to)}})
		held.warn(t.Context())
		require.Equal(t, c.want != "", log.Len() > 0)
	}
	require.Empty(t, outOfTime(nil, now))
}
