package main

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/atomicfile"
)

// served returns what the listeners show, as a client that trusts the public file
// sees it under a name.
func served(t *testing.T, dir, name string, now time.Time) (*tls.Certificate, error) {
	t.Helper()
	pair, err := loadPair(filepath.Join(dir, serverFile), filepath.Join(dir, serverFile))
	require.NoError(t, err)
	roots, err := readAuthorities(filepath.Join(dir, publicFile))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(roots[0])
	require.Len(t, pair.Certificate, 2)
	require.Equal(t, roots[0].Raw, pair.Certificate[1], "the authority is in the chain")
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: now})
	return pair, err
}

func TestAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "tls")
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	names := []string{"localhost", "127.0.0.1", "::1", "ecp.example.com"}
	a, err := openAuthority(dir, names, now)
	require.NoError(t, err)
	require.NoError(t, a.renew(now))
	for _, name := range names {
		_, err := served(t, dir, name, now)
		require.NoError(t, err, name)
	}
	first, err := served(t, dir, "::1", now.Add(-23*time.Hour))
	require.NoError(t, err, "a client whose clock is slow")
	require.WithinDuration(t, now.Add(authorityLife), a.ca.Leaf.NotAfter, time.Second)
	for name, mode := range map[string]fs.FileMode{authorityFile: 0o600, serverFile: 0o600, publicFile: 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}

	// The next start finds the same authority, and leaves the certificate alone
	// until a third of its life is left.
	again, err := openAuthority(dir, names, now)
	require.NoError(t, err)
	require.Equal(t, a.ca.Leaf.Raw, again.ca.Leaf.Raw)
	for _, days := range []int{1, 59} {
		require.NoError(t, again.renew(now.AddDate(0, 0, days)))
		pair, err := served(t, dir, "localhost", now)
		require.NoError(t, err)
		require.Equal(t, first.Leaf.Raw, pair.Leaf.Raw, days)
	}
	later := now.AddDate(0, 0, 61)
	require.NoError(t, again.renew(later))
	second, err := served(t, dir, "localhost", later)
	require.NoError(t, err)
	require.NotEqual(t, first.Leaf.Raw, second.Leaf.Raw)
	require.True(t, second.Leaf.NotAfter.After(first.Leaf.NotAfter))

	// Another name needs another certificate; one less does not.
	more, err := openAuthority(dir, append(names, "*.dash.example.com"), later)
	require.NoError(t, err)
	require.NoError(t, more.renew(later))
	third, err := served(t, dir, "emqx-01234567.dash.example.com", later)
	require.NoError(t, err)
	require.NoError(t, again.renew(later))
	same, err := served(t, dir, "localhost", later)
	require.NoError(t, err)
	require.Equal(t, third.Leaf.Raw, same.Leaf.Raw)

	// At the end of the authority's own life it is not tried over and over.
	end := a.ca.Leaf.NotAfter.Add(-time.Hour)
	require.NoError(t, more.renew(end))
	last, err := served(t, dir, "localhost", end)
	require.NoError(t, err)
	require.Equal(t, a.ca.Leaf.NotAfter, last.Leaf.NotAfter)
	require.NoError(t, more.renew(end.Add(time.Minute)))
	same, err = served(t, dir, "localhost", end)
	require.NoError(t, err)
	require.Equal(t, last.Leaf.Raw, same.Leaf.Raw)

	// A server's file that is broken is made anew; an authority is not.
	require.NoError(t, os.WriteFile(filepath.Join(dir, serverFile), []byte("x"), 0o600))
	require.NoError(t, more.renew(later))
	_, err = served(t, dir, "localhost", later)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, authorityFile), []byte("x"), 0o600))
	_, err = openAuthority(dir, names, later)
	require.ErrorContains(t, err, "backup")
	content, err := os.ReadFile(filepath.Join(dir, authorityFile))
	require.NoError(t, err)
	require.Equal(t, "x", string(content))
}

func TestAuthorities(t *testing.T) {
	dir := t.TempDir()
	own, err := openAuthority(filepath.Join(dir, "own"), nil, time.Now())
	require.NoError(t, err)
	next, err := openAuthority(filepath.Join(dir, "next"), nil, time.Now())
	require.NoError(t, err)
	ownPEM, nextPEM := certificatePEM(own.ca.Leaf.Raw), certificatePEM(next.ca.Leaf.Raw)

	none, err := newAuthorities("", nil, discard())
	require.NoError(t, err)
	require.Empty(t, none.certificates())
	require.Empty(t, none.pin())

	alone, err := newAuthorities("", own.ca.Leaf, discard())
	require.NoError(t, err)
	require.Len(t, alone.certificates(), 1)
	require.Equal(t, hexOf(own.ca.Leaf.Raw), alone.pin())

	// A change is announced by a file that names both, and taken without a restart.
	file := filepath.Join(dir, "bundle.pem")
	require.NoError(t, os.WriteFile(file, ownPEM, 0o600))
	a, err := newAuthorities(file, own.ca.Leaf, discard())
	require.NoError(t, err)
	require.Len(t, a.certificates(), 1, "the own one is not told twice")
	require.NoError(t, atomicfile.Write(file, append(nextPEM, ownPEM...), 0o600))
	require.NoError(t, a.renew(t.Context(), false))
	require.Len(t, a.certificates(), 2)
	require.Equal(t, hexOf(next.ca.Leaf.Raw), a.pin(), "the first one is the guide's")

	require.NoError(t, atomicfile.Write(file, []byte("nonsense"), 0o600))
	require.ErrorContains(t, a.renew(t.Context(), false), "no certificate")
	require.NoError(t, a.renew(t.Context(), false), "said once")
	require.Len(t, a.certificates(), 2, "those before stay")

	key, err := os.ReadFile(filepath.Join(dir, "own", authorityFile))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, key, 0o600))
	_, err = newAuthorities(file, nil, discard())
	require.ErrorContains(t, err, "no key")
}
