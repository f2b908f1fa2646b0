package agentproto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReports(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		k := newLink(t, r.addr)
		log := NewReportLog(4)
		for i := range 6 {
			log.Append(Report{Node: fmt.Sprint("r", i+1)})
		}
		a := r.agent(r.behind(k), tunnel, func(c *AgentConfig) { c.Reports = log })
		r.waitBoth(a)
		var seen []string
		var after Position
		var ended error
		for report, err := range r.server.Reports(t.Context(), a.id, Position{}) {
			if err != nil {
				ended = err
				break
			}
			seen = append(seen, report.Node)
			after = report.Position()
			switch len(seen) {
			case 4, 5: // what was kept is here: now live ones
				log.Append(Report{Node: fmt.Sprint("live", len(seen))})
			case 6:
				k.cut()
			}
		}
		require.Error(t, ended)
		assert.Equal(t, []string{"r3", "r4", "r5", "r6", "live4", "live5"}, seen)

		r.waitEvent("connected", a.id, 2)
		log.Append(Report{Node: "missed"})
		for report, err := range r.server.Reports(t.Context(), a.id, after) {
			require.NoError(t, err)
			assert.Equal(t, "missed", report.Node, "only what is new")
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range r.server.Reports(ctx, a.id, log.Last()) {
			t.Errorf("after its context: %v", err)
		}
		for _, err := range r.server.Reports(t.Context(), "nobody", Position{}) {
			require.ErrorIs(t, err, ErrNotConnected)
		}
	})
}

func line(t testing.TB, r Report) string {
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	return string(raw) + "\n"
}

func TestDecodeReports(t *testing.T) {
	after := Position{Epoch: 7, Seq: 3}
	good := line(t, Report{Epoch: 7, Seq: 4}) + line(t, Report{Epoch: 7, Seq: 9, Node: strings.Repeat("n", 1000)})
	for name, c := range map[string]struct {
		in   string
		want int
		err  string
	}{
		"good":           {good, 2, ""},
		"another epoch":  {line(t, Report{Epoch: 8, Seq: 1}), 1, ""},
		"nothing":        {"", 0, ""},
		"unfinished":     {good + `{"epoch":7`, 2, "unexpected EOF"},
		"replayed":       {line(t, Report{Epoch: 7, Seq: 3}), 0, "comes after"},
		"out of order":   {good + line(t, Report{Epoch: 7, Seq: 5}), 2, "comes after"},
		"no position":    {"{}\n", 0, "no position"},
		"no JSON":        {"hello\n", 0, "not a report"},
		"another shape":  {"[]\n", 0, "not a report"},
		"an empty line":  {"\n", 0, "not a report"},
		"without an end": {strings.Repeat("x", maxReportBytes+1024), 0, "larger than"},
		"a large one":    {`{"epoch":1,"seq":1,"new":"` + strings.Repeat("x", maxReportBytes-100) + "\"}\n", 1, ""},
	} {
		for chunks, in := range map[string]io.Reader{"whole": strings.NewReader(c.in),
			"bytes":        iotest.OneByteReader(strings.NewReader(c.in)),
			"with its end": iotest.DataErrReader(strings.NewReader(c.in))} {
			var got []Report
			var failed error
			for r, err := range decodeReports(in, after) {
				if err != nil {
					failed = err
					break
				}
				got = append(got, r)
			}
			assert.Len(t, got, c.want, "%s, %s", name, chunks)
			if c.err == "" {
				assert.NoError(t, failed, "%s, %s", name, chunks)
			} else {
				assert.ErrorContains(t, failed, c.err, "%s, %s", name, chunks)
			}
		}
	}
}

func TestReportsOfTheOtherSideAreCleaned(t *testing.T) {
	r := Report{Epoch: 1, Seq: 1, Node: "a\x1b[31mb", Connections: -1}
	for range 1000 {
		r.Members = append(r.Members, Member{Name: "m\u202e", UptimeMS: -4})
		r.Errors = append(r.Errors, ReportError{Message: "one\ntwo"})
	}
	for got, err := range decodeReports(strings.NewReader(line(t, r)), Position{}) {
		require.NoError(t, err)
		assert.Equal(t, "a[31mb", got.Node)
		assert.Zero(t, got.Connections)
		assert.Len(t, got.Members, maxMembers)
		assert.Equal(t, Member{Name: "m"}, got.Members[0])
		assert.Len(t, got.Errors, maxReportErrors)
		assert.Equal(t, "one two", got.Errors[0].Message)
	}
}

// FuzzReports: whatever is taken comes after the position, is within its bounds,
// and is the same when it has travelled again.
func FuzzReports(f *testing.F) {
	f.Add([]byte(`{"epoch":1,"seq":1,"uptimeMs":5,"members":[{"name":"a","status":"running"}]}`+"\n"), uint64(0),
		uint64(0))
	f.Add([]byte("{}\n\n"), uint64(1), uint64(1))
	f.Add(
		[]byte(
			`{"epoch":1,"seq":2,"at":"2026-01-02T03:04:05+01:00","errors":[{"stage":"nodeConnect","code":"timeout","message":"m"}],"uptimeMs":99999999999999}`+"\n"), uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, epoch, seq uint64) {
		after := Position{epoch, seq}
		for r, err := range decodeReports(bytes.NewReader(data), after) {
			if err != nil {
				return
			}
			if r.Seq == 0 || r.Epoch == after.Epoch && r.Seq <= after.Seq || r.Uptime < 0 ||
				len(r.Members) > maxMembers ||
				len(r.Errors) > maxReportErrors {
				t.Fatalf("accepted %+v after %+v", r, after)
			}
			raw, err := json.Marshal(r)
			require.NoError(t, err)
			again, err := decodeReport(raw, after)
			require.NoError(t, err)
			require.Equal(t, toJSON(t, r), toJSON(t, again))
			after = r.Position()
		}
	})
}

// FuzzGoodbye reads a goodbye, of which all can be shown.
func FuzzGoodbye(f *testing.F) {
	f.Add([]byte(`{"code":"removed","message":"by a person","retryAfterMs":5}`))
	f.Add([]byte(`{"code":"busy","retryAfterMs":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRefusal(bytes.NewReader(data))
		if err == nil && (r.RetryAfter < 0 || r.RetryAfter > maxRetryAfter || len(r.Message) > maxMessage ||
			len(r.Code) > maxID) {
			t.Fatalf("accepted %+v", r)
		}
	})
}

// FuzzPosition reads what a server asks for: a position that was read is the same
// after it was asked for again.
func FuzzPosition(f *testing.F) {
	f.Add("epoch=1&seq=2")
	f.Add("epoch=-1&seq=%zz")
	f.Add("epoch=18446744073709551615&seq=18446744073709551616")
	f.Fuzz(func(t *testing.T, query string) {
		v, _ := url.ParseQuery(query) // as net/http does
		var p, again Position
		if p.parameters().parse(v) != nil {
			return
		}
		v, err := url.ParseQuery(p.parameters().encode())
		require.NoError(t, err)
		require.NoError(t, again.parameters().parse(v))
		require.Equal(t, p, again)
	})
}
