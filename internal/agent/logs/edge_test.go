package logs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// testDir is a directory with a log, and its reader.
type testDir struct {
	t    *testing.T
	path string
	d    *Dir
}

func newDir(t *testing.T) testDir {
	path := t.TempDir()
	d, err := Open(path)
	require.NoError(t, err)
	d.zone = time.UTC
	return testDir{t, path, d}
}

func (d testDir) file(name string) string { return filepath.Join(d.path, name) }

func (d testDir) put(name, text string) {
	d.t.Helper()
	require.NoError(d.t, os.WriteFile(d.file(name), []byte(text), 0o600))
}

func (d testDir) append(name, text string) {
	d.t.Helper()
	f, err := os.OpenFile(d.file(name), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	require.NoError(d.t, err)
	_, err = f.WriteString(text)
	require.NoError(d.t, err)
	require.NoError(d.t, f.Close())
}

// lines from one number up to another.
func lines(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		b.WriteString(numbered(n))
	}
	return b.String()
}

// told is a line in short: its number or text, or "gap".
func told(l Line) string {
	if _, n, ok := strings.Cut(string(l.Text), ", n: "); ok {
		return n
	}
	if l.Gap != "" {
		return "gap"
	}
	return string(l.Text)
}

// read returns what a query gives, in short.
func (d testDir) read(q Query) string {
	d.t.Helper()
	out := []string{}
	require.NoError(d.t, d.d.Read(d.t.Context(), q, func(l Line) error {
		if !l.Passed {
			out = append(out, told(l))
		}
		return nil
	}))
	return strings.Join(out, " ")
}

// follower reads in the background.
type follower struct {
	stop func()

	mu    sync.Mutex // guards what follows
	lines []string
	gaps  []string
}

func (d testDir) follow(q Query) *follower {
	ctx, cancel := context.WithCancel(d.t.Context())
	f, ended := &follower{}, make(chan error, 1)
	q.Follow = true
	go func() {
		ended <- d.d.Read(ctx, q, func(l Line) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if l.Passed {
				return nil
			}
			f.lines = append(f.lines, told(l))
			if l.Gap != "" {
				f.gaps = append(f.gaps, l.Gap)
			}
			return nil
		})
	}()
	f.stop = func() { cancel(); require.ErrorIs(d.t, <-ended, context.Canceled) }
	return f
}

// sees waits until nothing more comes and returns all that came, in short.
func (f *follower) sees() string {
	<-time.After(3 * pollEvery)
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.lines, " ")
}

// gap is the nth Gap.
func (f *follower) gap(n int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gaps[n]
}

// TestUnreadableFile: of files that may not be read the others are read, and the last
// one is once that is allowed.
func TestUnreadableFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDir(t)
		var open atomic.Bool
		d.d.openFile = func(path string, flags int, mode os.FileMode) (*os.File, error) {
			if name := filepath.Base(path); name == "emqx.log.1" || name == "emqx.log" && !open.Load() {
				return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}
			}
			return os.OpenFile(path, flags, mode)
		}
		d.put("emqx.log.2", lines(1, 2))
		d.put("emqx.log.1", lines(3, 4))
		d.put("emqx.log.0", lines(5, 6))
		d.put("emqx.log", lines(7, 8))
		require.Equal(t, "1 2 gap 5 6 gap", d.read(Query{}))
		require.Equal(t, "2 gap 5 6 gap", d.read(Query{Tail: 3}))
		f := d.follow(Query{})
		require.Equal(t, "1 2 gap 5 6 gap", f.sees())
		require.Contains(t, f.gap(0), "emqx.log.1 cannot be read by the user the agent runs as")
		d.append("emqx.log", lines(9, 9))
		require.Equal(t, "1 2 gap 5 6 gap", f.sees(), "it is said once")
		open.Store(true)
		require.Equal(t, "1 2 gap 5 6 gap 7 8 9", f.sees())
		f.stop()
	})
}

// TestTruncatedWhileItIsOpened: a log is copied, truncated and written to past the place of a
// mark again after that place was found and before it is read from.
func TestTruncatedWhileItIsOpened(t *testing.T) {
	d := newDir(t)
	d.put("emqx.log", lines(100, 119))
	var mark Mark
	require.NoError(t, d.d.Read(t.Context(), Query{}, func(l Line) error {
		if told(l) == "117" {
			mark = l.Mark
		}
		return nil
	}))
	opened := 0
	d.d.openFile = func(path string, flags int, mode os.FileMode) (*os.File, error) {
		if filepath.Base(path) == "emqx.log" {
			if opened++; opened == 2 {
				d.put("emqx.log.1", lines(100, 119))
				d.put("emqx.log", lines(120, 140))
			}
		}
		return os.OpenFile(path, flags, mode)
	}
	want := strings.Fields("118 119")
	for n := 120; n <= 140; n++ {
		want = append(want, strconv.Itoa(n))
	}
	require.Equal(t, strings.Join(want, " "), d.read(Query{After: mark}))
}

