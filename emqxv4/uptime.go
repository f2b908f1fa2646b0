package emqxv4

import (
	"strconv"
	"strings"
	"time"
)

// uptime is written in words: "2 days, 3 hours, 4 minutes, 5 seconds", without
// the parts that lead and are zero.
type uptime time.Duration

// UnmarshalJSON never fails: what makes no sense is 0.
func (u *uptime) UnmarshalJSON(b []byte) error {
	*u = uptime(parseUptime(strings.Trim(string(b), `"`))) // nothing in it that JSON would escape
	return nil
}

// spans are the units of an uptime, singular.
var spans = map[string]time.Duration{"day": 24 * time.Hour, "hour": time.Hour, "minute": time.Minute, "second": time.Second}

// parseUptime gives 0 for what it does not understand or what does not fit.
func parseUptime(words string) time.Duration {
	var sum time.Duration
	for part := range strings.SplitSeq(words, ",") {
		digits, unit, _ := strings.Cut(strings.TrimSpace(part), " ")
		span, ok := spans[strings.TrimSuffix(unit, "s")]
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n > uint64(mostUptime/span) {
			return 0
		}
		if sum += time.Duration(n) * span; sum > mostUptime {
			return 0
		}
	}
	return sum
}

// mostUptime keeps the sum of two such parts within a duration.
const mostUptime = 100 * 365 * 24 * time.Hour
