package logs

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOrder: the oldest file comes first, however a log is rotated.
func TestOrder(t *testing.T) {
	index := func(n byte) string { return "\x00\x00\x00\x00\x00\x02\x00\x00\x00" + string(n) }
	for name, c := range map[string]struct {
		want  string // the oldest first; each was changed a minute after the one before
		index string // emqx.log.idx
		other string // more files
	}{
		"alone":             {want: "emqx.log"},
		"renamed":           {want: "emqx.log.10 emqx.log.9 emqx.log.1 emqx.log.0 emqx.log"},
		"between two files": {want: "emqx.log.1 emqx.log.0"},
		"by logrotate":      {want: "emqx.log.2 emqx.log.1 emqx.log"},
		"by day":            {want: "emqx.log-20260318 emqx.log-20260319.gz emqx.log"},
		"compressed": {want: "emqx.log.2.gz emqx.log.1.gz emqx.log",
			other: "emqx.log.2.zst emqx.log.old emqx.log.1.gz.tmp"},
		"being compressed":        {want: "emqx.log.1.gz emqx.log.0 emqx.log", other: "emqx.log.0.gz"},
		"wrap log":                {want: "emqx.log.1 emqx.log.2 emqx.log.3", index: index(3), other: "emqx.log.siz"},
		"wrap log, second round":  {want: "emqx.log.4 emqx.log.5 emqx.log.1 emqx.log.2 emqx.log.3", index: index(3)},
		"wrap log, older index":   {want: "emqx.log.3 emqx.log.1 emqx.log.2", index: "\x00\x00\x00\x00\x02\x00"},
		"wrap log, oldest index":  {want: "emqx.log.3 emqx.log.1 emqx.log.2", index: "\x02\x00\x00\x00\x01"},
		"rotation was off before": {want: "emqx.log emqx.log.3 emqx.log.1 emqx.log.2", index: index(2)},
		"rotation is off now":     {want: "emqx.log.3 emqx.log.1 emqx.log.2 emqx.log", index: index(2)},
		"no index":                {want: "emqx.log.4 emqx.log.5 emqx.log.1 emqx.log.2"},
		"empty index":             {want: "emqx.log.4 emqx.log.5 emqx.log.1 emqx.log.2", index: "\x00"},
		"index of no file":        {want: "emqx.log.4 emqx.log.5 emqx.log.1 emqx.log.2", index: index(7)},
		"huge index":              {want: "emqx.log.4 emqx.log.5 emqx.log.1 emqx.log.2", index: "\x00\xff\xff\xff\xff"},
		"not of the log": {want: "emqx.log.1 emqx.log",
			other: "audit.log.1 erlang.log.1 crash.dump run_erl.log emqx.log.x other.log"},
		"of another name": {want: "broker.log.2 broker.log.1 broker.log",
			other: "audit.log erlang.log.1 crash.dump"},
		"of one of two names":  {want: "erlang.log.4 erlang.log.5 erlang.log.1", other: "a.log b.log"},
		"only what is printed": {want: "erlang.log.4 erlang.log.5 erlang.log.1", other: "run_erl.log crash.dump"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			for _, name := range strings.Fields(c.other) {
				d.put(name, "x\n")
			}
			for n, name := range strings.Fields(c.want) {
				d.put(name, "no time\n")
				at := time.Date(2026, 3, 20, 11, n, 0, 0, time.UTC)
				require.NoError(t, os.Chtimes(d.file(name), at, at))
			}
			if c.index != "" {
				d.put("emqx.log.idx", c.index)
			}
			files, err := d.d.list()
			require.NoError(t, err)
			var got []string
			for _, f := range files {
				got = append(got, f.name)
			}
			require.Equal(t, c.want, strings.Join(got, " "))
		})
	}
}

// TestOrderByFirstTime: without an index the times in the files count, not those of
// their last changes.
func TestOrderByFirstTime(t *testing.T) {
	d := newDir(t)
	for n, first := range map[int]int{1: 200, 2: 300, 3: 100} {
		d.put(fmt.Sprintf("emqx.log.%d", n), "between\n"+lines(first, first+1))
	}
	require.Equal(t, "between 100 101 between 200 201 between 300 301", d.read(Query{}))
}