// TestDirectory: one that is missing, empty or comes later.
func TestDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDir(t)
		require.ErrorContains(t, d.d.Read(t.Context(), Query{}, nil), "there is no log file of EMQX in "+d.path)
		require.NoError(t, os.Remove(d.path))
		require.ErrorIs(t, d.d.Read(t.Context(), Query{}, nil), fs.ErrNotExist)
		f := d.follow(Query{})
		require.Equal(t, "gap", f.sees())
		require.NoError(t, os.Mkdir(d.path, 0o700))
		d.put("emqx.log.1", lines(1, 2))
		require.Equal(t, "gap 1 2", f.sees())
		require.NoError(t, os.RemoveAll(d.path))
		require.Equal(t, "gap 1 2 gap", f.sees())
		require.NoError(t, os.Mkdir(d.path, 0o700))
		d.put("emqx.log.1", lines(3, 4))
		require.Equal(t, "gap 1 2 gap 3 4", f.sees())
		f.stop()

		link := d.path + "-link"
		require.NoError(t, os.Symlink(d.path, link))
		linked, err := Open(link)
		require.NoError(t, err)
		require.Equal(t, "3 4", testDir{t, link, linked}.read(Query{}))
		_, err = Open("log")
		require.Error(t, err)
	})
}

// TestForeignFiles: nothing is read but regular files of the directory's owner.
func TestForeignFiles(t *testing.T) {
	d := newDir(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte(lines(90, 99)), 0o600))
	require.NoError(t, os.Symlink(secret, d.file("emqx.log.5")))
	require.NoError(t, syscall.Mkfifo(d.file("emqx.log.4"), 0o600))
	require.NoError(t, os.Mkdir(d.file("emqx.log.3"), 0o700))
	require.NoError(t, os.Symlink(secret, d.file("emqx.log.idx")))
	d.put("emqx.log.0", lines(1, 2))
	d.put("emqx.log", lines(3, 4))
	require.Equal(t, "gap gap gap 1 2 3 4", d.read(Query{}))
	require.Equal(t, "3 4", d.read(Query{Tail: 2}))

	dir, other := owner{1000, 1000}, owner{0, 0}
	for _, c := range []struct {
		of   owner
		mode fs.FileMode
		want bool
	}{
		{dir, 0o600, true},
		{other, 0o600, false}, // a link to, or moved from elsewhere
		{other, 0o644, true},
		{other, 0o640, false},
		{owner{0, 1000}, 0o640, true},
		{owner{0, 1000}, 0o600, false},
		{owner{1001, 1001}, 0o660, false},
	} {
		require.Equal(t, c.want, mayRead(dir, c.of, c.mode), "%+v", c)
	}
	require.True(t, mayRead(owner{0, 0}, owner{1000, 1000}, 0o600), "root can read everything anyway")
}

// TestTruncated: what is lost by truncation is said, and nothing comes twice.
func TestTruncated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDir(t)
		d.put("emqx.log", lines(1, 50))
		f := d.follow(Query{Tail: 2})
		require.Equal(t, "49 50", f.sees())
		require.NoError(t, os.Truncate(d.file("emqx.log"), 0))
		d.append("emqx.log", lines(60, 61))
		require.Equal(t, "49 50 gap 60 61", f.sees())
		require.Contains(t, f.gap(0), "emqx.log was truncated")
		d.put("emqx.log", lines(100, 200))
		require.Equal(t, "49 50 gap 60 61 gap 100", strings.Join(strings.Fields(f.sees())[:7], " "),
			"also where it is longer than before")

		n := len(strings.Fields(f.sees()))
		require.NoError(t, os.Truncate(d.file("emqx.log"), int64(len(lines(100, 150)))))
		d.append("emqx.log", lines(300, 301))
		got := strings.Fields(f.sees())
		require.Equal(t, "gap", got[n], "a part of it")
		require.NotContains(t, got[n:], "100")
		d.append("emqx.log", lines(302, 302))
		got = strings.Fields(f.sees())
		require.Equal(t, "302", got[len(got)-1])
		f.stop()
	})
}

