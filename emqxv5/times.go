package emqxv5

import (
	"strconv"
	"time"

	"github.com/openecp/openecp/internal/emqxhttp"
)

// mostMillis is the end of the year 9999, after which there is no notation for
// a time.
const mostMillis = 253402300799999

// moment reads a time, RFC 3339 or milliseconds since 1970, in UTC; zero where
// it is none.
func moment(w emqxhttp.Words) time.Time {
	if t, err := time.Parse(time.RFC3339, string(w)); err == nil {
		return written(t)
	}
	if n, err := strconv.ParseInt(string(w), 10, 64); err == nil && n > 0 && n <= mostMillis {
		return time.UnixMilli(n).UTC()
	}
	return time.Time{}
}

// written gives a time in UTC, zero where there is no notation for it: offsets
// and durations lead beyond the year 9999.
func written(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.UnixMilli() > mostMillis {
		return time.Time{}
	}
	return t
}
