package emqxlog

import (
	"strconv"
	"strings"
	"time"
)

// maxStamp is the longest time at the head of a line, in bytes.
const maxStamp = 40

// stampForms are the forms of a time that EMQX is set up to write, by whether
// they name a zone. A fraction of a second is read wherever it stands.
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
	zoned bool      // it names its zone; else the wall clock is passed off as UTC
}

// readStamp reads a time; false = it is none.
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

// epoch is microseconds since 1970, as both majors write it.
func epoch(n int64) (stamp, bool) { return checked(time.UnixMicro(n), true) }

// checked turns away what cannot be the time of a log, and what JSON could not
// show.
func checked(t time.Time, zoned bool) (stamp, bool) {
	t = t.UTC()
	if t.Year() < 1980 || t.Year() > 9998 {
		return stamp{}, false
	}
	return stamp{t, zoned}, true
}

// reports are the words at the head of Erlang's own reports, which are written
// before EMQX has set up its log, with the level they stand for.
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