// TestHole: a writer that goes on at its old place in a file that was truncated leaves
// a hole, which is no text.
func TestHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDir(t)
		d.put("emqx.log.1", "")
		w, err := os.OpenFile(d.file("emqx.log.1"), os.O_WRONLY, 0)
		require.NoError(t, err)
		defer w.Close()
		write := func(s string) {
			_, err := w.WriteString(s)
			require.NoError(t, err)
		}
		write(lines(1, 3000))
		f := d.follow(Query{Tail: 1})
		require.Equal(t, "3000", f.sees())
		require.NoError(t, w.Truncate(0))
		write(lines(3001, 3002))
		require.Equal(t, "3000 gap 3001 3002", f.sees())
		f.stop()
		require.Equal(t, "3001 3002", d.read(Query{}))
		require.Equal(t, "3002", d.read(Query{Tail: 1}))
	})
}

// TestHalfLine: a line that is being written waits for its end; one that nobody goes on
// with is a line.
func TestHalfLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDir(t)
		whole := numbered(2)
		d.put("emqx.log.1", lines(1, 1)+whole[:30])
		d.put("emqx.log.idx", "\x00\x00\x00\x00\x00\x02\x00\x00\x00\x01")
		require.Equal(t, "1", d.read(Query{}))
		require.Equal(t, "1", d.read(Query{Tail: 1}))
		f := d.follow(Query{})
		require.Equal(t, "1", f.sees())
		d.append("emqx.log.1", whole[30:]+numbered(3)[:40])
		require.Equal(t, "1 2", f.sees())
		d.put("emqx.log.2", "")
		d.put("emqx.log.idx", "\x00\x00\x00\x00\x00\x02\x00\x00\x00\x02")
		require.Equal(t, "1 2", f.sees(),
			"what the writer still has for the old file comes before the new one holds something")
		d.append("emqx.log.2", lines(4, 4))
		require.Equal(t, "1 2 "+numbered(3)[:40]+" 4", f.sees())
		f.stop()
	})
}

// TestKilledInRotation: the file is renamed, and no new one is made for long; or the
// file is removed instead.
func TestKilledInRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDir(t)
		d.put("emqx.log", lines(1, 2))
		f := d.follow(Query{})
		require.Equal(t, "1 2", f.sees())
		require.NoError(t, os.Rename(d.file("emqx.log"), d.file("emqx.log.0")))
		require.Equal(t, "1 2", f.sees())
		d.append("emqx.log.0", lines(3, 3)) // by a writer that has it open
		require.Equal(t, "1 2 3", f.sees())
		d.put("emqx.log", lines(4, 4))
		require.Equal(t, "1 2 3 4", f.sees())
		d.append("emqx.log", lines(5, 5))
		require.NoError(t, os.Remove(d.file("emqx.log")))
		require.NoError(t, os.Remove(d.file("emqx.log.0")))
		d.put("emqx.log", lines(6, 6))
		require.Equal(t, "1 2 3 4 5 gap 6", f.sees(), "what was written before the removal can still be read")
		f.stop()
	})
}

// TestLongLine: of a long line the beginning is given, and one goes on after it.
func TestLongLine(t *testing.T) {
	d := newDir(t)
	for _, size := range []int{MaxLine - 1, MaxLine, MaxLine + 1, blockSize - 1, blockSize, blockSize + 1,
		blockSize + tailSize, 3 * blockSize, 5 << 20} {
		d.put("emqx.log", lines(1, 1)+strings.Repeat("x", size)+"\r\n"+lines(2, 3))
		var got []Line
		keep := func(l Line) error {
			l.Text = append([]byte{}, l.Text...)
			got = append(got, l)
			return nil
		}
		require.NoError(t, d.d.Read(t.Context(), Query{}, keep))
		require.Len(t, got, 4, size)
		require.Equal(t, strings.Repeat("x", min(size, MaxLine)), string(got[1].Text))
		require.Equal(t, size > MaxLine, got[1].Cut)
		require.Equal(t, "2 3", d.read(Query{After: got[1].Mark}), size)
		require.Equal(t, fmt.Sprint(strings.Repeat("x", min(size, MaxLine)), " 2 3"), d.read(Query{After: got[0].Mark}),
			size)
		require.Equal(t, "2 3", d.read(Query{Tail: 2}), size)
	}
}
