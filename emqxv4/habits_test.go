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

// FuzzStats: counters are never negative and never panic.
func FuzzStats(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		data, _, err := decodeEnvelope(body)
		if err != nil {
			return
		}
		found, err := decodeCounters(data)
		if err != nil {
			return
		}
		for _, c := range found {
			require.GreaterOrEqual(t, firstCount(c.Live, c.Connections), 0)
		}
	})
}

// FuzzLicense covers the two decoders of the edition.
func FuzzLicense(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Add([]byte(`{"max_connections":10000,"expiry_at":"2027-01-31 23:59:59"}`))
	f.Add([]byte(`[{"sysdescr":"EMQX Enterprise"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, _ := decodeLicense(data)
		require.GreaterOrEqual(t, l.limit(), 0)
		edition, _ := decodeEdition(data)
		require.Contains(t, []string{"", "enterprise", "opensource"}, edition)
	})
}

// FuzzUptime: an uptime is within bounds, in any JSON.
func FuzzUptime(f *testing.F) {
	for _, s := range []string{`"2 days, 3 hours, 4 minutes, 5 seconds"`, `"1 minutes, 46 seconds"`, `17510`, `null`, `"36500 days, 36500 days"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var u uptime
		if json.Unmarshal(b, &u) != nil {
			return
		}
		require.GreaterOrEqual(t, u, uptime(0))
		require.LessOrEqual(t, u, uptime(mostUptime))
	})
}
