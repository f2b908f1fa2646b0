package ring_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is set by the test.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Now()} } // with a monotonic reading, as an agent's

func (c *clock) read() time.Time { return c.now }

func sample(n int) agentproto.HistoryRecord {
	return agentproto.HistoryRecord{Kind: agentproto.HistorySample,
		Sample: &agentproto.Sample{OverMS: 10_000, Connections: n}}
}

func change(n int) agentproto.HistoryRecord {
	return agentproto.HistoryRecord{Kind: agentproto.HistoryState,
		State: &agentproto.Change{About: agentproto.AboutMember, Name: fmt.Sprintf("n%d@h", n)}}
}

// fold keeps the name that was changed last.
func fold(state json.RawMessage, records []agentproto.HistoryRecord) json.RawMessage {
	for _, r := range records {
		if r.State != nil {
			state, _ = json.Marshal(r.State.Name)
		}
	}
	return state
}

func open(t require.TestingT, dir string, c *clock, change ...func(*ring.Config)) (*ring.Ring, json.RawMessage) {
	cfg := ring.Config{Dir: dir, Age: time.Hour, Size: 1 << 20, Now: c.read, Fold: fold}
	for _, f := range change {
		f(&cfg)
	}
	r, state, err := ring.Open(cfg)
	require.NoError(t, err)
	return r, state
}

// read returns the records behind a position in words, and the last position.
func read(t require.TestingT, r *ring.Ring, q agentproto.HistoryQuery) (words []string, last agentproto.Position) {
	last = q.After
	for rec, err := range r.History(ctx, q) {
		require.NoError(t, err)
		require.False(t, rec.Epoch == last.Epoch && rec.Seq <= last.Seq, "%+v comes after %+v", rec, last)
		last = rec.Position()
		words = append(words, word(rec))
	}
	return words, last
}

func word(r agentproto.HistoryRecord) string {
	switch {
	case r.Sample != nil:
		return fmt.Sprint("s", r.Sample.Connections)
	case r.State != nil:
		return r.State.Name
	case r.Gap != nil:
		return string(r.Gap.Why)
	}
	return "?"
}

// TestRing: what was appended is read again, by one who comes back as by one who is
// new, in the same run and in the next.
func TestRing(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "buffer"), newClock()
	r, state := open(t, dir, c)
	require.Nil(t, state)
	require.Zero(t, r.Newest())
	require.NoError(t, r.Append([]agentproto.HistoryRecord{sample(1), change(1)}, []byte(`"n1@h"`), true))
	words, first := read(t, r, agentproto.HistoryQuery{})
	require.Equal(t, []string{"s1", "n1@h"}, words)
	require.Equal(t, first, r.Newest())
	require.NoError(t, r.Append([]agentproto.HistoryRecord{sample(2)}, []byte(`"n1@h"`), false))
	require.Equal(t, first, r.Newest(), "a sample is no news")
	words, _ = read(t, r, agentproto.HistoryQuery{After: first})
	require.Equal(t, []string{"s2"}, words)

	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files := segments(t, dir)
	require.Len(t, files, 1)
	info, err = os.Stat(files[0])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	// Killed: nothing is closed.
	c.now = c.now.Add(time.Minute)
	r2, state := open(t, dir, c)
	require.JSONEq(t, `"n1@h"`, string(state))
	words, _ = read(t, r2, agentproto.HistoryQuery{After: first})
	require.Equal(t, []string{"s2", "not_running"}, words)
	words, last := read(t, r2, agentproto.HistoryQuery{Kinds: []agentproto.HistoryKind{agentproto.HistoryState,
		agentproto.HistoryGap}})
	require.Equal(t, []string{"n1@h", "not_running"}, words)
	require.Equal(t, last, r2.Newest())
	words, _ = read(t, r2, agentproto.HistoryQuery{After: agentproto.Position{Epoch: 1, Seq: 7}})
	require.Equal(t, []string{"dropped", "s1", "n1@h", "s2", "not_running"}, words, "of a ring that is gone")
	for rec, err := range r2.History(ctx, agentproto.HistoryQuery{After: first,
		Kinds: []agentproto.HistoryKind{agentproto.HistoryGap}}) {
		require.NoError(t, err)
		require.Equal(t, time.Minute, rec.Gap.Until.Sub(rec.Gap.From).Round(time.Second))
	}
	require.NoError(t, r2.Close())
	require.NoError(t, r.Close())
	require.Error(t, r2.Append(nil, nil, false))
	require.NoError(t, ring.Remove(dir))
	_, err = os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestKeep: what no record tells of outlives a kill, alone and behind records.
