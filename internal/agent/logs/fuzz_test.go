package logs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzParseMark: a mark comes from the network. What is taken is written the same again.
func FuzzParseMark(f *testing.F) {
	for _, s := range []string{"", "1.0.0.0.0.0", "1.5d.5d.cbf29ce484222325.1.641f8a", "1.-1.0.0.0.0",
		"1.7fffffffffffffff.100.0.0.-1", "2.0.0.0.0.0", "1.0.101.0.0.0", "../emqx.log"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := ParseMark(s); err == nil {
			require.Equal(t, s == "", m.IsZero())
			require.Equal(t, s, m.String())
		}
	})
}

// FuzzRead: whatever files, index and mark hold, reading ends, with bounded lines, and
// who comes back at a mark gets what came after it.
func FuzzRead(f *testing.F) {
	f.Add([]byte("a\nb\n"), []byte("c"), []byte("\x01"), "", uint8(1))
	f.Add([]byte(lines(1, 9)), []byte(lines(4, 12)), []byte{0, 0, 0, 0, 0, 2, 0, 0, 0, 1},
		"1.0.0.a8c7f832281a39c5.a8c7f832281a39c5.0", uint8(3))
	f.Add([]byte("\x00\x00\n\xff\xfe\r\n{}\n"), []byte("\n\n\n"), []byte{0, 255, 255, 255, 255},
		"1.7fffffffffffffff.100.0.0.-1", uint8(0))
	f.Fuzz(func(t *testing.T, first, second, index []byte, mark string, at uint8) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"emqx.log.1": first, "emqx.log.2": second, "emqx.log.3.gz": second,
			"emqx.log.idx": index} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		}
		d, err := Open(dir)
		require.NoError(t, err)
		var texts [][]byte
		var marks []Mark
		keep := func(l Line) error {
			require.LessOrEqual(t, len(l.Text), MaxLine)
			require.NotContains(t, string(l.Text), "\n")
			if l.Gap == "" && !l.Passed {
				texts, marks = append(texts, bytes.Clone(l.Text)), append(marks, l.Mark)
			}
			return nil
		}
		if m, err := ParseMark(mark); err == nil {
			require.NoError(t, d.Read(t.Context(), Query{After: m}, keep))
		}
		for _, q := range []Query{{Tail: int(at)}, {Since: time.Unix(int64(at)<<24, 0), Text: "a"}, {Level: "error"},
			{}} {
			texts, marks = nil, nil
			require.NoError(t, d.Read(t.Context(), q, keep))
		}
		if n := int(at); n < len(marks) {
			all := texts
			texts = nil
			require.NoError(t, d.Read(t.Context(), Query{After: marks[n]}, keep))
			// else files may not be told apart
			if !bytes.Contains(first, second[:min(len(second), 1)]) && len(second) > 0 {
				require.Equal(t, append([][]byte{}, all[n+1:]...), append([][]byte{}, texts...))
			}
		}
	})
}
