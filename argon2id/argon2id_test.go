package argon2id

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ tenancy.PasswordHasher = (*Hasher)(nil)

// small is quick enough for tests of everything but the strength.
var small = Config{MemoryKiB: 64, Time: 1}

func newHasher(t testing.TB, c Config) *Hasher {
	t.Helper()
	h, err := New(c)
	require.NoError(t, err)
	return h
}

func TestHashAndVerify(t *testing.T) {
	h := newHasher(t, small)
	one, err := h.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	two, err := h.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	require.NotEqual(t, one, two, "each has a salt of its own")
	require.True(t, strings.HasPrefix(one, "$argon2id$v=19$m=64,t=1,p=1$"), one)
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "": false,
		"correct horse ": false, strings.Repeat("x", 10_000): false} {
		ok, outdated, err := h.Verify(t.Context(), one, password)
		require.NoError(t, err)
		require.Equal(t, want, ok, "%.20q", password)
		require.False(t, outdated)
	}
}

// The reference implementation made this one.
func TestAgreesWithTheReference(t *testing.T) {
	const phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	h := newHasher(t, Config{})
	ok, outdated, err := h.Verify(t.Context(), phc, "password")
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, outdated, "its salt is shorter than ours")
}

func TestOutdated(t *testing.T) {
	hash, err := newHasher(t, small).Hash(t.Context(), "x")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		now  Config
		want bool
	}{
		"the same":     {small, false},
		"more memory":  {Config{MemoryKiB: 128, Time: 1}, true},
		"more passes":  {Config{MemoryKiB: 64, Time: 2}, true},
		"less of both": {Config{MemoryKiB: 32, Time: 1}, false},
	} {
		ok, outdated, err := newHasher(t, c.now).Verify(t.Context(), hash, "x")
		require.NoError(t, err, name)
		require.True(t, ok, name)
		require.Equal(t, c.want, outdated, name)
	}
}

func TestDamagedHashes(t *testing.T) {
	h := newHasher(t, small)
	good, err := h.Hash(t.Context(), "x")
	require.NoError(t, err)
	for _, bad := range []string{
		"", "x", "$2a$10$abcdefghijklmnopqrstuv", strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=99999999", 1), strings.Replace(good, "m=64", "m=-1", 1),
		strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "t=1", "t=1000000", 1), strings.Replace(good, "p=1", "p=200", 1),
		strings.Replace(good, "m=64", "m=064", 1),
		good + "$", good + "=", good[:len(good)-30],
	} {
		_, _, err := h.Verify(t.Context(), bad, "x")
		require.ErrorIs(t, err, errForm, bad)
		if len(bad) > 30 {
			require.NotContains(t, err.Error(), bad[30:], "hashes are not for logs")
		}
	}
}

func TestBadParameters(t *testing.T) {
	for _, c := range []Config{{MemoryKiB: -1}, {MemoryKiB: 1 << 30}, {Time: -1}, {Time: 1000}, {Threads: -1},
		{Threads: 1000}, {Concurrent: -1}, {MemoryKiB: 8, Threads: 4}} {
		_, err := New(c)
		require.Error(t, err, "%+v", c)
	}
}

// Who waits for a turn gives up with the context, and turns come back.
func TestTurns(t *testing.T) {
	h := newHasher(t, Config{MemoryKiB: 64, Time: 1, Concurrent: 1})
	h.turns <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, err := h.Hash(ctx, "x")
			require.ErrorIs(t, err, context.Canceled)
		})
	}
	cancel()
	all.Wait()
	<-h.turns
	_, err := h.Hash(t.Context(), "x")
	require.NoError(t, err)
	require.Empty(t, h.turns)
}

func FuzzVerify(f *testing.F) {
	h := newHasher(f, small)
	good, err := h.Hash(f.Context(), "x")
	require.NoError(f, err)
	f.Add(good, "x")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$$", "")
	f.Fuzz(func(t *testing.T, phc, password string) {
		if p, _, _, err := parse(phc); err == nil && (p.memory > 1024 || p.time > 4) {
			t.Skip("slow on purpose")
		}
		ok, _, err := h.Verify(t.Context(), phc, password)
		if ok && err != nil {
			t.Fatal("both ok and an error")
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h := newHasher(b, Config{})
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "correct horse battery staple"); err != nil {
			b.Fatal(err)
		}
	}
}
