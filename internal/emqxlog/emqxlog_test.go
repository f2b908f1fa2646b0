package emqxlog

import (
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func utc(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// at is the moment of the lines below.
var at = utc("2024-03-20T10:08:39.56898Z")

// table is every form a line can have.
var table = []struct {
	name, line string
	want       Entry
}{
	{"EMQX 4, client and peer", "2024-03-20T11:08:39.568980+01:00 [warning] c1@10.0.0.9:47860 [Channel] " +
		"Publish rejected",
		Entry{At: at, Zoned: true, Level: Warning, Message: "[Channel] Publish rejected",
			Fields: map[string]string{"clientid": "c1", "peername": "10.0.0.9:47860"}}},
	{"EMQX 4, peer", "2024-03-20T11:08:39.568980+01:00 [error] 10.0.0.9:47860 [MQTT] closed",
		Entry{At: at, Zoned: true, Level: Error, Message: "[MQTT] closed",
			Fields: map[string]string{"peername": "10.0.0.9:47860"}}},
	{"EMQX 4, a peer of IPv6 and a client with an @", "2024-03-20T11:08:39.568980+01:00 [info] a@b@[::1]:47860 x",
		Entry{At: at, Zoned: true, Level: Info, Message: "x", Fields: map[string]string{"clientid": "a@b",
			"peername": "[::1]:47860"}}},
	{"EMQX 4, nobody", "2024-03-20T11:08:39.568980+01:00 [error] [Plugins] something failed: eacces",
		Entry{At: at, Zoned: true, Level: Error, Message: "[Plugins] something failed: eacces"}},
	{"EMQX 4, a client alone stays", "2024-03-20T11:08:39.568980+01:00 [debug] c1 hello",
		Entry{At: at, Zoned: true, Level: Debug, Message: "c1 hello"}},
	{"EMQX 4, no zone", "2024-03-20 10:08:39.568980 [notice] x", Entry{At: at, Level: Notice, Message: "x"}},
	{"EMQX 4, zone behind a space", "2024-03-20 11:08:39.568980 +0100 [notice] x",
		Entry{At: at, Zoned: true, Level: Notice, Message: "x"}},
	{"EMQX 4, no message", "2024-03-20T10:08:39.56898Z [alert] ", Entry{At: at, Zoned: true, Level: Alert}},
	{"EMQX 5", "2024-03-20T11:08:39.568980+01:00 [warning] tag: AUTHZ, clientid: client1, msg: cannot_publish, " +
		"peername: 127.0.0.1:47860, topic: t/1, reason: not_authorized",
		Entry{At: at, Zoned: true, Level: Warning, Message: "cannot_publish", Fields: map[string]string{
			"tag": "AUTHZ", "clientid": "client1", "peername": "127.0.0.1:47860", "topic": "t/1",
			"reason": "not_authorized"}}},
	{"EMQX 5, commas and colons in values", "2024-03-20T11:08:39.568980+01:00 [error] msg: failed, reason: {error, " +
		"timeout}, stacktrace: [{emqx, f, 1, [{line, 3}]}], mfa: emqx_x:f/1(7), url: http://h:1/, a, b",
		Entry{At: at, Zoned: true, Level: Error, Message: "failed", Fields: map[string]string{
			"reason": "{error, timeout}", "stacktrace": "[{emqx, f, 1, [{line, 3}]}]", "mfa": "emqx_x:f/1(7)",
			"url": "http://h:1/, a, b"}}},
	{"EMQX 5, the first of a name counts", "2024-03-20T10:08:39.56898Z [info] msg: a, pid: <0.1.0>, pid: " +
		"<0.2.0>, msg: b",
		Entry{At: at, Zoned: true, Level: Info, Message: "a", Fields: map[string]string{"pid": "<0.1.0>", "msg": "b"}}},
	{"EMQX 5, peer in front", "2024-03-20T10:08:39.56898Z [info] c1@127.0.0.1:5 msg: a, mfa: m:f/1",
		Entry{At: at, Zoned: true, Level: Info, Message: "a", Fields: map[string]string{"clientid": "c1",
			"peername": "127.0.0.1:5", "mfa": "m:f/1"}}},
	{"EMQX 5, epoch", "1710929319568980 [critical] msg: x", Entry{At: at, Zoned: true, Level: Critical, Message: "x"}},
	{"a message with a colon is a message", "2024-03-20T10:08:39.56898Z [error] Supervisor: {local, x}, Child: y",
		Entry{At: at, Zoned: true, Level: Error, Message: "Supervisor: {local, x}, Child: y"}},
	{"JSON, epoch", `{"time":1710929319568980,"level":"warning","msg":"x y","mfa":"m:f/1(3)","clientid":"c","n":3,` +
		`"o":{"a":[1]}}`,
		Entry{At: at, Zoned: true, Level: Warning, Message: "x y", Fields: map[string]string{"mfa": "m:f/1(3)",
			"clientid": "c", "n": "3", "o": `{"a":[1]}`}}},
	{"JSON, RFC 3339, another order", `{"msg":"x","level":"error","time":"2024-03-20T11:08:39.568980+01:00"}`,
		Entry{At: at, Zoned: true, Level: Error, Message: "x"}},
	{"JSON without a time", `{"level":"error","msg":"x"}`, Entry{Level: Error, Message: "x"}},
	{"JSON, a time no calendar has", `{"time":` + strconv.Itoa(math.MaxInt64) + `,"level":"error","msg":"x"}`,
		Entry{Level: Error, Message: "x"}},
	{"JSON, not of a log", `{"a":1}`, Entry{Message: `{"a":1}`}},
	{"JSON, broken", `{"level":"error"`, Entry{Message: `{"level":"error"`}},
	{"a report of Erlang", "=CRASH REPORT==== 20-Mar-2024::10:08:39.568980 ===",
		Entry{At: at, Level: Error, Message: "crash report"}},
	{"a report nobody knows", "=TAX REPORT==== 20-Mar-2024::10:08:39.568980 ===",
		Entry{Message: "=TAX REPORT==== 20-Mar-2024::10:08:39.568980 ==="}},
	{"printed at a start", "EMQX 5.8.9 is running now!", Entry{Message: "EMQX 5.8.9 is running now!"}},
	{"a level nobody knows", "2024-03-20T10:08:39Z [fatal] x", Entry{Message: "2024-03-20T10:08:39Z [fatal] x"}},
	{"a time without a level", "2024-03-20T10:08:39Z x", Entry{Message: "2024-03-20T10:08:39Z x"}},
	{"a level in the middle", "x [error] y", Entry{Message: "x [error] y"}},
	{"a year before computers", "0001-01-01T00:00:00Z [error] y", Entry{Message: "0001-01-01T00:00:00Z [error] y"}},
	{"a zone that leaves the calendar", "9999-12-31T23:59:59-23:59 [error] y",
		Entry{Message: "9999-12-31T23:59:59-23:59 [error] y"}},
	{"EMQX 5 at its end", "2024-03-20T11:08:39.568980+01:00 received_terminate_signal, shutting down now.",
		Entry{At: at, Zoned: true, Message: "received_terminate_signal, shutting down now."}},
	{"nothing", "", Entry{}},
}

func TestParse(t *testing.T) {
	for _, c := range table {
		c.want.Raw = c.line
		require.Equal(t, c.want, Parse(c.line+"\r"), c.name)
	}
}

func TestParseBounds(t *testing.T) {
	e := Parse("2024-03-20T10:08:39.56898Z [error] msg: x, a: " + strings.Repeat("ü", MaxEntry))
	require.True(t, e.Cut)
	require.LessOrEqual(t, len(e.Raw), MaxEntry)
	require.True(t, utf8.ValidString(e.Raw))
	var many strings.Builder
	many.WriteString("2024-03-20T10:08:39.56898Z [error] msg: x")
	for i := range 5000 {
		many.WriteString(", k" + strconv.Itoa(i) + ": v")
	}
	require.LessOrEqual(t, len(Parse(many.String()).Fields), maxFields)
	require.Equal(t, "a\uFFFDb", Parse("a\xffb").Message)
}

func TestLevels(t *testing.T) {
	all := Levels()
	for i, l := range all {
		require.True(t, l.Valid())
		require.True(t, l.AtLeast(""))
		for j, m := range all {
			require.Equal(t, i >= j, l.AtLeast(m), "%s %s", l, m)
		}
		require.False(t, Level("").AtLeast(l), "an entry without a level is as severe as none")
	}
	require.True(t, Level("").AtLeast(""))
	require.False(t, Level("warn").Valid())
	require.True(t, slices.IsSortedFunc(all,
		func(a, b Level) int { return slices.Index(all, a) - slices.Index(all, b) }))
}

// joined joins lines that were written together, or not where they begin with "~".
func joined(lines ...string) (out []Entry) {
	var j Joiner
	for _, l := range lines {
		text, apart := strings.CutPrefix(l, "~")
		if e, ok := j.Add(text, !apart); ok {
			out = append(out, e)
		}
	}
	if e, ok := j.Flush(); ok {
		out = append(out, e)
	}
	return out
}

func TestJoin(t *testing.T) {
	const head = "2024-03-20T10:08:39.56898Z [error] Generic server x terminating"
	raws := func(entries []Entry) (out []string) {
		for _, e := range entries {
			out = append(out, e.Raw)
		}
		return out
	}
	require.Empty(t, joined())
	require.Equal(t, []string{"a", "b"}, raws(joined("a", "b")), "what has no head belongs to nothing that has none")
	require.Equal(t, []string{head + "\n  initial call: x\n** Reason\n", head, "EMQX 5.8.9 is running now!"},
		raws(joined(head, "  initial call: x", "** Reason", "", "~"+head, "~EMQX 5.8.9 is running now!")))
	require.Equal(t, []string{head + "\n    far, but indented"}, raws(joined(head, "~    far, but indented")))
	require.Equal(t, []string{"  indented, and first", head}, raws(joined("  indented, and first", head)))
	one := joined(head, "x")[0]
	require.Equal(t, Error, one.Level)
	require.Equal(t, "Generic server x terminating", one.Message)
	require.False(t, one.Cut)
}

func TestJoinIsBounded(t *testing.T) {
	var j Joiner
	j.Add("2024-03-20T10:08:39.56898Z [error] x", true)
	require.True(t, j.pending)
	for range 10_000 {
		_, ok := j.Add(" "+strings.Repeat("y", 1000), true)
		require.False(t, ok)
	}
	e, ok := j.Flush()
	require.True(t, ok)
	require.True(t, e.Cut)
	require.LessOrEqual(t, len(e.Raw), MaxEntry)
	require.False(t, j.pending)
}

func TestLines(t *testing.T) {
	long := strings.Repeat("z", 100_000)
	l := NewLines(iotest.OneByteReader(strings.NewReader("a\n\n" + long + "\nb")))
	type got struct {
		line string
		cut  bool
	}
	var all []got
	for {
		line, cut, err := l.Next(10)
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		all = append(all, got{line, cut})
	}
	require.Equal(t, []got{{"a", false}, {"", false}, {long[:10], true}, {"b", false}}, all)

	l = NewLines(io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	line, _, err := l.Next(10)
	require.NoError(t, err)
	require.Equal(t, "a", line)
	_, _, err = l.Next(10)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "half a line of a log that broke is none")
}

// FuzzEntries: whatever a log holds, entries are valid, bounded, and lose no
// line that was not cut.
func FuzzEntries(f *testing.F) {
	for _, c := range table {
		f.Add([]byte(c.line))
		f.Add([]byte(c.line + "\n  more\nand more\n" + c.line))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		var j Joiner
		var raw []string
		check := func(e Entry, ok bool) {
			if !ok {
				return
			}
			raw = append(raw, e.Raw)
			_, err := e.At.MarshalJSON()
			switch {
			case len(e.Raw) > MaxEntry || len(e.Message) > MaxEntry || len(e.Fields) > maxFields:
				t.Fatalf("%+v is too large", e)
			case e.Level != "" && !e.Level.Valid(), err != nil, e.At.Location() != time.UTC:
				t.Fatalf("%+v is not valid", e)
			case !utf8.ValidString(e.Raw) || !utf8.ValidString(e.Message):
				t.Fatalf("%q is no UTF-8", e.Raw)
			}
			for k, v := range e.Fields {
				if !utf8.ValidString(k) || !utf8.ValidString(v) {
					t.Fatalf("field %q: %q is no UTF-8", k, v)
				}
			}
		}
		lines, read, cut := NewLines(strings.NewReader(string(log))), []string{}, false
		for i := 0; ; i++ {
			line, c, err := lines.Next(MaxEntry)
			if err != nil {
				break
			}
			read, cut = append(read, clean(line)), cut || c
			check(j.Add(line, i%3 != 0))
		}
		check(j.Flush())
		if got, want := strings.Join(raw, "\n"), strings.Join(read, "\n"); !cut && len(want) < MaxEntry && got != want {
			t.Fatalf("read %q, want %q", got, want)
		}
	})
}
