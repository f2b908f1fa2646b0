package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openecp/openecp/internal/emqxlog"
)

// TestTimes: a line without a time has that of the line before, and one of a wall clock
// is of this host's zone.
func TestTimes(t *testing.T) {
	d := newDir(t)
	d.d.zone = time.FixedZone("", 2*60*60)
	d.put("emqx.log.1", "at the start\n2024-03-20 11:08:39.568 [error] crash\n  in "+
		"a\n{\"time\":1710929319568980,\"level\":\"info\",\"msg\":\"m\"}\n")
	var got []time.Time
	var marks []Mark
	keep := func(l Line) error { got, marks = append(got, l.At), append(marks, l.Mark); return nil }
	require.NoError(t, d.d.Read(t.Context(), Query{}, keep))
	wall := time.Date(2024, 3, 20, 9, 8, 39, 568_000_000, time.UTC)
	want := []time.Time{wall, wall, wall, time.Date(2024, 3, 20, 10, 8, 39, 568_980_000, time.UTC)}
	require.Equal(t, want, got)
	for n := range marks {
		got = nil
		require.NoError(t, d.d.Read(t.Context(), Query{After: marks[n]}, keep))
		require.Equal(t, want[n+1:], append([]time.Time{}, got...))
	}
	changed := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	d.put("emqx.log.1", "no time\n")
	require.NoError(t, os.Chtimes(d.file("emqx.log.1"), changed, changed))
	got = nil
	require.NoError(t, d.d.Read(t.Context(), Query{}, keep))
	require.Equal(t, []time.Time{changed}, got)
}

// unwritten is when the files of TestQueries were changed, which counts where no line
// tells a time.
var unwritten = time.Date(2026, 3, 20, 11, 2, 0, 0, time.UTC)

// reference are the lines of files that a query wants, found in the plainest way.
func reference(files []string, q Query) (out []string) {
	type entry struct {
		at    time.Time
		level emqxlog.Level
		text  string
		lines []string
	}
	var all []*entry
	for _, f := range files {
		var e *entry
		begun := false
		at := unwritten
		all := &all
		body := strings.Split(strings.TrimSuffix(f, "\n"), "\n")
		for _, l := range body { // what stands before any time has the first one
			if p := emqxlog.Parse(l); !p.At.IsZero() {
				at = p.At
				break
			}
		}
		for _, l := range body {
			p := emqxlog.Parse(l)
			begins := p.Level != "" || !p.At.IsZero()
			if !p.At.IsZero() {
				at = p.At
			}
			if begins || !begun {
				e, begun = &entry{at: at, level: p.Level}, begins
				*all = append(*all, e)
			}
			e.text += l + "\n"
			e.lines = append(e.lines, l)
		}
	}
	all = slices.DeleteFunc(all, func(e *entry) bool {
		return !e.level.AtLeast(q.Level) || e.at.Before(q.Since) || !q.Until.IsZero() && !e.at.Before(q.Until) ||
			!strings.Contains(strings.ToLower(e.text), strings.ToLower(q.Text))
	})
	if q.Tail > 0 && len(all) > q.Tail {
		all = all[len(all)-q.Tail:]
	}
	for _, e := range all {
		out = append(out, e.lines...)
	}
	return out
}

