package logs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkTail is the newest 500 lines of a log of 1 GiB.
func BenchmarkTail(b *testing.B) {
	dir := b.TempDir()
	f, err := os.Create(filepath.Join(dir, "emqx.log.1"))
	require.NoError(b, err)
	defer f.Close()
	const atOnce = 10_000
	for n, size := 0, 0; size < 1<<30; n += atOnce {
		wrote, err := f.WriteString(lines(n, n+atOnce-1))
		if errors.Is(err, syscall.ENOSPC) {
			b.Skip("it takes 1 GiB of the disk")
		}
		require.NoError(b, err)
		size += wrote
	}
	d, err := Open(dir)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		require.NoError(b, d.Read(b.Context(), Query{Tail: 500}, func(Line) error { n++; return nil }))
		require.Equal(b, 500, n)
	}
}

// BenchmarkFollow is how fast a follower reads what there is.
func BenchmarkFollow(b *testing.B) {
	dir := b.TempDir()
	text := []byte(lines(0, 499_999))
	require.NoError(b, os.WriteFile(filepath.Join(dir, "emqx.log.1"), text, 0o600))
	d, err := Open(dir)
	require.NoError(b, err)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n, enough := 0, errors.New("enough")
		err := d.Read(context.Background(), Query{Follow: true}, func(Line) error {
			if n++; n == 500_000 {
				return enough
			}
			return nil
		})
		require.ErrorIs(b, err, enough)
	}
}
