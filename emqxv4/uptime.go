package emqxv4

import (
	"strconv"
	"strings"
	"time"
)

// uptime is written in words: "2 days, 3 hours, 4 minutes, 5 seconds" without leading zero
// parts.
type uptime time.Duration

// UnmarshalJSON never fails. Anything that is not an uptime is 0.
func (u *uptime) UnmarshalJSON(b []byte) error {
	*u = uptime(parseUptime(strings.Trim(string(b), `"`))) // there is nothing to unescape
	return nil
}

// uptimeUnits are the units of an uptime in the singular.
var uptimeUnits = map[string]time.Duration{
	"day": 24 * time.Hour, "hour": time.Hour, "minute": time.Minute, "second": time.Second,
}

// parseUptime returns 0 for a text that it cannot read, or an uptime that is too long.
func parseUptime(words string) time.Duration {
	var sum time.Duration
	for part := range strings.SplitSeq(words, ",") {
		digits, unit, _ := strings.Cut(strings.TrimSpace(part), " ")
		span, ok := uptimeUnits[strings.TrimSuffix(unit, "s")]
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n > uint64(maxUptime/span) {
			return 0
		}
		if sum += time.Duration(n) * span; sum > maxUptime {
			return 0
		}
	}
	return sum
}

// maxUptime keeps the sum of two parts within a duration.
const maxUptime = 100 * 365 * 24 * time.Hour
