package emqxv5

import (
	"strconv"
	"time"

	"github.com/openecp/openecp/internal/emqxhttp"
)

// maxMillis is the end of the year 9999. Later times cannot be written in RFC 3339.
const maxMillis = 253402300799999

// timeOf reads a time in RFC 3339 or milliseconds since 1970. It returns the zero time for
// any other text.
func timeOf(w emqxhttp.Message) time.Time {
	if t, err := time.Parse(time.RFC3339, string(w)); err == nil {
		return validTime(t)
	}
	if n, err := strconv.ParseInt(string(w), 10, 64); err == nil && n > 0 && n <= maxMillis {
		return time.UnixMilli(n).UTC()
	}
	return time.Time{}
}

// validTime returns a time in UTC, or the zero time if it cannot be written: offsets and
// durations can lead beyond the year 9999.
func validTime(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.UnixMilli() > maxMillis {
		return time.Time{}
	}
	return t
}
