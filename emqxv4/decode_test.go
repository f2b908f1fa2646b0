package emqxv4

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/emqxtest"
)

func TestParseUptime(t *testing.T) {
	for words, want := range map[string]time.Duration{
		"5 seconds":                             5 * time.Second,
		"1 minutes, 46 seconds":                 time.Minute + 46*time.Second,
		"1 minute, 1 second":                    time.Minute + time.Second,
		"2 days, 3 hours, 4 minutes, 5 seconds": 51*time.Hour + 4*time.Minute + 5*time.Second,
		"3 hours, 0 minutes, 0 seconds":         3 * time.Hour,
		" 3 hours ,4 minutes":                   3*time.Hour + 4*time.Minute,
		"36500 days":                            36500 * 24 * time.Hour,
		"36501 days":                            0,
		"36500 days, 1 seconds":                 0,
		"":                                      0,
		"forever":                               0,
		"5":                                     0,
		"5 fortnights":                          0,
		"-5 seconds":                            0,
		"1.5 hours":                             0,
		"5 seconds, then some":                  0,
		"99999999999999999999 days":             0,
		strings.Repeat("36500 days,", 9) + "1 days": 0,
	} {
		require.Equal(t, want, parseUptime(words), "%q", words)
	}
}

func TestDecodeEnvelope(t *testing.T) {
	for _, c := range []struct {
		body string
		data string
		said *refusal
		bad  bool
	}{
		{body: `{"code":0,"data":[1]}`, data: `[1]`},
		{body: `{"code":0}`},
		{body: `{"code":101,"message":"nodedown"}`, said: &refusal{"101", "nodedown"}},
		{body: `{"code":"ERROR1","message":"x"}`, said: &refusal{"ERROR1", "x"}},
		{body: `{"message":"nodedown"}`, said: &refusal{"missing", "nodedown"}},
		{body: `{"data":[1]}`, bad: true},
		{body: `null`, bad: true},
		{body: `{"code":"0","data":1}`, said: &refusal{"0", ""}},
		{body: `{"code":null}`, said: &refusal{"missing", ""}},
		{body: `{"code":400,"message":[97,[108,"ready"],95]}`, said: &refusal{"400", "already_"}},
		{body: `{"code":400,"message":[1,2]}`, said: &refusal{"400", "[1,2]"}},
		{body: `{"code":400,"message":{"a":1}}`, said: &refusal{"400", `{"a":1}`}},
		{body: `{"code":400,"message":null}`, said: &refusal{"400", ""}},
		{body: `[]`, bad: true},
		{body: ``, bad: true},
	} {
		data, said, err := decodeEnvelope([]byte(c.body))
		require.Equal(t, c.bad, err != nil, c.body)
		require.Equal(t, c.data, string(data), c.body)
		require.Equal(t, c.said, said, c.body)
	}
}

// FuzzMembers: whatever comes in an envelope, members have names and figures
// that count something.
func FuzzMembers(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		data, said, err := decodeEnvelope(body)
		if err != nil || said != nil {
			return
		}
		members, err := decodeMembers(data)
		if err != nil {
			return
		}
		require.NotEmpty(t, members)
		for _, m := range members {
			n := m.node(counters{})
			emqxtest.CheckNode(t, n)
		}
	})
}

// FuzzUptime: an uptime is within bounds, in any JSON.
func FuzzUptime(f *testing.F) {
	for _, s := range []string{
		`"2 days, 3 hours, 4 minutes, 5 seconds"`, `"1 minutes, 46 seconds"`, `17510`, `null`,
		`"36500 days, 36500 days"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var u uptime
		if json.Unmarshal(b, &u) != nil {
			return
		}
		require.GreaterOrEqual(t, u, uptime(0))
		require.LessOrEqual(t, u, uptime(maxUptime))
	})
}
