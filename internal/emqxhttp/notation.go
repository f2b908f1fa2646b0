package emqxhttp

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Count is a number that a broker writes as a number or as a string. What is
// no number, is below zero or does not fit ("infinity") is 0: none of the
// figures is worth failing a call for.
type Count int64

// UnmarshalJSON never fails.
func (c *Count) UnmarshalJSON(b []byte) error {
	n, ok := digits(b)
	if !ok {
		n = whole(number(text(b), 1))
	}
	*c = Count(n)
	return nil
}

// digits reads what nearly every count is; false for anything else.
func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, len(b) > 0 && len(b) <= 15 // all of which a float64 has exactly
}

// Int gives the count as the domain has it. Beyond two thousand million it is
// 0, so that no broker can make a total overflow.
func (c Count) Int() int {
	if c > math.MaxInt32 {
		return 0
	}
	return int(c)
}

// Limit gives a count that bounds something, which is never added up: brokers
// take more than two thousand million, and 0 would be no limit. What does not
// fit an int is the largest one.
func (c Count) Limit() int { return int(min(int64(c), math.MaxInt)) }

// Millis gives a count of milliseconds as a duration; 0 if it does not fit.
func (c Count) Millis() time.Duration {
	if int64(c) > math.MaxInt64/int64(time.Millisecond) {
		return 0
	}
	return time.Duration(c) * time.Millisecond
}

// Rate is how many of something there are in a second, written as [Count] is.
type Rate float64

// UnmarshalJSON never fails.
func (r *Rate) UnmarshalJSON(b []byte) error {
	*r = 0
	if n, err := strconv.ParseFloat(text(b), 64); err == nil && n >= 0 && !math.IsInf(n, 0) {
		*r = Rate(n)
	}
	return nil
}

// Text is a name or an id, kept as it is: a string's content, nothing for null,
// and any other value as it is written.
type Text string

// UnmarshalJSON never fails.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil { // null is nothing to it
		s = string(b)
	}
	*t = Text(s)
	return nil
}

// Words are what a broker says, fit for people: a string's content, nothing for
// null, and any other value as it is written.
type Words string

// UnmarshalJSON never fails.
func (w *Words) UnmarshalJSON(b []byte) error {
	*w = ""
	if t := text(b); string(b) != "null" {
		*w = Words(short(printable(t), mostWords))
	}
	return nil
}

// mostWords is how many bytes of a broker's words are kept.
const mostWords = 1000

// Bytes is a size that a broker writes as a number of bytes or as text such as
// "96.75M", in steps of 1024. What makes no sense is 0, as for [Count].
type Bytes int64

// units are the suffixes of sizes.
var units = map[byte]float64{'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}

// UnmarshalJSON never fails.
func (s *Bytes) UnmarshalJSON(b []byte) error {
	t, unit := text(b), 1.0
	if n := len(t); n > 0 {
		if u, ok := units[t[n-1]&^0x20]; ok {
			t, unit = t[:n-1], u
		}
	}
	*s = Bytes(whole(number(t, unit)))
	return nil
}

// text gives a JSON string's content, or any other value as it is written.
func text(b []byte) string {
	if n := len(b); n >= 2 && b[0] == '"' && bytes.IndexByte(b, '\\') < 0 { // the usual case, without a decoder
		return strings.TrimSpace(strings.ToValidUTF8(string(b[1:n-1]), "\ufffd"))
	}
	var s string
	if len(b) > 0 && b[0] == '"' && json.Unmarshal(b, &s) == nil {
		return strings.TrimSpace(s)
	}
	return string(b)
}

func number(s string, unit float64) float64 {
	if unit == 1 {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n < 1<<53 {
			return float64(n)
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return math.Round(n * unit)
}

// whole gives n as an integer, 0 for what is not one that counts something.
func whole(n float64) int64 {
	if !(n >= 0 && n < math.MaxInt64) { // also false for NaN
		return 0
	}
	return int64(n)
}

// Status gives a member's status from the word both majors have for it, and
// why it is unknown. A member asked in vain is reported with a reason in place
// of the word: "nodedown" where it is gone, another where it did not answer.
func Status(word, reason string) (ecp.NodeStatus, string) {
	switch word = strings.ToLower(word); {
	case word == "running":
		return ecp.NodeRunning, ""
	case word == "stopped", word == "" && reason == "nodedown":
		return ecp.NodeStopped, ""
	case reason != "":
		return ecp.NodeUnknown, short(printable(reason), mostQuote)
	}
	return ecp.NodeUnknown, "the broker gives its status as " + strconv.Quote(short(word, mostType))
}
