package logs

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// counted counts the bytes that are read of a file.
type counted struct {
	content
	read int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.content.ReadAt(p, off)
	c.read += int64(n)
	return n, err
}

// TestReadsLittle: where a time or the beginning of an entry is looked for, no more is
// read than can matter, however long a line is, or the hole in a file that was truncated
// under its writer.
func TestReadsLittle(t *testing.T) {
	const huge = 64 << 20
	d := newDir(t)
	for _, name := range []string{"emqx.log.1", "emqx.log.2", "emqx.log.3"} {
		d.put(name, "")
	}
	require.NoError(t, os.Truncate(d.file("emqx.log.1"), huge)) // a hole
	d.append("emqx.log.1", numbered(1)+"  more\n")
	d.put("emqx.log.2", strings.Repeat("x", huge)+"\n"+lines(2, 3))
	d.put("emqx.log.3", lines(4, 5))
	// entries before the last line
	wants := map[string]int64{"emqx.log.1": huge, "emqx.log.2": huge + 1, "emqx.log.3": 0}
	files, err := d.d.list()
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, f := range files {
		opened, err := d.d.open(f)
		require.NoError(t, err)
		defer opened.Close()
		for what, look := range map[string]func(c content){
			"first time": func(c content) {
				_, ok := d.d.timeFrom(f, c, 0)
				require.Equal(t, f.name == "emqx.log.3", ok)
			},
			"entry": func(c content) {
				end, err := lineStart(c, f.size-1)
				require.NoError(t, err)
				at, err := entryStart(f, c, end)
				require.NoError(t, err)
				require.Equal(t, wants[f.name], at, f.name)
			},
		} {
			c := &counted{content: opened}
			look(c)
			require.LessOrEqual(t, c.read, int64(3*reach), "%s of %s", what, f.name)
		}
	}
}

// TestListReadsLittle: so where files are listed that no index puts in order, which is
// done again and again while somebody follows.
func TestListReadsLittle(t *testing.T) {
	d := newDir(t)
	d.put("emqx.log.1", "")
	require.NoError(t, os.Truncate(d.file("emqx.log.1"), 1<<30))
	d.append("emqx.log.1", lines(3, 4))
	d.put("emqx.log.2", lines(1, 2))
	before := readSoFar(t)
	files, err := d.d.list()
	require.NoError(t, err)
	require.LessOrEqual(t, readSoFar(t)-before, int64(2<<20))
	require.Len(t, files, 2)
	require.Equal(t, "emqx.log.2", files[0].name)
}

// TestAfterInPacked: where the file of a mark is gone, one goes on in the middle of a
// compressed one by time, wherever that is in what is unpacked.
func TestAfterInPacked(t *testing.T) {
	d := newDir(t)
	d.put("emqx.log.1", "  more\n"+lines(1, 20_000)+"  more\n"+lines(20_001, 30_000))
	pack(t, d.file("emqx.log.1"))
	d.put("emqx.log", lines(30_001, 30_002))
	files, err := d.d.list()
	require.NoError(t, err)
	for n, want := range map[int]int64{
		1:      int64(len("  more\n" + numbered(1))),
		20_000: int64(len("  more\n" + lines(1, 20_000))),
		20_500: int64(len("  more\n" + lines(1, 20_000) + "  more\n" + lines(20_001, 20_500))),
	} {
		at := time.Date(2026, 3, 20, 11, 0, 0, 0, time.UTC).Add(time.Duration(n) * 100 * time.Microsecond)
		before := readSoFar(t)
		require.Equal(t, place{index: 0, off: want}, d.d.afterIn(files, 0, at), n)
		require.LessOrEqual(t, readSoFar(t)-before, 3*files[0].size+(64<<10), n)
	}
	last := time.Date(2026, 3, 20, 11, 0, 3, 0, time.UTC)
	require.Equal(t, place{index: 1}, d.d.afterIn(files, 0, last))
}

// readSoFar is how many bytes this process has read.
func readSoFar(t *testing.T) (n int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skipf("the system does not count: %v", err)
	}
	_, err = fmt.Sscanf(string(text), "rchar: %d", &n)
	require.NoError(t, err)
	return n
}
