package emqxlog

import (
	"strconv"
	"strings"
	"time"
)

// maxStamp is the length of the longest time at the head of a line, in bytes.
const maxStamp = 40

// stampForms are the forms of a time that EMQX can be configured to write, and whether they
// have a zone. Any of them may have a fraction of a second.
var stampForms = []struct {
	layout string
	zoned  bool
}{
	{time.RFC3339Nano, true},
	{"2006-01-02T15:04:05Z0700", true},
	{"2006-01-02 15:04:05Z07:00", true},
	{"2006-01-02 15:04:05Z0700", true},
	{"2006-01-02 15:04:05 Z07:00", true},
	{"2006-01-02 15:04:05 Z0700", true},
	{"2006-01-02T15:04:05", false},
	{"2006-01-02 15:04:05", false},
}

// stamp is the time of a line.
type stamp struct {
	at    time.Time // UTC
	zoned bool      // it has a zone; otherwise at is local time
}

// readStamp reads a time. It returns false for any other text.
func readStamp(s string) (stamp, bool) {
	if s == "" || len(s) > maxStamp || s[0] < '0' || s[0] > '9' {
		return stamp{}, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return epoch(n)
	}
	for _, f := range stampForms {
		if t, err := time.Parse(f.layout, s); err == nil {
			return checked(t, f.zoned)
		}
	}
	return stamp{}, false
}

// epoch reads microseconds since 1970, which both majors write.
func epoch(n int64) (stamp, bool) { return checked(time.UnixMicro(n), true) }

// checked refuses times that a log cannot have or JSON cannot represent.
func checked(t time.Time, zoned bool) (stamp, bool) {
	t = t.UTC()
	if t.Year() < 1980 || t.Year() > 9998 {
		return stamp{}, false
	}
	return stamp{t, zoned}, true
}

// reports maps the first words of Erlang's own reports, which are written before EMQX has
// set up its log, to levels.
var reports = map[string]Level{
	"DEBUG": Debug, "INFO": Info, "NOTICE": Notice, "WARNING": Warning, "ERROR": Error, "CRITICAL": Critical,
	"ALERT": Alert, "EMERGENCY": Emergency, "CRASH": Error, "SUPERVISOR": Error, "PROGRESS": Info,
}

// readReport reads a head such as "=ERROR REPORT==== 20-Mar-2024::11:08:39.568980 ===".
func readReport(line string) (Entry, bool) {
	rest, ok := strings.CutPrefix(line, "=")
	word, rest, ok2 := strings.Cut(rest, " REPORT==== ")
	level, known := reports[word]
	if !ok || !ok2 || !known || len(rest) > maxStamp {
		return Entry{}, false
	}
	text, ok := strings.CutSuffix(rest, " ===")
	t, err := time.Parse("2-Jan-2006::15:04:05", text)
	if !ok || err != nil {
		return Entry{}, false
	}
	at, ok := checked(t, false)
	return Entry{At: at.at, Level: level, Message: strings.ToLower(word) + " report"}, ok
}
