package logs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errEnough = errors.New("enough for now")

// numbered is a line of a log that tells its number.
func numbered(n int) string {
	at := time.Date(2026, 3, 20, 11, 0, 0, 0, time.UTC).Add(time.Duration(n) * 100 * time.Microsecond)
	return fmt.Sprintf("%s [warning] c%d@10.0.0.9:47860 msg: torture, n: %d\n",
		at.Format("2006-01-02T15:04:05.000000Z07:00"), n%7, n)
}

// numberOf is the number that a line of the log tells.
func numberOf(t testing.TB, text string) int {
	_, n, ok := strings.Cut(text, ", n: ")
	require.True(t, ok, "%q", text)
	v, err := strconv.Atoi(n)
	require.NoError(t, err, "%q", text)
	return v
}

// TestTorture: of a log that is written as fast as it is read, over many rotations, a
// reader that is stopped and goes on at its mark again and again gets every line once
// and in order, as long as it is not behind by all the files that are kept.
func TestTorture(t *testing.T) {
	const lines, bytes, files = 20_000, 100 << 10, 5 // two seconds of a busy broker in 20 files
	const behind = (files - 2) * bytes / 100         // lines that a reader may be behind
	for _, style := range slices.Sorted(maps.Keys(styles)) {
		t.Run(style, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d, err := Open(dir)
			require.NoError(t, err)
			d.poll = time.Millisecond
			w := styles[style](t, dir, bytes, files)
			w.write(numbered(0))
			w.flush()
			seen := make(chan int, 1)
			wrote := make(chan struct{})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			go func() {
				defer close(wrote)
				read := 0
				for n := 1; n < lines; n++ {
					for n-read > behind && ctx.Err() == nil {
						w.flush()
						select {
						case read = <-seen:
						case <-ctx.Done():
						}
					}
					w.write(numbered(n))
				}
				w.flush()
			}()
			t.Cleanup(func() { cancel(); <-wrote })
			next, sessions := 0, 0
			for mark := (Mark{}); next < lines; sessions++ {
				stop := next + 1 + rand.IntN(lines/20)
				err := d.Read(ctx, Query{After: mark, Follow: true}, func(l Line) error {
					if l.Passed {
						return nil
					}
					require.Empty(t, l.Gap, "before line %d", next)
					require.Equal(t, next, numberOf(t, string(l.Text)))
					mark, err = ParseMark(l.Mark.String())
					require.NoError(t, err)
					next++
					select {
					case <-seen:
					default:
					}
					seen <- next
					if next >= stop || next == lines {
						return errEnough
					}
					return nil
				})
				require.ErrorIs(t, err, errEnough, "at line %d", next)
			}
			t.Logf("%d lines in %d sessions", next, sessions)
		})
	}
}
