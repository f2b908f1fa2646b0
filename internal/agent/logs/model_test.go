package logs

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is a log that things happen to, and somebody who reads it.
type model struct {
	t       testing.TB
	dir     string
	d       *Dir
	w       logWriter
	files   int  // that are kept
	written int  // lines
	next    int  // the line that the reader gets next, unless it has been told of a Gap
	gap     bool // it has been told of one since the last line
	mark    Mark
}

func newModel(t *rapid.T, tb testing.TB) *model {
	dir, err := os.MkdirTemp(tb.TempDir(), "")
	require.NoError(t, err)
	d, err := Open(dir)
	require.NoError(t, err)
	style := rapid.SampledFrom(slices.Sorted(maps.Keys(styles))).Draw(t, "style")
	m := &model{t: tb, dir: dir, d: d, files: rapid.IntRange(2, 5).Draw(t, "files")}
	m.w = styles[style](tb, dir, rapid.IntRange(100, 2000).Draw(t, "bytes"), m.files)
	m.write(1)
	return m
}

func (m *model) write(n int) {
	for range n {
		m.w.write(numbered(m.written))
		m.written++
	}
	m.w.flush()
}

// truncate empties the file that is written to, under its writer.
func (m *model) truncate() {
	switch w := m.w.(type) {
	case *wrapWriter:
		require.NoError(m.t, w.file.Truncate(0))
	case *renamer:
		if w.file != nil {
			require.NoError(m.t, w.file.Truncate(0))
		}
	case *copier:
		if w.file != nil {
			require.NoError(m.t, w.file.Truncate(0))
			w.size = -w.bytes
		}
	}
}

// got is called with what the reader gets: no line twice, none out of order, and none
// missing without a Gap.
func (m *model) got(t require.TestingT, l Line) {
	switch {
	case l.Passed:
		m.mark = l.Mark
		return
	case l.Gap != "":
		m.gap = true
		return
	}
	n := numberOf(m.t, string(l.Text))
	require.False(t, n < m.next, "line %d comes twice or late; %d was next", n, m.next)
	require.False(t, n > m.next && !m.gap && !m.mark.IsZero(), "lines from %d to %d are missing and nothing is said",
		m.next, n)
	m.next, m.gap, m.mark = n+1, false, l.Mark
}

// read reads what there is, or so many lines of it.
func (m *model) read(t *rapid.T, most int) {
	err := m.d.Read(m.t.Context(), Query{After: m.mark}, func(l Line) error {
		m.got(t, l)
		if most--; most == 0 {
			return errEnough
		}
		return nil
	})
	if most > 0 {
		require.NoError(t, err)
	}
}

func (m *model) allRead(t require.TestingT) {
	require.True(t, m.next == m.written || m.gap || m.mark.IsZero(), "%d of %d lines were read, and nothing was said",
		m.next, m.written)
}

// TestReadModel: whoever comes back with a mark, sooner or later, is told of all that is
// lost, and gets everything else once.
func TestReadModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, t)
		rt.Repeat(map[string]func(*rapid.T){
			"write":   func(rt *rapid.T) { m.write(rapid.IntRange(1, 8).Draw(rt, "lines")) },
			"read":    func(rt *rapid.T) { m.read(rt, 1<<30); m.allRead(rt) },
			"some":    func(rt *rapid.T) { m.read(rt, rapid.IntRange(1, 30).Draw(rt, "most")) },
			"halfway": func(*rapid.T) { m.w.halfway() },
			"truncate": func(rt *rapid.T) {
				m.write(1)
				m.read(rt, 1<<30)
				m.truncate()
			},
		})
		m.write(1)
		m.read(rt, 1<<30)
		m.allRead(rt)
	})
}

// TestFollowModel: who follows gets every line once; nothing is lost but by truncation.
func TestFollowModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(rt *rapid.T) {
			m := newModel(rt, t)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			var wrong failure
			var mu sync.Mutex // guards m and wrong, of which the reader knows nothing else
			go func() {
				ended <- m.d.Read(ctx, Query{Follow: true}, func(l Line) error {
					mu.Lock()
					defer mu.Unlock()
					m.got(&wrong, l)
					return nil
				})
			}()
			defer func() { cancel(); require.ErrorIs(t, <-ended, context.Canceled) }()
			lossy := m.files < 4 // so few can be overwritten between two looks, and a Gap is no fault
			see := func() {
				<-time.After(3 * pollEvery)
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				require.Empty(rt, wrong)
				if !lossy {
					require.False(rt, m.gap)
				}
				m.allRead(rt)
			}
			see()
			rt.Repeat(map[string]func(*rapid.T){
				"write":   func(rt *rapid.T) { m.write(rapid.IntRange(1, 5).Draw(rt, "lines")); see() },
				"halfway": func(*rapid.T) { m.w.halfway(); see() },
				"both":    func(*rapid.T) { m.write(1); m.w.halfway(); m.write(1); see() },
				"truncate": func(*rapid.T) {
					lossy = true
					m.truncate()
					see()
				},
				"gone": func(*rapid.T) {
					away := m.dir + "-away"
					require.NoError(rt, os.Rename(m.dir, away))
					<-time.After(3 * pollEvery)
					synctest.Wait()
					mu.Lock()
					require.True(rt, m.gap, "it is said that the directory is not there")
					mu.Unlock()
					require.NoError(rt, os.Rename(away, m.dir))
					m.write(1)
					see()
				},
			})
		})
	})
}

// noDeadline hides the deadline of a test, which is not for bubbles.
type noDeadline struct{ testing.TB }

// failure notes what was wrong, where the test may not be ended.
type failure []string

func (f *failure) Errorf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }
func (f *failure) FailNow()                          {}
