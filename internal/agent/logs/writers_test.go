package logs

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// logWriter writes a log as one of those does that EMQX or a host uses.
type logWriter interface {
	// write adds a line, which may stay in a buffer until flush.
	write(line string)
	flush()
	// halfway does a rotation up to the step at which its writer is killed, and goes
	// on when it is called again.
	halfway()
}

// styles are the writers by name. Each keeps so many bytes in each of so many files.
var styles = map[string]func(t testing.TB, dir string, bytes, files int) logWriter{
	"wrap log": func(t testing.TB, dir string, bytes, files int) logWriter {
		return newWrapWriter(t, dir, bytes, files)
	},
	"renamed": func(t testing.TB, dir string, bytes, files int) logWriter {
		return newRenamer(t, dir, bytes, files, 0, false)
	},
	"compressed": func(t testing.TB, dir string, bytes, files int) logWriter {
		return newRenamer(t, dir, bytes, files, 0, true)
	},
	"logrotate": func(t testing.TB, dir string, bytes, files int) logWriter {
		return newRenamer(t, dir, bytes, files, 1, false)
	},
	"copy truncate": func(t testing.TB, dir string, bytes, files int) logWriter {
		return newCopier(t, dir, bytes, files)
	},
}

// wrapWriter writes as Erlang's disk_log does to a wrap log: the files in turn, each
// emptied before it is written to again, the index after the file is emptied, and what
// is left for the old file after that.
type wrapWriter struct {
	t            testing.TB
	dir          string
	bytes, files int
	number, size int
	file, index  *os.File
	cache        []byte
}

func newWrapWriter(t testing.TB, dir string, bytes, files int) *wrapWriter {
	w := &wrapWriter{t: t, dir: dir, bytes: bytes, files: files, number: 1}
	var err error
	w.index, err = os.OpenFile(filepath.Join(dir, "emqx.log.idx"), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "emqx.log.siz"),
		binary.BigEndian.AppendUint32([]byte{2, 0, 0, 0, 0, 0, 0, 0, 0}, uint32(files)), 0o600))
	w.file = w.open(1)
	w.point()
	t.Cleanup(func() { w.file.Close(); w.index.Close() })
	return w
}

func (w *wrapWriter) open(n int) *os.File {
	f, err := os.OpenFile(filepath.Join(w.dir, fmt.Sprintf("emqx.log.%d", n)), os.O_WRONLY|os.O_CREATE|os.O_TRUNC,
		0o600)
	require.NoError(w.t, err)
	return f
}

// point writes the number of the current file into the index.
func (w *wrapWriter) point() {
	_, err := w.index.WriteAt([]byte{0, 0, 0, 0, 0, 2}, 0)
	require.NoError(w.t, err)
	_, err = w.index.WriteAt(binary.BigEndian.AppendUint32(nil, uint32(w.number)), 6)
	require.NoError(w.t, err)
}

func (w *wrapWriter) write(line string) {
	if w.size > 0 && w.size+len(line) > w.bytes {
		w.next()
	}
	w.size += len(line)
	if w.cache = append(w.cache, line...); len(w.cache) > 16<<10 {
		w.flush()
	}
}

func (w *wrapWriter) next() {
	w.number, w.size = w.number%w.files+1, 0
	opened := w.open(w.number)
	w.point()
	w.flush()
	w.file.Close()
	w.file = opened
}

func (w *wrapWriter) flush() {
	_, err := w.file.Write(w.cache)
	require.NoError(w.t, err)
	w.cache = w.cache[:0]
}

// halfway: the broker is killed after it has emptied the next file, and goes on in the
// one of the index when it is started again.
func (w *wrapWriter) halfway() {
	w.flush()
	w.open(w.number%w.files + 1).Close()
}

// renamer writes as Erlang's logger_std_h does, and as a log that logrotate renames:
// the file has no number, and older ones count from first.
type renamer struct {
	t                   testing.TB
	dir                 string
	bytes, files, first int
	compress            bool
	size                int
	file                *os.File // nil means killed before it was made anew
}

func newRenamer(t testing.TB, dir string, bytes, files, first int, compress bool) *renamer {
	w := &renamer{t: t, dir: dir, bytes: bytes, files: files, first: first, compress: compress}
	t.Cleanup(func() {
		if w.file != nil {
			w.file.Close()
		}
	})
	return w
}

func (w *renamer) name(n int) string {
	end := ""
	if w.compress {
		end = ".gz"
	}
	return filepath.Join(w.dir, fmt.Sprintf("emqx.log.%d%s", n, end))
}

func (w *renamer) write(line string) {
	if w.file == nil {
		var err error
		w.file, err = os.OpenFile(filepath.Join(w.dir, "emqx.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		require.NoError(w.t, err)
		w.size = 0
	}
	_, err := w.file.WriteString(line)
	require.NoError(w.t, err)
	if w.size += len(line); w.size > w.bytes {
		w.halfway()
	}
}

func (w *renamer) flush() {}

// halfway renames the file; the next write makes a new one.
func (w *renamer) halfway() {
	if w.file == nil {
		return
	}
	w.file.Close()
	w.file = nil
	last := w.first + w.files - 2
	if last < w.first {
		_ = os.Remove(filepath.Join(w.dir, "emqx.log"))
		return
	}
	for n := last; n > w.first; n-- {
		_ = os.Rename(w.name(n-1), w.name(n)) // there may be none yet
	}
	to := filepath.Join(w.dir, fmt.Sprintf("emqx.log.%d", w.first))
	require.NoError(w.t, os.Rename(filepath.Join(w.dir, "emqx.log"), to))
	if w.compress {
		pack(w.t, to)
	}
}

// pack compresses a file piece by piece and removes it then.
func pack(t testing.TB, path string) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := os.Create(path + ".gz")
	require.NoError(t, err)
	defer f.Close()
	z := gzip.NewWriter(f)
	for len(b) > 0 {
		n := min(len(b), 100_000)
		_, err = z.Write(b[:n])
		require.NoError(t, err)
		b = b[n:]
	}
	require.NoError(t, z.Close())
	require.NoError(t, os.Remove(path))
}

// copier writes a log that logrotate copies and truncates.
type copier struct{ renamer }

func newCopier(t testing.TB, dir string, bytes, files int) *copier {
	w := &copier{*newRenamer(t, dir, bytes, files, 1, false)}
	w.bytes = 1 << 40 // its own rotation does not happen
	w.size = -bytes
	return w
}

func (w *copier) write(line string) {
	size := w.size
	w.renamer.write(line)
	if w.size = size + len(line); w.size > 0 {
		w.halfway()
	}
}

// halfway copies and truncates the file.
func (w *copier) halfway() {
	if w.file == nil {
		return
	}
	for n := w.files - 1; n > 1; n-- {
		_ = os.Rename(w.name(n-1), w.name(n)) // there may be none yet
	}
	b, err := os.ReadFile(filepath.Join(w.dir, "emqx.log"))
	require.NoError(w.t, err)
	require.NoError(w.t, os.WriteFile(w.name(1), b, 0o600))
	require.NoError(w.t, w.file.Truncate(0))
	w.size -= len(b)
}