func TestKeep(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "buffer"), newClock()
	r, _ := open(t, dir, c)
	require.NoError(t, r.Keep([]byte(`"first"`)))
	r2, state := open(t, dir, c)
	require.JSONEq(t, `"first"`, string(state))
	require.NoError(t, r2.Append([]agentproto.HistoryRecord{change(1)}, []byte(`"n1@h"`), true))
	require.NoError(t, r2.Keep([]byte(`"then"`)))
	r3, state := open(t, dir, c)
	require.JSONEq(t, `"then"`, string(state))
	words, _ := read(t, r3, agentproto.HistoryQuery{})
	require.Equal(t, []string{"not_running", "n1@h", "not_running"}, words)
	for _, r := range []*ring.Ring{r, r2, r3} {
		require.NoError(t, r.Close())
	}
	require.Error(t, r3.Keep(nil))
}

// TestLimits: what is too old goes, and what is too much; what is gone is a gap for
// one who had read up to it, and state does not go with it.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(*ring.Config)
		pause  time.Duration
		atMost int
	}{
		{"age", func(c *ring.Config) {}, time.Minute, 60 + 6},
		{"size", func(c *ring.Config) { c.Size, c.Age = 16<<10, 24*time.Hour }, time.Second, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			r, _ := open(t, dir, clock, c.config)
			require.NoError(t, r.Append([]agentproto.HistoryRecord{change(1)}, []byte(`"n1@h"`), false))
			_, first := read(t, r, agentproto.HistoryQuery{})
			for n := range 500 {
				clock.now = clock.now.Add(c.pause)
				require.NoError(t, r.Append([]agentproto.HistoryRecord{sample(n)}, []byte(`"n1@h"`), false))
			}
			if c.name == "size" {
				require.LessOrEqual(t, onDisk(t, dir), int64(16<<10))
				require.Equal(t, onDisk(t, dir), r.Size())
			}
			words, _ := read(t, r, agentproto.HistoryQuery{After: first})
			require.Equal(t, "dropped", words[0])
			require.Equal(t, "s499", words[len(words)-1])
			require.LessOrEqual(t, len(words), c.atMost)
			require.Greater(t, len(words), 40)
			require.NoError(t, r.Close())
			r, state := open(t, dir, clock, c.config)
			require.JSONEq(t, `"n1@h"`, string(state))
			require.NoError(t, r.Close())
		})
	}
}

// TestClockIsSet: a clock that is set drops nothing, and keeps nothing for ever.
func TestClockIsSet(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, _ := open(t, dir, c)
	append1 := func(n int, at time.Time) {
		s := sample(n)
		s.At = at
		require.NoError(t, r.Append([]agentproto.HistoryRecord{s}, nil, false))
	}
	append1(1, c.now)
	append1(2, c.now.AddDate(10, 0, 0))
	append1(3, time.Unix(0, 0))
	words, last := read(t, r, agentproto.HistoryQuery{})
	require.Equal(t, []string{"s1", "s2", "s3"}, words)
	require.NoError(t, r.Close())

	c.now = time.Unix(100, 0) // a board without a clock, before the segment's own time
	r, _ = open(t, dir, c)
	words, _ = read(t, r, agentproto.HistoryQuery{After: last})
	require.Equal(t, []string{"not_running"}, words)
	c.now = c.now.Add(3 * time.Hour)
	append1(4, c.now)
	words, _ = read(t, r, agentproto.HistoryQuery{})
	require.Equal(t, []string{"dropped", "s4"}, words)
	require.NoError(t, r.Close())
}

