package logs

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not wanted is passed: reading goes on behind it.
func TestPassed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "emqx.log.1")
	write := func(text string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	const head = "2024-03-20T11:00:00.000000+01:00 "
	write(head + "[info] a\n" + head + "[info] b\n")
	d, err := Open(filepath.Dir(path))
	require.NoError(t, err)
	read := func(q Query, enough int) (got []string, last Mark) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		err := d.Read(ctx, q, func(l Line) error {
			if last = l.Mark; l.Passed {
				got = append(got, "passed")
			} else {
				got = append(got, string(l.Text))
			}
			if len(got) == enough {
				stop()
			}
			return nil
		})
		if !q.Follow {
			require.NoError(t, err)
		}
		return got, last
	}
	got, mark := read(Query{Level: "error"}, 0)
	require.Equal(t, []string{"passed"}, got)
	got, _ = read(Query{}, 0)
	require.Equal(t, []string{head + "[info] a", head + "[info] b"}, got, "nothing is passed where all is wanted")
	got, _ = read(Query{After: mark}, 0)
	require.Empty(t, got)
	write(head + "[error] c\n" + head + "[info] d\n")
	got, mark = read(Query{After: mark, Level: "error", Follow: true}, 2)
	require.Equal(t, []string{head + "[error] c", "passed"}, got)
	write(head + "[info] e\n")
	got, _ = read(Query{After: mark}, 0)
	require.Equal(t, []string{head + "[info] e"}, got)
	got, _ = read(Query{Text: "nowhere"}, 0)
	require.Empty(t, got, "an entry that goes on may still have the text")
}