// TestQueries: a query gives the entries that going through all of them gives, from
// wherever one comes back.
func TestQueries(t *testing.T) {
	start := time.Date(2026, 3, 20, 11, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		at, number := start, 0
		padding := rapid.SampledFrom([]int{0, 0, 20, 3000}).Draw(rt, "padding")
		line := func(rt *rapid.T) string {
			number++
			at = at.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(rt, "ms")) * time.Millisecond)
			text := fmt.Sprintf("%s n%d %s", rapid.SampledFrom([]string{"apple", "Pear", "plum"}).Draw(rt, "word"),
				number,
				strings.Repeat("~", padding))
			switch rapid.IntRange(0, 5).Draw(rt, "form") {
			case 0, 1:
				return text // goes on with the entry before it
			case 2:
				return fmt.Sprintf(`{"time":%d,"level":"%s","msg":"%s"}`, at.UnixMicro(),
					rapid.SampledFrom(emqxlog.Levels()).Draw(rt, "level"), text)
			default:
				return fmt.Sprintf("%s [%s] %s", at.Format("2006-01-02T15:04:05.000000Z07:00"),
					rapid.SampledFrom(emqxlog.Levels()).Draw(rt, "level"), text)
			}
		}
		var files []string
		for n := range rapid.IntRange(1, 3).Draw(rt, "files") {
			f := strings.Join(rapid.SliceOfN(rapid.Custom(line), 1, 60).Draw(rt, "lines"), "\n") + "\n"
			files = append(files, f)
			path := filepath.Join(dir, fmt.Sprintf("emqx.log.%d", n+1))
			require.NoError(rt, os.WriteFile(path, []byte(f), 0o600))
			require.NoError(rt, os.Chtimes(path, unwritten, unwritten))
		}
		require.NoError(rt, os.WriteFile(filepath.Join(dir, "emqx.log.idx"), []byte{byte(len(files))}, 0o600))
		for n := len(files) + 1; n <= 3; n++ {
			_ = os.Remove(filepath.Join(dir, fmt.Sprintf("emqx.log.%d", n)))
		}
		when := rapid.Custom(func(rt *rapid.T) time.Time {
			return start.Add(time.Duration(rapid.Int64Range(0, int64(at.Sub(start))+1).Draw(rt,
				"after")).Truncate(time.Millisecond))
		})
		q := Query{
			Level: rapid.SampledFrom(append([]emqxlog.Level{"", "", ""}, emqxlog.Levels()...)).Draw(rt, "least"),
			Text:  rapid.SampledFrom([]string{"", "", "PEAR", "n1", "pear n1", "~\nplum"}).Draw(rt, "text"),
			Tail:  rapid.SampledFrom([]int{0, 1, 2, 7, 1000}).Draw(rt, "tail"),
		}
		if rapid.Bool().Draw(rt, "since") {
			q.Since = when.Draw(rt, "since")
		}
		if rapid.Bool().Draw(rt, "until") {
			q.Until = when.Draw(rt, "until")
		}
		d, err := Open(dir)
		require.NoError(rt, err)
		var got []string
		var marks []Mark
		keep := func(l Line) error {
			if l.Passed {
				return nil
			}
			require.Empty(rt, l.Gap)
			got, marks = append(got, string(l.Text)), append(marks, l.Mark)
			return nil
		}
		require.NoError(rt, d.Read(t.Context(), q, keep))
		require.Equal(rt, reference(files, q), got)
		if len(got) == 0 {
			return
		}
		n, all := rapid.IntRange(0, len(got)-1).Draw(rt, "resume"), got
		q.After, got = marks[n], nil
		require.NoError(rt, d.Read(t.Context(), q, keep))
		require.Equal(rt, all[n+1:], append([]string{}, got...), "after line %d", n)
	})
}

// TestLargeFiles: places are found in files of many blocks, also where times are a
// little out of order.
func TestLargeFiles(t *testing.T) {
	const n = 10_000
	d := newDir(t)
	d.put("emqx.log.2", lines(0, n-1))
	d.put("emqx.log.1", lines(n, 2*n-1))
	d.put("emqx.log", lines(2*n, 3*n-1))
	zero := time.Date(2026, 3, 20, 11, 0, 0, 0, time.UTC)
	for _, from := range []int{0, 1, n - 1, n, n + 2_345, 3*n - 2} {
		got := strings.Fields(d.read(Query{Since: zero.Add(time.Duration(from) * 100 * time.Microsecond),
			Until: zero.Add(time.Duration(from+1000) * 100 * time.Microsecond)}))
		require.Equal(t, fmt.Sprint(from), got[0])
		require.Len(t, got, min(1000, 3*n-from))
	}
	for _, tail := range []int{1, 10, 2000, n, n + 1, 2*n + 5, 3 * n, 4 * n} {
		got := strings.Fields(d.read(Query{Tail: tail}))
		require.Len(t, got, min(tail, 3*n))
		require.Equal(t, fmt.Sprint(max(0, 3*n-tail)), got[0])
	}
	require.Equal(t, "20002 20003 20004 20005 20006 20007 20008 20009",
		d.read(Query{Text: "N: 2000", Tail: 8, Since: zero.Add(1500 * time.Millisecond),
			Until: zero.Add(2800 * time.Millisecond)}))
}
