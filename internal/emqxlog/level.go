package emqxlog

import "slices"

// Level is the severity of an entry. It is empty if the entry has none.
type Level string

// The levels of Erlang's logger, which are those of syslog.
const (
	Debug     Level = "debug"
	Info      Level = "info"
	Notice    Level = "notice"
	Warning   Level = "warning"
	Error     Level = "error"
	Critical  Level = "critical"
	Alert     Level = "alert"
	Emergency Level = "emergency"
)

var levels = []Level{Debug, Info, Notice, Warning, Error, Critical, Alert, Emergency}

// Levels returns the levels in ascending order of severity.
func Levels() []Level { return slices.Clone(levels) }

// Valid reports whether l is one of the levels.
func (l Level) Valid() bool { return slices.Contains(levels, l) }

// AtLeast reports whether l is as severe as least, or more severe. If least is empty, every
// entry is. An entry without a level is as severe as no other level.
func (l Level) AtLeast(least Level) bool {
	return least == "" || slices.Index(levels, l) >= slices.Index(levels, least)
}
