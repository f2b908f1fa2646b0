package cron

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func in(t require.TestingT, zone string) *time.Location {
	z, err := Zone(zone)
	require.NoError(t, err)
	return z
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ cron, zone, after, want string }{
		{"0 20 * * 1-5", "Europe/Berlin", "2026-07-03T17:59:59Z", "2026-07-03T20:00:00+02:00"},
		{"0 20 * * 1-5", "Europe/Berlin", "2026-07-03T18:00:00Z", "2026-07-06T20:00:00+02:00"},
		{"0 20 * * MON-Fri", "Europe/Berlin", "2026-07-03T18:00:00Z", "2026-07-06T20:00:00+02:00"},
		{"0 2 * * sat-sun", "UTC", "2026-07-04T02:00:00Z", "2026-07-05T02:00:00Z"},
		{"0 2 * * 7", "UTC", "2026-07-04T02:00:00Z", "2026-07-05T02:00:00Z"},
		{"*/25 * * * *", "UTC", "2026-07-04T02:50:00Z", "2026-07-04T03:00:00Z"},
		{"7,5-20/15 4 * jan,3 *", "UTC", "2026-01-31T04:20:00Z", "2026-03-01T04:05:00Z"},
		{"0 0 13 * 5", "UTC", "2026-07-04T00:00:00Z", "2026-07-10T00:00:00Z"},                // either day
		{"0 0 */13 * 5", "UTC", "2026-07-04T00:00:00Z", "2026-08-14T00:00:00Z"},              // both days
		{"0 0 29 2 *", "UTC", "2097-01-01T00:00:00Z", "2104-02-29T00:00:00Z"},                // 2100 is no leap year
		{"0 0 29 2 */7", "UTC", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"},              // 29 February on a Sunday
		{"30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00+02:00"}, // is left out
		{"0 3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T02:30:00+02:00"}, // the first of two
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T02:30:00+01:00"}, // and no second
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T01:00:00-02:00"},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T14:00:00Z", "2026-10-04T02:30:00+11:00"}, // half an hour
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z", "2011-12-31T00:00:00+14:00"},        // a whole day
		{"0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", ""},
	} {
		t.Run(c.cron+" "+c.after, func(t *testing.T) {
			s, err := Parse(c.cron, in(t, c.zone))
			require.NoError(t, err)
			after, err := time.Parse(time.RFC3339, c.after)
			require.NoError(t, err)
			next, got := s.Next(after), ""
			if !next.IsZero() {
				got = next.Format(time.RFC3339)
				require.Equal(t, next, s.Last(next), "the last up to then")
			}
			require.Equal(t, c.want, got)
		})
	}
	require.True(t, Schedule{}.Next(time.Now()).IsZero())
}

func TestErrorsNameFieldAndValue(t *testing.T) {
	for cron, want := range map[string]string{
		"":                `has 0 fields; five are wanted`,
		"0 20 * *":        `is "0 20 * *", which has 4 fields`,
		"60 20 * * *":     `minute "60" is no number from 0 to 59`,
		"0 24 * * *":      `hour "24" is no number from 0 to 23`,
		"0 +4 * * *":      `hour "+4" is no number`,
		"0 20 0 * *":      `day of the month "0" is no number from 1 to 31`,
		"0 20 * sept *":   `month "sept" is no number from 1 to 12, or a name such as feb`,
		"0 20 * * 8":      `weekday "8" is no number from 0 to 7, or a name such as mon`,
		"0 20 * * fri-tu": `weekday "tu" is no number`,
		"0 20 * * 5-1":    `weekday "5-1" runs backwards`,
		"*/0 20 * * *":    `minute "*/0" has a step that is no number from 1 to 59`,
		"5/10 20 * * *":   `minute "5/10" has a step without a range; write 5-59/10`,
		"0 20 1, * *":     `day of the month "" is no number`,
		"@daily":          `has 1 fields`,
	} {
		_, err := Parse(cron, nil)
		require.ErrorContains(t, err, want, cron)
	}
	for _, zone := range []string{"Europe/Bielefeld", "Local", "../etc/passwd"} {
		_, err := Zone(zone)
		require.ErrorContains(t, err, "is no time zone", zone)
	}
}

// due walks minute by minute, and is due in every minute whose clock the schedule names
// for the first time, and in the first one after a gap that has such a minute.
func due(s Schedule, from, to time.Time) (out []time.Time) {
	named := func(clock time.Time) bool {
		return s.onDay(clock) && s.fields[hour].has(clock.Hour()) && s.fields[minute].has(clock.Minute())
	}
	highest := onClock(from.Add(-48 * time.Hour).In(s.zone))
	for t := from.Add(-48 * time.Hour); !t.After(to); t = t.Add(time.Minute) {
		clock, yes := onClock(t.In(s.zone)), false
		for w := highest.Add(time.Minute); !w.After(clock); w = w.Add(time.Minute) {
			yes, highest = yes || named(w), w
		}
		if yes && t.After(from) {
			out = append(out, t)
		}
	}
	return out
}

func TestNextAgreesWithAWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		change := rapid.SampledFrom([]struct {
			zone string
			at   time.Time
		}{
			{"Europe/Berlin", time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)},
			{"Europe/Berlin", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
			{"America/Sao_Paulo", time.Date(2018, 11, 4, 3, 0, 0, 0, time.UTC)},
			{"America/Sao_Paulo", time.Date(2019, 2, 17, 2, 0, 0, 0, time.UTC)},
			{"Australia/Lord_Howe", time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC)},
			{"Australia/Lord_Howe", time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC)},
			{"Asia/Kolkata", time.Date(2026, 12, 31, 18, 30, 0, 0, time.UTC)},
			{"Pacific/Apia", time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)},
		}).Draw(t, "change")
		part := func(f field) string {
			low := rapid.IntRange(f.min, f.max).Draw(t, f.name)
			high := rapid.IntRange(low, f.max).Draw(t, "to")
			return rapid.SampledFrom([]string{
				"*", "*", fmt.Sprint(low), fmt.Sprintf("%d-%d", low, high), fmt.Sprintf("%d-%d/%d", low, high, 1+low%3),
				fmt.Sprintf("*/%d", max(1, low%7)), fmt.Sprintf("%d,%d", high, low),
			}).Draw(t, "form")
		}
		var words []string
		for _, f := range fields {
			words = append(words, part(f))
		}
		text := strings.Join(words, " ")
		s, err := Parse(text, in(t, change.zone))
		require.NoError(t, err)
		from := change.at.Add(time.Duration(rapid.IntRange(-36*60, 12*60).Draw(t, "from")) * time.Minute)
		to := from.Add(30 * time.Hour)
		var got []time.Time
		for next := s.Next(from); !next.IsZero() && !next.After(to); next = s.Next(next) {
			got = append(got, next.UTC())
			if last := s.Last(next.Add(time.Second)); !last.Equal(next) {
				t.Fatalf("%q: the last up to %s is %s", text, next, last)
			}
		}
		want := due(s, from, to)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q in %s after %s:\n got %s\nwant %s", text, change.zone, from, got, want)
		}
	})
}
