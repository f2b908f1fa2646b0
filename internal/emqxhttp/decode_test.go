package emqxhttp

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestCount(t *testing.T) {
	for in, want := range map[string]Count{
		`0`: 0, `3`: 3, `"3"`: 3, `" 3 "`: 3, `12.4`: 12, `"0.52"`: 1, `1e3`: 1000,
		`9007199254740993`: 9007199254740992,
		`-1`:               0, `"-1"`: 0, `"infinity"`: 0, `"NaN"`: 0, `"Inf"`: 0, `1e300`: 0, `9223372036854775808`: 0,
		`null`: 0, `true`: 0, `[]`: 0, `{}`: 0, `""`: 0, `"3 clients"`: 0, `"3G"`: 0,
	} {
		var got Count
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.Equal(t, want, got, in)
	}
}

func TestRate(t *testing.T) {
	for in, want := range map[string]Rate{
		`0`: 0, `1.25`: 1.25, `"0.5"`: 0.5, `-1`: 0, `"NaN"`: 0, `"Inf"`: 0, `1e999`: 0, `null`: 0, `{}`: 0,
	} {
		got := Rate(7)
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.Equal(t, want, got, in)
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[string]Message{
		`"a\n b"`: "a b", `null`: "", `""`: "", `7`: "7", `true`: "true", `{"a": 1}`: `{"a": 1}`,
	} {
		got := Message("x")
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.Equal(t, want, got, in)
	}
	var long Message
	require.NoError(t, json.Unmarshal([]byte(`"`+strings.Repeat("x", 5000)+`"`), &long))
	require.Less(t, len(long), 1100)
}

func TestText(t *testing.T) {
	for in, want := range map[string]Text{
		`" a\n  b "`: " a\n  b ", `null`: "", `""`: "", `7`: "7", `true`: "true", `{"a": 1}`: `{"a": 1}`,
	} {
		got := Text("x")
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.Equal(t, want, got, in)
	}
}

func TestCountInt(t *testing.T) {
	require.Equal(t, 10_000_000, Count(10_000_000).Int())
	require.Equal(t, math.MaxInt32, Count(math.MaxInt32).Int())
	require.Zero(t, Count(math.MaxInt32+1).Int())
}

func TestMillis(t *testing.T) {
	require.Equal(t, 17*time.Second+510*time.Millisecond, Count(17510).Millis())
	require.Equal(t, time.Duration(math.MaxInt64/1_000_000)*time.Millisecond, Count(math.MaxInt64/1_000_000).Millis())
	require.Zero(t, Count(math.MaxInt64/1_000_000+1).Millis())
}

func TestBytes(t *testing.T) {
	for in, want := range map[string]Bytes{
		`"96.75M"`: 101449728, `"196.74M"`: 206296842, `"1.20G"`: 1288490189, `"1.50K"`: 1536, `"1.50k"`: 1536,
		`"2T"`:   2 << 40,
		`"1023"`: 1023, `1048576`: 1 << 20, `0`: 0, `"0"`: 0, `"0.00M"`: 0,
		`"-1M"`: 0, `"1e300T"`: 0, `"M"`: 0, `"infinityG"`: 0, `"1.5 G"`: 0, `"1.5GB"`: 0, `null`: 0, `[1]`: 0,
		`{"M":1}`: 0,
	} {
		var got Bytes
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.Equal(t, want, got, in)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		word, reason string
		want         ecp.NodeStatus
		why          string
	}{
		{"Running", "", ecp.NodeRunning, ""},
		{"running", "left over", ecp.NodeRunning, ""},
		{"Stopped", "", ecp.NodeStopped, ""},
		{"", "nodedown", ecp.NodeStopped, ""},
		{"", "timeout\nafter 5 s", ecp.NodeUnknown, "timeout after 5 s"},
		{"", "", ecp.NodeUnknown, `the broker gives its status as ""`},
		{"wedged", "", ecp.NodeUnknown, `the broker gives its status as "wedged"`},
	} {
		status, why := Status(c.word, c.reason)
		require.Equal(t, c.want, status, "%q %q", c.word, c.reason)
		require.Equal(t, c.why, why)
	}
	_, why := Status(strings.Repeat("w", 1000), "")
	require.Less(t, len(why), 200)
	_, why = Status("", strings.Repeat("w", 1000))
	require.Less(t, len(why), 300)
}

// FuzzNotations: any JSON value is a figure that counts something.
func FuzzNotations(f *testing.F) {
	for _, s := range []string{`"23.54G"`, `17510`, `"infinity"`, `-1`, `1e300`, `"1e300T"`, `null`, `"0x1p-2M"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var figures struct {
			Count Count
			Bytes Bytes
			Rate  Rate
			Words Message
			Text  Text
		}
		if !json.Valid(b) {
			return
		}
		require.NoError(t, json.Unmarshal([]byte(`{"Count":`+string(b)+`,"Bytes":`+string(b)+`,"Rate":`+string(b)+
			`,"Words":`+string(b)+`,"Text":`+string(b)+`}`), &figures))
		require.GreaterOrEqual(t, figures.Count, Count(0))
		require.GreaterOrEqual(t, figures.Count.Millis(), time.Duration(0))
		require.GreaterOrEqual(t, figures.Bytes, Bytes(0))
		require.GreaterOrEqual(t, figures.Rate, Rate(0))
		require.LessOrEqual(t, len(figures.Words), maxMessage+len("…"))
	})
}
