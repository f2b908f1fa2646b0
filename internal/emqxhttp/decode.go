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

// Count is a number that a broker writes as a number or as a string. Anything else, such as
// a negative number or "infinity", is 0, because no figure is worth failing a call.
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

// digits reads a plain number, the usual case.
func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, len(b) > 0 && len(b) <= 15 // within the precision of a float64
}

// Int returns the count. It returns 0 for more than two thousand million, so that no broker
// can make a sum overflow.
func (c Count) Int() int {
	if c > math.MaxInt32 {
		return 0
	}
	return int(c)
}

// Limit returns a count that is a limit and is never added up. It keeps large numbers,
// since 0 would mean no limit, and returns the largest int for those that do not fit.
func (c Count) Limit() int { return int(min(int64(c), math.MaxInt)) }

// Millis returns a count of milliseconds as a duration, or 0 if it does not fit.
func (c Count) Millis() time.Duration {
	if int64(c) > math.MaxInt64/int64(time.Millisecond) {
		return 0
	}
	return time.Duration(c) * time.Millisecond
}

// Rate is a number per second, written like a [Count].
type Rate float64

// UnmarshalJSON never fails.
func (r *Rate) UnmarshalJSON(b []byte) error {
	*r = 0
	if n, err := strconv.ParseFloat(text(b), 64); err == nil && n >= 0 && !math.IsInf(n, 0) {
		*r = Rate(n)
	}
	return nil
}

// Text is a name or an id and is kept as it is: the content of a string, "" for null, and
// the JSON text of any other value.
type Text string

// UnmarshalJSON never fails.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil { // null leaves s empty
		s = string(b)
	}
	*t = Text(s)
	return nil
}

// Message is a text from a broker for people, on one line: the content of a string, "" for
// null, and the JSON text of any other value.
type Message string

// UnmarshalJSON never fails.
func (w *Message) UnmarshalJSON(b []byte) error {
	*w = ""
	if t := text(b); string(b) != "null" {
		*w = Message(truncate(oneLine(t), maxMessage))
	}
	return nil
}

// maxMessage is how many bytes of a message are kept.
const maxMessage = 1000

// Bytes is a size that a broker writes as a number of bytes, or as a text such as "96.75M"
// in steps of 1024. Anything else is 0, as for [Count].
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

// text returns the content of a JSON string, or the JSON text of any other value.
func text(b []byte) string {
	// The usual case, without a decoder.
	if n := len(b); n >= 2 && b[0] == '"' && bytes.IndexByte(b, '\\') < 0 {
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

// whole returns n as an integer, or 0 if n cannot be a count.
func whole(n float64) int64 {
	if !(n >= 0 && n < math.MaxInt64) { // also false for NaN
		return 0
	}
	return int64(n)
}

// Status returns the status of a member from the word that both majors use, and why it is
// unknown. For a member that could not be asked, the broker returns a reason instead:
// "nodedown" if it is down, another one if it did not answer.
func Status(word, reason string) (ecp.NodeStatus, string) {
	switch word = strings.ToLower(word); {
	case word == "running":
		return ecp.NodeRunning, ""
	case word == "stopped", word == "" && reason == "nodedown":
		return ecp.NodeStopped, ""
	case reason != "":
		return ecp.NodeUnknown, truncate(oneLine(reason), maxQuote)
	}
	return ecp.NodeUnknown, "the broker gives its status as " + strconv.Quote(truncate(word, maxType))
}