// TestDamage: a line that was changed on the disk is a gap.
func TestDamage(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, _ := open(t, dir, c)
	for n := range 5 {
		require.NoError(t, r.Append([]agentproto.HistoryRecord{sample(n)}, nil, false))
	}
	path := segments(t, dir)[0]
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), `"connections":2`, `"connections":7`,
		1)),
		0o600))
	words, _ := read(t, r, agentproto.HistoryQuery{})
	require.Equal(t, []string{"s0", "s1", "damaged", "s3", "s4"}, words)
	require.NoError(t, r.Close())
}

// TestDiskFails: what cannot be written is told, and is a gap afterwards.
func TestDiskFails(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "buffer"), newClock()
	r, _ := open(t, dir, c, func(c *ring.Config) { c.Age = 12 * time.Minute })
	require.NoError(t, r.Append([]agentproto.HistoryRecord{sample(1)}, nil, false))
	c.now = c.now.Add(2 * time.Minute) // a segment is to be begun, and cannot be
	for _, name := range []string{"0000000002.seg", "0000000003.seg"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	require.Error(t, r.Append([]agentproto.HistoryRecord{sample(2)}, nil, false))
	require.Error(t, r.Append([]agentproto.HistoryRecord{sample(3)}, nil, false))
	c.now = c.now.Add(time.Minute)
	require.NoError(t, r.Append([]agentproto.HistoryRecord{sample(4)}, nil, false))
	words, _ := read(t, r, agentproto.HistoryQuery{})
	require.Equal(t, []string{"s1", "damaged", "s4"}, words)
	for rec, err := range r.History(ctx,
		agentproto.HistoryQuery{Kinds: []agentproto.HistoryKind{agentproto.HistoryGap}}) {
		require.NoError(t, err)
		require.Equal(t, time.Minute, rec.Gap.Until.Sub(rec.Gap.From).Round(time.Second))
	}
	require.NoError(t, r.Close())
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, _, err := ring.Open(ring.Config{Dir: file, Age: time.Hour, Size: 1 << 20})
	require.Error(t, err)
}

func segments(t require.TestingT, dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	require.NoError(t, err)
	slices.Sort(files)
	return files
}

func onDisk(t require.TestingT, dir string) (total int64) {
	for _, f := range segments(t, dir) {
		info, err := os.Stat(f)
		require.NoError(t, err)
		total += info.Size()
	}
	return total
}

