package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadWrapLog(t *testing.T) {
	dir := t.TempDir()
	for n, name := range []string{"emqx.log.3", "emqx.log.4", "emqx.log.1", "emqx.log.2"} {
		var b []byte
		for i := range 3000 {
			b = fmt.Appendf(b, "2024-03-20T11:%02d:%02d.%03d000+01:00 [warning] line %d %d\n", n, i/100, i%100, n, i)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "emqx.log.idx"), []byte{0, 0, 0, 0, 0, 2, 0, 0, 0, 2}, 0o600))
	d, err := Open(dir)
	require.NoError(t, err)
	var got []string
	var marks []Mark
	read := func(q Query) {
		got = nil
		require.NoError(t, d.Read(t.Context(), q, func(l Line) error {
			if marks = append(marks, l.Mark); !l.Passed {
				got = append(got, string(l.Text)+l.Gap)
			}
			return nil
		}))
	}
	read(Query{})
	require.Len(t, got, 12000)
	all := got
	read(Query{Tail: 5000})
	require.Equal(t, all[7000:], got)
	read(Query{Text: "LINE 2 17"})
	require.Len(t, got, 111)
	for _, n := range []int{0, 1, 2999, 3000, 7000, 11998, 11999} {
		read(Query{After: marks[n]})
		require.Equal(t, all[n+1:], append([]string{}, got...), n)
	}
}