// TestModel: whatever is appended, crashes at whichever byte, and is read by a server
// that comes and goes: that server sees each record at most once and in order; what it
// does not see that was kept when it read, it was told of as a gap, or had crashed away.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := "/dev/shm" // where there is one: a disk makes thousands of promises slowly
		if _, err := os.Stat(base); err != nil {
			base = ""
		}
		dir, err := os.MkdirTemp(base, "ring")
		require.NoError(t, err)
		defer func() { require.NoError(t, os.RemoveAll(dir)) }()
		c, n := newClock(), 0
		size := func(c *ring.Config) { c.Size = 8 << 10 }
		r, _ := open(t, dir, c, size)
		var written, got []int // numbers of records
		var at agentproto.Position
		gaps := 0
		synced := map[string]int64{} // bytes of each file that a disk has promised to keep
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "records") {
					n++
					require.NoError(t, r.Append([]agentproto.HistoryRecord{change(n)},
						[]byte(fmt.Sprintf(`"n%d@h"`, n)), false))
					written = append(written, n)
				}
			},
			"wait": func(t *rapid.T) {
				c.now = c.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes")) * time.Minute)
			},
			"read": func(t *rapid.T) {
				most := rapid.IntRange(1, 30).Draw(t, "most")
				for rec, err := range r.History(ctx, agentproto.HistoryQuery{After: at}) {
					require.NoError(t, err)
					at = rec.Position()
					if rec.State == nil {
						gaps++
						continue
					}
					var number int
					_, err := fmt.Sscanf(rec.State.Name, "n%d@h", &number)
					require.NoError(t, err)
					if len(got) > 0 {
						require.Greater(t, number, got[len(got)-1], "in order, once")
					}
					if len(got) == 0 && number != written[0] || len(got) > 0 &&
						number != next(written, got[len(got)-1]) {
						require.Positive(t, gaps, "record %d is missing, and no gap was told", number)
					}
					gaps = 0
					if got = append(got, number); most == 1 {
						break
					}
					most--
				}
			},
			"crash": func(t *rapid.T) {
				require.NoError(t, r.Close())
				if files := segments(t, dir); len(files) > 0 {
					last := files[len(files)-1]
					text, err := os.ReadFile(last)
					require.NoError(t, err)
					size, header := int64(len(text)), int64(strings.IndexByte(string(text), '\n')+1)
					lost := rapid.Int64Range(0, min(400, size-max(synced[last], header))).Draw(t, "lost bytes")
					require.NoError(t, os.Truncate(last, size-lost))
				}
				var state json.RawMessage
				r, state = open(t, dir, c, size)
				clear(synced)
				for _, f := range segments(t, dir) {
					info, err := os.Stat(f)
					require.NoError(t, err)
					synced[f] = info.Size()
				}
				kept, _ := read(t, r, agentproto.HistoryQuery{Kinds: []agentproto.HistoryKind{agentproto.HistoryState}})
				if len(kept) > 0 { // a state may outlive its record, and never the other way round
					require.JSONEq(t, fmt.Sprintf("%q", kept[len(kept)-1]), string(state))
				}
				var left []int // what is lost at the end was never read by whoever comes now
				for _, w := range written {
					if slices.Contains(kept, fmt.Sprintf("n%d@h", w)) || slices.Contains(got, w) || len(kept) > 0 &&
						w < number(kept[0]) || len(kept) == 0 {
						left = append(left, w)
					}
				}
				written = left
			},
			"": func(t *rapid.T) { require.LessOrEqual(t, onDisk(t, dir), int64(8<<10)) },
		})
		require.NoError(t, r.Close())
	})
}

func number(word string) (n int) {
	_, _ = fmt.Sscanf(word, "n%d@h", &n)
	return n
}

func next(all []int, after int) int {
	for _, n := range all {
		if n > after {
			return n
		}
	}
	return 0
}

// FuzzSegment: whatever is in a segment, a ring opens, tells what it can read, and
// goes on.
func FuzzSegment(f *testing.F) {
	dir, c := f.TempDir(), newClock()
	r, _ := open(f, dir, c)
	require.NoError(f, r.Append([]agentproto.HistoryRecord{sample(1), change(2)}, []byte(`"n2@h"`), false))
	require.NoError(f, r.Close())
	text, err := os.ReadFile(segments(f, dir)[0])
	require.NoError(f, err)
	f.Add(text)
	f.Add(text[:len(text)-3])
	f.Add(append([]byte("garbage\n\n"), text...))
	f.Add([]byte(strings.Repeat("x", 300<<10) + "\n" + string(text)))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir, c := t.TempDir(), newClock()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "0000000007.seg"), text, 0o600))
		r, _ := open(t, dir, c)
		require.NoError(t, r.Append([]agentproto.HistoryRecord{change(1)}, nil, false))
		n := 0
		var last agentproto.HistoryRecord
		for rec, err := range r.History(ctx, agentproto.HistoryQuery{}) {
			require.NoError(t, err)
			last = rec
			n++
		}
		require.NotNil(t, last.State)
		require.Equal(t, "n1@h", last.State.Name)
		require.NoError(t, r.Close())
		require.LessOrEqual(t, n, 2*len(text)/50+4)
	})
}
